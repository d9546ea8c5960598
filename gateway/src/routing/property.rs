//! The router beside a matcher too simple to be wrong, over rules and requests made up at random.
//!
//! The reference asks every rule in turn and takes the least by the order that the module's
//! documentation states. It shares no code with the router beyond the types of a rule.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::*;

mod reference;

/// A request, owned.
#[derive(Debug, Clone)]
struct Request {
    listener: &'static str,
    host: &'static str,
    path: String,
    query: Option<&'static str>,
    method: Method,
    headers: Vec<(&'static str, &'static str)>,
}

impl Request {
    fn headers(&self) -> HeaderMap {
        let pairs = self.headers.iter();
        pairs
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "a", "a", "b", "b", "ab"])
}

fn pattern() -> impl Strategy<Value = PathPattern> {
    let literals = |words: Vec<&str>| format!("/{}", words.join("/"));
    let slash = prop::sample::select(vec!["", "", "", "/"]);
    let segment = prop_oneof![word(), Just("{}")];
    let exact = (prop::collection::vec(word(), 0..4), slash)
        .prop_map(move |(words, slash)| PathPattern::Exact(literals(words) + slash));
    let prefix = prop::collection::vec(word(), 0..4)
        .prop_map(move |words| PathPattern::Prefix(literals(words)));
    let end = prop::sample::select(vec!["", "", "/{*rest}", "/{*rest}", "/"]);
    let template = (prop::collection::vec(segment, 1..5), end).prop_map(|(segments, end)| {
        let name = |(at, segment): (usize, &str)| segment.replace("{}", &format!("{{c{at}}}"));
        let segments: Vec<_> = segments.into_iter().enumerate().map(name).collect();
        PathPattern::Template(format!("/{}{end}", segments.join("/")))
    });
    // Mostly templates, for their overlaps are the hard part.
    prop_oneof![1 => exact, 1 => prefix, 3 => template]
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        Just(Test::Present),
        Just(Test::Absent),
        word().prop_map(|text| Test::Exact(text.into())),
        word().prop_map(|text| Test::Prefix(text.into())),
    ]
}

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![Method::GET, Method::PUT, Method::POST])
}

fn rule() -> impl Strategy<Value = Rule> {
    let hosts = ["*", "*", "*", "*.x.com", "*.y.x.com", "y.x.com", "x.com"];
    let header =
        (prop::sample::select(vec!["x-a", "x-b"]), test()).prop_map(|(name, test)| Condition {
            name: HeaderName::from_static(name),
            test,
        });
    let parameter = (word(), test()).prop_map(|(name, test)| QueryCondition {
        name: name.into(),
        test,
    });
    let listeners = prop::sample::subsequence(vec!["one", "two"], 1..=2)
        .prop_map(|names| names.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>());
    (
        prop::option::weighted(0.2, listeners),
        prop::sample::select(hosts.to_vec()).prop_map(|host| HostPattern::parse(host).unwrap()),
        pattern(),
        prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(method(), 1..3)],
        prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(header, 1..3)],
        prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(parameter, 1..3)],
    )
        .prop_map(|(listeners, host, path, methods, headers, query)| Rule {
            route: 0,
            listeners,
            host,
            path,
            methods,
            headers,
            query,
        })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(rule(), 1..24).prop_map(|mut rules| {
        rules
            .iter_mut()
            .enumerate()
            .for_each(|(at, rule)| rule.route = at);
        rules
    })
}

fn request() -> impl Strategy<Value = Request> {
    let segment = prop_oneof![6 => word(), 1 => Just("")];
    (
        prop::sample::select(vec!["one", "two"]),
        prop::sample::select(vec![
            "x.com",
            "y.x.com",
            "z.x.com",
            "z.y.x.com",
            "other",
            "",
        ]),
        prop::collection::vec(segment, 0..6)
            .prop_map(|segments| format!("/{}", segments.join("/"))),
        prop::option::of(prop::sample::select(vec![
            "a=a", "a=ab&b=c", "c=&ab=b", "b=ab",
        ])),
        method(),
        prop::collection::vec((prop::sample::select(vec!["x-a", "x-b"]), word()), 0..3),
    )
        .prop_map(|(listener, host, path, query, method, headers)| Request {
            listener,
            host,
            path,
            query,
            method,
            headers,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_router_answers_as_the_reference_does(
        rules in rules(),
        requests in prop::collection::vec(request(), 1..24),
    ) {
        // What the router calls unreachable is left out of it, and stays in the reference, where it
        // must not matter.
        let conflicts = Router::build(rules.clone()).err().unwrap_or_default();
        let unreachable: Vec<_> = conflicts.iter().map(|conflict| conflict.rule).collect();
        let kept = rules.iter().filter(|rule| !unreachable.contains(&rule.route)).cloned();
        let router = Router::build(kept.collect()).expect("what is left is reachable");
        for request in &requests {
            let headers = request.headers();
            let query = Query {
                listener: request.listener,
                host: request.host,
                path: &request.path,
                query: request.query,
                method: &request.method,
                headers: &headers,
            };
            let lines = router.explain(&query);
            let chosen: Vec<_> =
                lines.iter().filter(|line| line.chosen).map(|line| line.route).collect();
            match (router.find(&query), reference::route(&rules, request)) {
                (Outcome::Found { route, captures, pattern, .. }, Ok(expected)) => {
                    prop_assert_eq!(route, expected, "{:?}", request);
                    prop_assert_eq!(chosen, [route]);
                    prop_assert_eq!(&**pattern, rules[route].path.as_str());
                    check_captures(&rules[route].path, &request.path, &captures)?;
                }
                (Outcome::MethodNotAllowed { allow }, Err(methods)) => {
                    let allow: Vec<_> = allow.iter().map(Method::to_string).collect();
                    prop_assert_eq!(allow, methods);
                    prop_assert!(chosen.is_empty());
                }
                (Outcome::NotFound, Err(methods)) => {
                    prop_assert!(methods.is_empty());
                    prop_assert!(chosen.is_empty());
                }
                (other, expected) => {
                    prop_assert!(false, "{other:?}, expected {expected:?} for {request:?}");
                }
            }
        }
    }

    #[test]
    fn a_rule_called_unreachable_really_is(
        rules in rules(),
        requests in prop::collection::vec(request(), 1..24),
    ) {
        for conflict in Router::build(rules.clone()).err().unwrap_or_default() {
            for request in &requests {
                prop_assert_ne!(reference::route(&rules, request), Ok(conflict.rule));
            }
        }
    }
}

/// Putting the captures back into the template must give the path again.
fn check_captures(
    pattern: &PathPattern,
    path: &str,
    captures: &Captures,
) -> Result<(), TestCaseError> {
    let PathPattern::Template(text) = pattern else {
        prop_assert!(captures.is_empty());
        return Ok(());
    };
    let mut filled = text.clone();
    for (name, value) in captures.iter() {
        prop_assert!(!value.is_empty());
        filled = filled
            .replace(&format!("{{{name}}}"), value)
            .replace(&format!("{{*{name}}}"), value);
    }
    prop_assert_eq!(format!("/{}", reference::segments(path).join("/")), filled);
    Ok(())
}
