//! A provider's keys: used in turn, and each set aside alone.

use serde_json::json;
use weir_telemetry::Code;
use weir_tests::metered::ask;
use weir_tests::upstream::{Received, When};
use weir_tests::{Behaviour, Gateway, Upstream, wait, wire};

use super::{JSON, call, config, fails, one, served, target, two, well};

const KEYS: &str = ", api_keys: [{ secret: key-a }, { secret: key-b }, { secret: key-c }]";

/// A provider that answers keys on this list so, and others well.
fn rejects(keys: &'static [(&'static str, u16, &'static str)]) -> Behaviour {
    Behaviour::new(When::Whole, move |request: &Received| {
        let key = request.header("authorization").unwrap_or_default();
        let found = keys.iter().find(|(value, ..)| key.ends_with(value));
        let (status, field, body) = match found {
            Some((_, status, field)) => (*status, *field, json!({ "error": { "message": "no" } })),
            None => (
                200,
                "X-Well: yes",
                json!({ "id": "c", "choices": [{ "index": 0, "finish_reason": "stop",
                    "message": { "role": "assistant", "content": "Yes." } }],
                    "usage": { "prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10 } }),
            ),
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} Said\r\n{JSON}\r\n{field}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        vec![weir_tests::upstream::Step::Send(head.into_bytes())]
    })
}

/// The last letter of each key that was sent, in turn.
fn sent(upstream: &Upstream) -> String {
    let keys = upstream.requests().into_iter();
    keys.filter_map(|request| request.header("authorization")?.chars().last())
        .collect()
}

#[tokio::test]
async fn keys_are_used_in_turn() {
    let first = Upstream::start(well()).await;
    let gateway = Gateway::start(&config(&one(first.addr(), KEYS), "smart", "")).await;
    for _ in 0..6 {
        assert_eq!(served(&gateway).await, "first");
    }
    assert_eq!(sent(&first), "abcabc");
}

#[tokio::test]
async fn a_key_that_is_refused_is_set_aside_alone_and_the_call_goes_on_with_the_next() {
    let first = Upstream::start(rejects(&[("value-b", 401, "X: y")])).await;
    let second = Upstream::start(well()).await;
    let sections =
        two(first.addr(), second.addr(), "", "").replacen("/v1\"", &format!("/v1\"{KEYS}"), 1);
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    for _ in 0..7 {
        assert_eq!(served(&gateway).await, "first");
    }
    let keys = sent(&first);
    assert_eq!(keys.matches('b').count(), 1, "{keys}");
    assert!(second.requests().is_empty());

    let seen = target(&gateway, "first").await;
    assert_eq!(seen["set_aside"], false, "{seen}");
    let set_aside: Vec<_> = seen["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["set_aside"])
        .collect();
    assert_eq!(set_aside, [false, true, false]);
    assert_eq!(seen["keys"][1]["secret"], "key-b");
    assert!(!seen.to_string().contains("value-"), "{seen}");
    let line = gateway
        .wait_for_log(|line| {
            line["weir.attempts"]
                .as_array()
                .is_some_and(|all| all.len() == 2)
        })
        .await;
    assert_eq!(line["weir.attempts"][0]["retried"], "next_key", "{line}");
    assert!(!line.to_string().contains("value-") && !gateway.metrics().await.contains("value-"));
}

#[tokio::test]
async fn tokens_are_not_counted_by_a_key_that_is_set_aside() {
    let first = Upstream::start(Behaviour::new(When::Whole, |request: &Received| {
        let refused = request.header("x-api-key") == Some("value-a");
        let (status, body) = if refused {
            (401, "{}")
        } else {
            (200, r#"{"input_tokens":5}"#)
        };
        let head = format!(
            "HTTP/1.1 {status} Said\r\n{JSON}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        vec![weir_tests::upstream::Step::Send(head.into_bytes())]
    }))
    .await;
    let sections = one(first.addr(), KEYS).replace("dialect: openai", "dialect: anthropic");
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    call(&gateway).await;
    for _ in 0..4 {
        let address = gateway.addr("public");
        let headers = ["Authorization: Bearer ann", JSON];
        let path = "/v1/messages/count_tokens";
        let told = wire::request(address, "POST", path, &headers, ask("")).await;
        assert_eq!(told.json(), json!({ "input_tokens": 5 }), "{}", told.text());
    }
    let asked = first.requests().into_iter();
    let keys: Vec<_> = asked
        .filter_map(|asked| asked.header("x-api-key")?.chars().last())
        .collect();
    assert_eq!(keys[0], 'a', "{keys:?}");
    assert!(
        !keys[1..].contains(&'a') && keys.contains(&'b') && keys.contains(&'c'),
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_key_that_is_limited_is_used_again_when_its_time_has_come() {
    let first = Upstream::start(rejects(&[("value-a", 429, "Retry-After: 1")])).await;
    let gateway = Gateway::start(&config(&one(first.addr(), KEYS), "smart", "")).await;
    for _ in 0..6 {
        assert_eq!(served(&gateway).await, "first");
    }
    assert_eq!(sent(&first).matches('a').count(), 1, "{}", sent(&first));
    first.set(well());
    wait::until("the key to be used again", || async {
        served(&gateway).await;
        (sent(&first).matches('a').count() > 2).then_some(())
    })
    .await;
    let seen = target(&gateway, "first").await;
    assert_eq!(seen["keys"][0]["set_aside"], false, "{seen}");
}

#[tokio::test]
async fn where_all_keys_are_refused_the_next_target_is_asked_and_then_first() {
    let first = Upstream::start(fails(403, &[])).await;
    let second = Upstream::start(well()).await;
    let sections =
        two(first.addr(), second.addr(), "", "").replacen("/v1\"", &format!("/v1\"{KEYS}"), 1);
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    for _ in 0..3 {
        assert_eq!(served(&gateway).await, "second");
    }
    let mut keys: Vec<char> = sent(&first).chars().collect();
    keys.sort_unstable();
    assert_eq!(keys, ['a', 'b', 'c'], "each was tried once");
    second.set(fails(500, &[]));
    let answer = call(&gateway).await;
    let codes = [
        Code::ProviderCredentialRejected.slug(),
        Code::ProviderError.slug(),
    ];
    assert!(codes.contains(&answer.header("weir-error").unwrap()));
}
