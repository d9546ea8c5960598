//! What browsers are told.

use super::*;
use std::time::Duration;

fn cors(origins: Vec<Origin>, credentials: bool) -> Cors {
    Cors::new(Config {
        origins,
        methods: vec![Method::GET, Method::POST],
        headers: Vec::new(),
        expose: Vec::new(),
        credentials,
        max_age: Duration::from_secs(60),
    })
}

fn asking(origin: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ORIGIN, origin.parse().expect("a value"));
    headers.insert(
        ACCESS_CONTROL_REQUEST_HEADERS,
        HeaderValue::from_static("x-a"),
    );
    headers
}

fn field(reply: &Reply, name: &HeaderName) -> Option<String> {
    let found = reply.headers.iter().find(|(n, _)| n == name)?;
    Some(found.1.to_str().expect("text").to_owned())
}

#[test]
fn a_preflight_names_the_origin_and_what_it_may_do() {
    let policy = cors(vec![Origin::Exact("https://a.example".into())], true);
    let reply = policy.preflight(&asking("https://a.example"));
    assert_eq!(
        field(&reply, &ACCESS_CONTROL_ALLOW_ORIGIN).as_deref(),
        Some("https://a.example")
    );
    assert_eq!(
        field(&reply, &ACCESS_CONTROL_ALLOW_METHODS).as_deref(),
        Some("GET, POST")
    );
    assert_eq!(
        field(&reply, &ACCESS_CONTROL_ALLOW_HEADERS).as_deref(),
        Some("x-a")
    );
    assert_eq!(
        field(&reply, &ACCESS_CONTROL_ALLOW_CREDENTIALS).as_deref(),
        Some("true")
    );
    assert_eq!(
        field(&reply, &ACCESS_CONTROL_MAX_AGE).as_deref(),
        Some("60")
    );
}

#[test]
fn another_origin_is_told_nothing_but_caches_are() {
    let policy = cors(vec![Origin::Exact("https://a.example".into())], false);
    let reply = policy.preflight(&asking("https://evil.example"));
    assert_eq!(field(&reply, &ACCESS_CONTROL_ALLOW_ORIGIN), None);
    assert_eq!(field(&reply, &VARY).as_deref(), Some("origin"));
}

#[test]
fn any_origin_is_a_star() {
    let reply = cors(vec![Origin::Any], false).preflight(&asking("https://x.example"));
    assert_eq!(
        field(&reply, &ACCESS_CONTROL_ALLOW_ORIGIN).as_deref(),
        Some("*")
    );
}
