//! Where keys are found, and what becomes of them.

use super::*;
use http::HeaderName;

fn head(target: &str, headers: &[(&'static str, &str)]) -> RequestHeader {
    let mut head = RequestHeader::build("GET", target.as_bytes(), None).expect("a request");
    for (name, value) in headers {
        head.append_header(*name, *value).expect("a header");
    }
    head
}

fn found(source: &Source, head: &RequestHeader) -> Option<String> {
    key_at(source, head).map(|key| String::from_utf8(key.into_owned()).expect("text"))
}

#[test]
fn a_key_is_found_where_the_source_says() {
    let bearer = head("/", &[("authorization", "bearer  abc ")]);
    assert_eq!(found(&Source::Bearer, &bearer).as_deref(), Some("abc"));
    let basic = head("/", &[("authorization", "Basic abc")]);
    assert_eq!(found(&Source::Bearer, &basic), None);
    let header = Source::Header(HeaderName::from_static("x-api-key"));
    assert_eq!(
        found(&header, &head("/", &[("x-api-key", "k")])).as_deref(),
        Some("k")
    );
    let query = Source::Query("key".into());
    assert_eq!(
        found(&query, &head("/?a=1&key=a%2Bb", &[])).as_deref(),
        Some("a+b")
    );
    assert_eq!(found(&query, &head("/", &[])), None);
    let offered = [("sec-websocket-protocol", "chat, weir.key.YS9iKz0")];
    assert_eq!(
        found(&Source::Subprotocol, &head("/", &offered)).as_deref(),
        Some("a/b+=")
    );
    let not = [("sec-websocket-protocol", "chat, weir.key.%")];
    assert_eq!(found(&Source::Subprotocol, &head("/", &not)), None);
}

#[test]
fn a_hidden_key_is_gone_and_nothing_else() {
    let mut one = head("/p?a=1&key=secret&b=2", &[]);
    hide(&Source::Query("key".into()), &mut one);
    assert_eq!(one.uri.to_string(), "/p?a=1&b=2");
    let mut only = head("/p?key=secret", &[]);
    hide(&Source::Query("key".into()), &mut only);
    assert_eq!(only.uri.to_string(), "/p");
    let offered = ("sec-websocket-protocol", "chat, weir.key.YQ,mqtt");
    let mut pages = head("/", &[offered]);
    hide(&Source::Subprotocol, &mut pages);
    assert_eq!(pages.headers["sec-websocket-protocol"], "chat, mqtt");
    let mut alone = head("/", &[("sec-websocket-protocol", "weir.key.YQ")]);
    hide(&Source::Subprotocol, &mut alone);
    assert!(!alone.headers.contains_key("sec-websocket-protocol"));
    let mut bearer = head("/", &[("authorization", "Bearer k"), ("accept", "*/*")]);
    hide(&Source::Bearer, &mut bearer);
    assert!(!bearer.headers.contains_key("authorization") && bearer.headers.contains_key("accept"));
}

#[test]
fn only_the_key_that_hashes_alike_is_known() {
    let key = Key {
        id: "a".into(),
        sha256: Sha256::digest(b"right").into(),
        expires: None,
    };
    let consumer = Consumer {
        name: "c".into(),
        team: None,
        groups: Vec::new(),
        keys: vec![key],
    };
    let directory = Directory::new(&[Arc::new(consumer)]);
    assert_eq!(directory.find(b"right").map(|(c, _)| &*c.name), Some("c"));
    assert!(directory.find(b"wrong").is_none());
}

use sha2::{Digest as _, Sha256};

use crate::config::consumers::Key;
