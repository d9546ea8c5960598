//! The target that failed last is asked once more, when its provider says that this may help.

use std::time::{Duration, Instant};

use weir_telemetry::Code;
use weir_tests::metered::{ask, post};
use weir_tests::wire;
use weir_tests::{Gateway, Upstream};

use super::{JSON, call, calls, config, fails, one, served, two, well};

#[tokio::test]
async fn a_short_retry_after_is_waited_for() {
    for (status, fields) in [
        (429, &["Retry-After: 1"][..]),
        (503, &["Retry-After: 30", "retry-after-ms: 900"]),
    ] {
        let first = Upstream::sequence([fails(status, fields), well()]).await;
        let gateway = Gateway::start(&config(&one(first.addr(), ""), "smart", "")).await;
        let began = Instant::now();
        assert_eq!(served(&gateway).await, "first");
        assert!(began.elapsed() >= Duration::from_millis(900), "{status}");
        let line = gateway
            .wait_for_log(|line| line["weir.route"] == "chat")
            .await;
        let reason = &line["weir.attempts"][0]["retried"];
        assert!(
            *reason == "rate_limited" || *reason == "overloaded",
            "{line}"
        );
        assert_eq!(line["weir.attempts"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn failures_and_lost_connections_are_tried_again_within_max() {
    for failure in [
        fails(500, &[]),
        fails(408, &[]),
        weir_tests::Behaviour::reset_before_head(),
    ] {
        let first = Upstream::sequence([failure.clone(), well()]).await;
        let gateway = Gateway::start(&config(&one(first.addr(), ""), "smart", "")).await;
        assert_eq!(served(&gateway).await, "first");
        assert_eq!(calls(&first), 2);
        first.set_sequence([failure.clone(), failure, well()]);
        let answer = call(&gateway).await;
        assert!(answer.status >= 500, "{}", answer.text());
        assert_eq!(calls(&first), 4, "one retry and no more");
    }
}

#[tokio::test]
async fn what_no_retry_can_help_is_told_at_once() {
    let past = ["Retry-After: 60"];
    for (failure, code) in [
        (fails(429, &past), Code::ProviderRateLimited),
        (fails(401, &[]), Code::ProviderCredentialRejected),
    ] {
        let first = Upstream::start(failure).await;
        let gateway = Gateway::start(&config(&one(first.addr(), ""), "smart", "")).await;
        let answer = call(&gateway).await;
        assert_eq!(answer.header("weir-error"), Some(code.slug()));
        assert_eq!(calls(&first), 1);
        if code == Code::ProviderRateLimited {
            assert_eq!(answer.header("retry-after"), Some("60"));
        }
    }
}

#[tokio::test]
async fn geminis_own_words_are_understood_and_told() {
    let body = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"no","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#;
    let first = Upstream::start(weir_tests::Behaviour::answer(429, &[JSON], body)).await;
    let sections = format!(
        "providers: [{{ name: first, dialect: gemini, base_url: \"{}\" }}]\n\
         models: [{{ name: smart, targets: [{{ provider: first, model: one }}] }}]\n",
        first.url("")
    );
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    let answer = call(&gateway).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("34"))
    );
}

#[tokio::test]
async fn nobody_waits_while_another_target_is_left() {
    let first = Upstream::start(fails(429, &["Retry-After: 1"])).await;
    let second = Upstream::start(well()).await;
    let sections = two(first.addr(), second.addr(), "", "");
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    assert_eq!(served(&gateway).await, "second");
    assert_eq!(served(&gateway).await, "second");
    assert_eq!(calls(&first), 1, "it is set aside for as long as it said");
}

#[tokio::test]
async fn who_leaves_while_waiting_ends_the_call() {
    let first = Upstream::start(fails(429, &["Retry-After: 20"])).await;
    let sections = one(first.addr(), ", retries: { longest_wait: 30s }");
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    let public = gateway.addr("public");
    let asking = tokio::spawn(async move { post(public, "ann", ask("")).await });
    first.wait_for_requests(1).await;
    asking.abort();
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(
        line["error.type"],
        Code::ClientDisconnected.slug(),
        "{line}"
    );
    assert_eq!(calls(&first), 1);
    let health = wire::request(gateway.addr("metrics"), "GET", "/healthz", &[], "").await;
    assert_eq!(health.status, 200);
}
