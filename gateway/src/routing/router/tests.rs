//! Fixtures, and what a found route carries; precedence and conflicts have files of their own.

mod conflicts;
mod precedence;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::*;
use crate::routing::rule::Fault;
use crate::routing::{Condition, PathPattern, QueryCondition, Test, normalise};

/// A rule for any host and method under a path: `=/a` exact, `/a/**` prefix, else a template.
fn rule(route: usize, path: &str) -> Rule {
    let path = match (path.strip_prefix('='), path.strip_suffix("/**")) {
        (Some(exact), _) => PathPattern::Exact(exact.into()),
        (None, Some(prefix)) => {
            PathPattern::Prefix(if prefix.is_empty() { "/" } else { prefix }.into())
        }
        (None, None) => PathPattern::Template(path.into()),
    };
    Rule {
        route,
        listeners: None,
        host: HostPattern::Any,
        path,
        methods: vec![],
        headers: vec![],
        query: vec![],
    }
}

impl Rule {
    fn host(mut self, host: &str) -> Self {
        self.host = HostPattern::parse(host).unwrap();
        self
    }
    fn methods(mut self, methods: &[Method]) -> Self {
        self.methods = methods.to_vec();
        self
    }
    fn header(mut self, name: &'static str, test: Test) -> Self {
        self.headers.push(Condition {
            name: HeaderName::from_static(name),
            test,
        });
        self
    }
    fn query(mut self, name: &str, test: Test) -> Self {
        self.query.push(QueryCondition {
            name: name.into(),
            test,
        });
        self
    }
    fn listeners(mut self, names: &[&str]) -> Self {
        self.listeners = Some(names.iter().map(|name| Arc::from(*name)).collect());
        self
    }
}

/// Asks with `GET` on the listener "public"; `target` is a path in normal form with its query.
fn ask<'r>(router: &'r Router, host: &str, target: &str) -> Outcome<'r> {
    ask_with(router, &Method::GET, host, target, &[])
}

fn ask_with<'r>(
    router: &'r Router,
    method: &Method,
    host: &str,
    target: &str,
    headers: &[(&'static str, &'static str)],
) -> Outcome<'r> {
    let headers = headers.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    let headers = headers.collect();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    router.find(&Query {
        listener: "public",
        host,
        path,
        query,
        method,
        headers: &headers,
    })
}

fn route(outcome: &Outcome<'_>) -> Option<usize> {
    match outcome {
        Outcome::Found { route, .. } => Some(*route),
        _ => None,
    }
}

/// Builds and asks for one target on `example.com`.
fn routed(rules: Vec<Rule>, target: &str) -> Option<usize> {
    route(&ask(&Router::build(rules).unwrap(), "example.com", target))
}

#[test]
fn captures_carry_the_names_of_the_rule_that_matched() {
    let rules = vec![
        rule(0, "/events/{topic}").methods(&[Method::GET]),
        rule(1, "/events/{name}").methods(&[Method::POST]),
        rule(2, "/files/{bucket}/{*rest}"),
        rule(3, "/{a}/{b}/{c}/{d}/{e}"),
    ];
    let router = Router::build(rules).unwrap();
    let asked = |method, path| match ask_with(&router, &method, "", path, &[]) {
        Outcome::Found {
            captures, pattern, ..
        } => {
            let captures: Vec<_> = captures
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("{pattern} {}", captures.join(" "))
        }
        other => format!("{other:?}"),
    };
    assert_eq!(
        asked(Method::GET, "/events/x%20y"),
        "/events/{topic} topic=x y"
    );
    assert_eq!(
        asked(Method::POST, "/events/x%2Fy"),
        "/events/{name} name=x/y"
    );
    assert_eq!(
        asked(Method::GET, "/files/b/c//d/"),
        "/files/{bucket}/{*rest} bucket=b rest=c/d/"
    );
    assert_eq!(
        asked(Method::GET, "/1/2/3/4/5"),
        "/{a}/{b}/{c}/{d}/{e} a=1 b=2 c=3 d=4 e=5"
    );
    assert_eq!(asked(Method::GET, "/events/%FF"), "Refused(NotUtf8)");
}

#[test]
fn no_spelling_of_a_path_gets_around_a_prefix() {
    let router = Router::build(vec![
        rule(0, "/**"),
        rule(1, "/admin/**"),
        rule(2, "=/health"),
        rule(3, "/v/{x}"),
    ])
    .unwrap();
    let asked = |path: &str| normalise(path).map(|path| route(&ask(&router, "", &path)));
    for path in [
        "/admin",
        "//admin",
        "///admin/x",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/%61dmin",
        "/./admin",
        "//x/..//admin//",
        "/admin/%2e",
        "/ADMIN/../admin",
    ] {
        assert_eq!(asked(path), Ok(Some(1)), "{path}");
    }
    assert_eq!(asked("//health"), Ok(Some(2)));
    assert_eq!(asked("/v//1"), Ok(Some(3)));
    assert_eq!(asked("/administrator"), Ok(Some(0)));
    assert_eq!(asked("/x%2Fadmin"), Ok(Some(0)), "an encoded slash is data");
    assert_eq!(asked("/x/..%2Fadmin"), Err(Refused::HiddenDots));
    assert_eq!(asked("/../admin"), Err(Refused::AboveRoot));
}

#[test]
fn patterns_are_compared_in_normal_form_and_shown_as_written() {
    let router = Router::build(vec![
        rule(0, "=/café"),
        rule(1, "/x//y/**"),
        rule(2, "/%7Eme/{x}"),
    ])
    .unwrap();
    for (path, expected) in [
        ("/caf%C3%A9", "/café"),
        ("/x/y/z", "/x//y"),
        ("/~me/z", "/%7Eme/{x}"),
    ] {
        match ask(&router, "", path) {
            Outcome::Found { pattern, .. } => assert_eq!(&**pattern, expected),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn an_empty_router_finds_nothing() {
    assert_eq!(
        ask(&Router::build(vec![]).unwrap(), "a", "/"),
        Outcome::NotFound
    );
}

#[test]
fn explain_names_every_rule_and_what_it_lacked() {
    let rules = vec![
        rule(0, "/**"),
        rule(1, "=/a").methods(&[Method::POST, Method::PUT]),
        rule(2, "/{x}").header("x-a", Test::Exact("1".into())),
        rule(3, "/a/**").query("q", Test::Prefix("b".into())),
        rule(4, "/a/**").listeners(&["internal"]),
        rule(5, "/a/**"),
        rule(6, "/c/**"),
        rule(7, "/**").host("other.com"),
    ];
    let router = Router::build(rules).unwrap();
    let headers = HeaderMap::new();
    let query = Query {
        listener: "public",
        host: "x.com",
        path: "/a",
        query: Some("q=c"),
        method: &Method::GET,
        headers: &headers,
    };
    let lines: Vec<_> = router
        .explain(&query)
        .iter()
        .map(|line| (line.route, line.chosen, line.verdict.to_string()))
        .collect();
    let expected = [
        (1, false, "the method GET is not among POST, PUT"),
        (2, false, "the header \"x-a\" is not \"1\""),
        (
            3,
            false,
            "the query parameter \"q\" does not begin with \"b\"",
        ),
        (4, false, "is not open on the listener \"public\""),
        (5, true, "matches"),
        (
            0,
            false,
            "matches too, but a rule that precedes it has matched",
        ),
        (6, false, "the path does not match"),
        (7, false, "the host does not match"),
    ];
    assert_eq!(
        lines,
        expected.map(|(route, chosen, text)| (route, chosen, text.to_owned()))
    );
}
