//! The documented order of precedence, one step at a time.

use super::*;

#[test]
fn host_outweighs_path() {
    let rules = vec![
        rule(0, "=/a/b").host("*"),
        rule(1, "=/a/b").host("*.example.com"),
        rule(2, "/a/**").host("*.eu.example.com"),
        rule(3, "/**").host("x.eu.example.com"),
    ];
    let router = Router::build(rules).unwrap();
    for (host, expected) in [
        ("x.eu.example.com", 3),
        ("X.EU.EXAMPLE.COM.", 3),
        ("y.eu.example.com", 2),
        ("y.z.eu.example.com", 2),
        ("us.example.com", 1),
        ("example.com", 0),
        ("", 0),
    ] {
        assert_eq!(route(&ask(&router, host, "/a/b")), Some(expected), "{host}");
    }
}

#[test]
fn a_less_specific_host_answers_what_the_more_specific_does_not() {
    let rules = vec![
        rule(0, "/**"),
        rule(1, "/a/**")
            .host("example.com")
            .methods(&[Method::POST]),
    ];
    assert_eq!(routed(rules.clone(), "/b"), Some(0));
    assert_eq!(routed(rules, "/a"), Some(0));
}

#[test]
fn exact_outweighs_template_outweighs_prefix() {
    let rules = vec![
        rule(0, "/a/b/**"),
        rule(1, "/a/{x}"),
        rule(2, "=/a/b"),
        rule(3, "/a/{*rest}"),
        rule(4, "/{x}/b"),
    ];
    let router = Router::build(rules).unwrap();
    for (path, expected) in [
        ("/a/b", 2),
        ("/a/c", 1),
        ("/a/b/c", 3),
        ("/c/b", 4),
        ("/a/b/", 3),
    ] {
        assert_eq!(route(&ask(&router, "", path)), Some(expected), "{path}");
    }
}

#[test]
fn the_longer_prefix_outweighs() {
    let rules = vec![rule(0, "/**"), rule(1, "/a/**"), rule(2, "/a/b/**")];
    assert_eq!(routed(rules.clone(), "/a/b/c"), Some(2));
    assert_eq!(routed(rules.clone(), "/a/bc"), Some(1));
    assert_eq!(routed(rules, "/ab"), Some(0));
}

#[test]
fn conditions_outweigh_in_the_order_method_headers_query_declaration() {
    let all = vec![
        rule(0, "/a/**"),
        rule(1, "/a/**").query("q", Test::Present),
        rule(2, "/a/**").header("x-a", Test::Present),
        rule(3, "/a/**")
            .header("x-a", Test::Present)
            .header("x-b", Test::Present),
        rule(4, "/a/**").methods(&[Method::GET]),
        rule(5, "/a/**")
            .header("x-a", Test::Exact("1".into()))
            .query("q", Test::Present)
            .query("r", Test::Present),
        rule(6, "/a/**").header("x-c", Test::Present),
    ];
    let router = Router::build(all).unwrap();
    let asked =
        |method, target, headers: &[_]| route(&ask_with(&router, &method, "", target, headers));
    let [a, b, c] = [("x-a", "1"), ("x-b", "1"), ("x-c", "1")];
    assert_eq!(
        asked(Method::GET, "/a?q&r", &[a, b, c]),
        Some(4),
        "a method before two headers"
    );
    assert_eq!(
        asked(Method::PUT, "/a?q&r", &[a, b, c]),
        Some(3),
        "two headers before one and two parameters"
    );
    assert_eq!(
        asked(Method::PUT, "/a?q&r", &[a, c]),
        Some(5),
        "with as many headers, more parameters"
    );
    assert_eq!(
        asked(Method::PUT, "/a?q", &[a, c]),
        Some(2),
        "with as many of all, the one declared first"
    );
    assert_eq!(
        asked(Method::PUT, "/a?q", &[c]),
        Some(6),
        "a header before a parameter"
    );
    assert_eq!(asked(Method::PUT, "/a?q", &[]), Some(1));
    assert_eq!(asked(Method::PUT, "/a", &[]), Some(0));
}

#[test]
fn a_path_that_turns_the_request_down_leaves_it_to_the_next() {
    let rules = vec![
        rule(0, "=/a/b").header("x-a", Test::Present),
        rule(1, "/a/{x}").query("q", Test::Exact("1".into())),
        rule(2, "/a/b/**").listeners(&["internal"]),
        rule(3, "/a/**"),
    ];
    let router = Router::build(rules).unwrap();
    assert_eq!(
        route(&ask_with(
            &router,
            &Method::GET,
            "",
            "/a/b?q=1",
            &[("x-a", "")]
        )),
        Some(0)
    );
    assert_eq!(route(&ask(&router, "", "/a/b?q=1")), Some(1));
    assert_eq!(route(&ask(&router, "", "/a/b?q=2")), Some(3));
}

#[test]
fn listeners_divide_the_rules() {
    let rules = vec![
        rule(0, "/**").listeners(&["admin", "public"]),
        rule(1, "=/a").listeners(&["admin"]),
    ];
    let router = Router::build(rules).unwrap();
    let asked = |listener| {
        let headers = HeaderMap::new();
        let query = Query {
            listener,
            host: "",
            path: "/a",
            query: None,
            method: &Method::GET,
            headers: &headers,
        };
        route(&router.find(&query))
    };
    assert_eq!(asked("admin"), Some(1));
    assert_eq!(asked("public"), Some(0));
    assert_eq!(asked("other"), None);
}

#[test]
fn only_a_wrong_method_is_method_not_allowed() {
    let rules = vec![
        rule(0, "=/a").methods(&[Method::PUT, Method::POST]),
        rule(1, "/a/**")
            .methods(&[Method::DELETE, Method::POST])
            .host("example.com"),
        rule(2, "/a/**")
            .methods(&[Method::PATCH])
            .header("x-a", Test::Present),
    ];
    let router = Router::build(rules).unwrap();
    let allow = vec![Method::DELETE, Method::POST, Method::PUT];
    assert_eq!(
        ask(&router, "example.com", "/a"),
        Outcome::MethodNotAllowed { allow }
    );
    assert_eq!(
        ask(&router, "", "/a"),
        Outcome::MethodNotAllowed {
            allow: vec![Method::POST, Method::PUT]
        }
    );
    assert_eq!(ask(&router, "", "/a/b"), Outcome::NotFound);
    assert_eq!(ask(&router, "", "/b"), Outcome::NotFound);
    assert_eq!(
        ask_with(&router, &Method::HEAD, "", "/a", &[]),
        ask(&router, "", "/a")
    );
}
