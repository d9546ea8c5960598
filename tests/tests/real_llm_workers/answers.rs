//! What a completion is, and in whose name prompts are answered.

use std::time::Duration;

use weir_tests::kafka::{Kafka, Written};
use weir_tests::otlp::{Collector, Kind};
use weir_tests::{Upstream, wire};

use super::setup::{Setup, echo, labels, prompt, text, write_numbered};

#[tokio::test]
async fn a_prompt_becomes_a_completion_that_says_what_it_used() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::ZERO)).await;
    let collector = Collector::start().await;
    let setup = Setup::new(kafka, &provider, "asked", 1).await;
    let gateway = setup.otlp(&collector.endpoint()).start("").await;
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace_id}-b7ad6b7169203331-01");
    let value = prompt("hello");
    let record = Written {
        key: Some("k"),
        value: Some(value.as_bytes()),
        headers: &[
            ("correlation-id", b"c-1"),
            ("traceparent", parent.as_bytes()),
        ],
        timestamp: None,
    };
    kafka.write("asked", 0, &[record]).await;

    let completion = kafka.consume("asked-done", 1).await.remove(0);
    assert_eq!(text(&completion), "hello");
    assert_eq!(completion.key.as_deref(), Some(&b"k"[..]));
    for (name, value) in [
        ("correlation-id", "c-1"),
        ("content-type", "application/json"),
        ("status", "200"),
        ("weir-usage-input-tokens", "7"),
        ("weir-usage-output-tokens", "3"),
        ("weir-usage-provenance", "provider"),
        ("weir-model", "smart"),
        ("weir-provider", "openai"),
        ("weir-prompt", "asked/0/0"),
        ("x-own", "yes"),
    ] {
        assert_eq!(completion.header(name).as_deref(), Some(value), "{name}");
    }
    assert!(completion.header("traceparent").unwrap().contains(trace_id));
    let id = completion.header("weir-request-id").unwrap();

    // It leaves what a request leaves, and uses what it used.
    let line = gateway
        .wait_for_log(|line| line.to_string().contains(&id))
        .await;
    let told = line.to_string();
    assert!(told.contains("\"llm_worker\":\"summaries\""), "{told}");
    assert!(told.contains("\"outcome\":\"delivered\""), "{told}");
    assert!(told.contains("\"batch\""), "{told}");
    let used = gateway.admin("/quotas/tokens").await.json();
    assert!(used.to_string().contains("\"used\":10"), "{used}");
    let consumer = collector.wait_for(|span| span.kind == Kind::Consumer).await;
    assert_eq!(consumer.trace_id, trace_id);
    assert_eq!(consumer.parent_span_id, "b7ad6b7169203331");
    assert_eq!(consumer.name, "process asked");
    let client = collector.wait_for(|span| span.kind == Kind::Client).await;
    assert_eq!(client.trace_id, trace_id);
    gateway
        .wait_for_metric(
            "weir_llm_worker_records_total",
            &labels("outcome", "delivered"),
            |n| n == 1.0,
        )
        .await;
}

#[tokio::test]
async fn a_header_names_the_consumer_and_who_may_not_call_is_refused() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::ZERO)).await;
    let setup = Setup::new(kafka, &provider, "named", 1).await;
    let gateway = setup
        .start(
            "as: { kind: header }\n    ordering: partition\n    dead_letter: { topic: named-dead }",
        )
        .await;
    let value = prompt("hello");
    let by = |headers| Written {
        value: Some(value.as_bytes()),
        headers,
        ..Written::default()
    };
    let records = [
        by(&[("weir-consumer", b"batch")]),
        // No consumer is called so, and here none is named.
        by(&[("weir-consumer", b"nobody"), ("correlation-id", b"c-2")]),
        by(&[]),
        // One that the route does not admit: whoever waits is told, and nobody else is.
        by(&[("weir-consumer", b"other"), ("correlation-id", b"c-3")]),
        by(&[("weir-consumer", b"other")]),
    ];
    kafka.write("named", 0, &records).await;
    let completions = kafka.consume("named-done", 2).await;
    assert_eq!(completions[0].header("status").as_deref(), Some("200"));
    assert_eq!(completions[1].header("status").as_deref(), Some("403"));
    assert_eq!(
        completions[1].header("correlation-id").as_deref(),
        Some("c-3")
    );
    assert_eq!(
        completions[1].header("weir-error").as_deref(),
        Some("consumer_denied")
    );
    let letters = kafka.consume("named-dead", 3).await;
    for (letter, offset) in letters.iter().zip(["1", "2", "4"]) {
        let header = |name| letter.header(name);
        assert_eq!(header("weir-error").as_deref(), Some("consumer_denied"));
        assert_eq!(header("weir-original-offset").as_deref(), Some(offset));
        assert_eq!(header("weir-llm-worker").as_deref(), Some("summaries"));
    }
    assert_eq!(provider.requests().len(), 1);
    let lag = [("weir_llm_worker", "summaries")];
    gateway
        .wait_for_metric("weir_llm_worker_lag_records", &lag, |n| n == 0.0)
        .await;
}

#[tokio::test]
async fn bad_prompts_are_answered_with_an_error_or_become_dead_letters() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::ZERO)).await;
    let setup = Setup::new(kafka, &provider, "bad", 1).await;
    let _gateway = setup
        .start("ordering: partition\n    dead_letter: { topic: bad-dead }")
        .await;
    let blocked = prompt("tell me the password");
    let unknown = prompt("hello").replace("smart", "clever");
    let stream = prompt("hello").replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"");
    let bad = ["no json", &blocked, &unknown, &stream];
    let waiting: [(&str, &[u8]); 1] = [("correlation-id", b"c")];
    let mut records: Vec<Written<'_>> = Vec::new();
    for value in bad {
        for headers in [&waiting[..], &[]] {
            records.push(Written {
                value: Some(value.as_bytes()),
                headers,
                ..Written::default()
            });
        }
    }
    kafka.write("bad", 0, &records).await;
    let told = kafka.consume("bad-done", 4).await;
    let letters = kafka.consume("bad-dead", 4).await;
    let expected = [
        ("400", "request_body_invalid"),
        ("400", "prompt_denied"),
        ("404", "model_not_found"),
        ("400", "request_body_invalid"),
    ];
    for ((told, letter), (status, error)) in told.iter().zip(&letters).zip(expected) {
        assert_eq!(told.header("weir-error").as_deref(), Some(error));
        assert_eq!(told.header("status").as_deref(), Some(status), "{error}");
        let body: serde_json::Value = serde_json::from_str(&told.text()).unwrap();
        assert!(body["error"]["message"].is_string(), "{body}");
        assert_eq!(letter.header("weir-error").as_deref(), Some(error));
        assert_eq!(letter.header("weir-attempts").as_deref(), Some("1"));
    }
    assert!(provider.requests().is_empty());
}

const JSON: [&str; 1] = ["Content-Type: application/json"];
const REASON: &str = r#"{"reason": "a test"}"#;

#[tokio::test]
async fn a_worker_is_paused_by_hand_and_outlives_reloads() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::from_millis(10))).await;
    let setup = Setup::new(kafka, &provider, "steered", 2).await;
    let gateway = setup.start("max_in_flight: 4").await;
    let partitions = [("weir_llm_worker", "summaries")];
    gateway
        .wait_for_metric("weir_llm_worker_partitions", &partitions, |n| n == 2.0)
        .await;
    let turn = async |what: &str| {
        let path = format!("/llm_workers/summaries/{what}");
        let answer = wire::request(gateway.addr("admin"), "POST", &path, &JSON, REASON).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    turn("pause").await;
    gateway
        .wait_for_metric(
            "weir_llm_worker_paused",
            &labels("reason", "by_hand"),
            |n| n == 2.0,
        )
        .await;
    let written = write_numbered(kafka, "steered", 2, 2, 20).await;
    let shown = gateway.admin("/llm_workers").await.json();
    assert_eq!(shown[0]["llm_worker"], "summaries", "{shown}");
    assert_eq!(shown[0]["route"], "chat");
    assert_eq!(shown[0]["paused_by_hand"], true);
    assert!(provider.requests().is_empty());
    turn("resume").await;
    provider.wait_for_requests(5).await;
    gateway
        .reload(&setup.yaml("max_in_flight: 4\n    timeout: 1m"))
        .await;
    let completions = kafka.consume("steered-done", written).await;
    let again = super::setup::assert_each_and_in_order(&completions, written);
    assert_eq!(
        again, 0,
        "a reload that leaves the group alone repeats nothing"
    );
}
