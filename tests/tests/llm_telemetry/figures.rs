//! Spans and figures: whom each attempt asked, what was used, what that cost.

use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::models::Dialect;
use weir_tests::otlp::{Collector, Kind, StatusCode};
use weir_tests::{Behaviour, Upstream};

use super::{JSON, Setting, ask, gateway, has, said};

#[tokio::test]
async fn each_attempt_tells_whom_it_asked_and_why_and_figures_are_exact() {
    let collector = Collector::start().await;
    let busy = Behaviour::answer(429, &[JSON], r#"{"error":{"message":"busy"}}"#);
    let first = Upstream::start(busy).await;
    let second = Upstream::start(Dialect::Anthropic.says(said())).await;
    let setting = Setting {
        collector: &collector,
        ratio: "1.0",
        telemetry: "",
        route: "",
    };
    let gateway = gateway(first.addr(), second.addr(), &setting).await;
    let answer = ask(&gateway, "/v1/chat/completions", false).await;
    assert_eq!(answer.status, 200, "{}", answer.text());

    let line = gateway.wait_for_log(|_| true).await;
    let trace = line["trace_id"].as_str().unwrap();
    let spans = collector.wait_for_trace(trace, 3).await;
    let [server, refused, answered] = spans.as_slice() else {
        panic!("three spans, not {}", spans.len());
    };
    has(
        server,
        &[
            ("weir.model", json!("smart")),
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.usage.input_tokens", Value::Null),
        ],
    );
    let asked = [
        ("gen_ai.operation.name", json!("chat")),
        ("weir.model", json!("smart")),
        ("gen_ai.request.max_tokens", json!(50)),
        ("gen_ai.request.temperature", json!(0.5)),
        ("gen_ai.request.top_p", json!(0.9)),
        ("gen_ai.request.seed", json!(7)),
        ("gen_ai.request.stop_sequences", json!(["END"])),
        ("gen_ai.request.stream", Value::Null),
        ("gen_ai.request.choice.count", Value::Null),
        ("gen_ai.input.messages", Value::Null),
        ("gen_ai.output.messages", Value::Null),
        ("gen_ai.system_instructions", Value::Null),
        ("server.address", json!("127.0.0.1")),
    ];
    for (span, name, model, provider, server) in [
        (refused, "chat gpt-test", "gpt-test", "first", &first),
        (
            answered,
            "chat claude-test",
            "claude-test",
            "second",
            &second,
        ),
    ] {
        assert_eq!((&*span.name, span.kind), (name, Kind::Client));
        assert!(span.parent_span_id == spans[0].span_id);
        has(span, &asked);
        has(
            span,
            &[
                ("gen_ai.request.model", json!(model)),
                ("gen_ai.provider.name", json!(provider)),
                ("weir.provider", json!(provider)),
                ("server.port", json!(server.addr().port())),
            ],
        );
    }
    assert_eq!(refused.status, StatusCode::Error);
    has(
        refused,
        &[
            ("error.type", json!("provider_rate_limited")),
            ("http.response.status_code", json!(429)),
            ("weir.retry.reason", json!("fallback")),
            ("gen_ai.usage.input_tokens", Value::Null),
        ],
    );
    has(
        answered,
        &[
            ("error.type", Value::Null),
            ("weir.llm.fallback.count", json!(1)),
            ("weir.llm.fallback.from", json!("first")),
            ("weir.llm.fallback.reason", json!("provider_rate_limited")),
            ("gen_ai.response.id", json!("msg_1")),
            ("gen_ai.response.model", json!("model-1")),
            ("gen_ai.response.finish_reasons", json!(["stop"])),
            ("gen_ai.usage.input_tokens", json!(11)),
            ("gen_ai.usage.output_tokens", json!(4)),
            ("weir.llm.provenance", json!("provider")),
            // 11 × 3 and 4 × 15 dollars per million
            ("weir.llm.cost_dollars", json!(0.000_093)),
        ],
    );

    assert_eq!(line["gen_ai"]["request.model"], "smart");
    assert_eq!(line["gen_ai"]["response.model"], "claude-test");
    assert_eq!(line["gen_ai"]["cost_dollars"], 0.000_093);
    assert_eq!(line["weir.attempts"][0]["model"], "gpt-test");
    assert_eq!(line["weir.attempts"][0]["retried"], "fallback");

    let of = |more: &[(&'static str, &'static str)]| {
        let mut labels = vec![
            ("gen_ai_operation_name", "chat"),
            ("gen_ai_provider_name", "second"),
            ("gen_ai_request_model", "claude-test"),
            ("weir_provider", "second"),
            ("weir_model", "smart"),
            ("weir_route", "chat"),
            ("weir_team", "shop"),
        ];
        labels.extend(more);
        labels
    };
    let consumer = [
        ("weir_consumer", "assistant"),
        ("weir_team", "shop"),
        ("weir_model", "smart"),
    ];
    for (name, labels, value) in [
        (
            "gen_ai_client_operation_duration_seconds_count",
            of(&[("error_type", "")]),
            1.0,
        ),
        (
            "gen_ai_client_token_usage_sum",
            of(&[("gen_ai_token_type", "input")]),
            11.0,
        ),
        (
            "gen_ai_client_token_usage_sum",
            of(&[("gen_ai_token_type", "output")]),
            4.0,
        ),
        (
            "weir_llm_cost_dollars_total",
            of(&[("provenance", "provider")]),
            0.000_093,
        ),
        (
            "weir_llm_tokens_total",
            of(&[("gen_ai_token_type", "output"), ("provenance", "provider")]),
            4.0,
        ),
        (
            "weir_llm_consumer_cost_dollars_total",
            consumer.to_vec(),
            0.000_093,
        ),
        ("weir_llm_consumer_tokens_total", consumer.to_vec(), 15.0),
        (
            "weir_upstream_retries_total",
            vec![("weir_upstream", "provider/first"), ("reason", "fallback")],
            1.0,
        ),
        (
            "gen_ai_client_operation_duration_seconds_count",
            vec![
                ("gen_ai_request_model", "gpt-test"),
                ("weir_provider", "first"),
                ("error_type", "provider_rate_limited"),
            ],
            1.0,
        ),
    ] {
        let found = gateway.metric(name, &labels).await;
        assert!((found - value).abs() < 1e-12, "{name} {labels:?}: {found}");
    }
    for silent in ["time_to_first_chunk", "time_per_output_chunk"] {
        let name = format!("gen_ai_client_operation_{silent}_seconds_count");
        assert_eq!(
            gateway.metric(&name, &[]).await,
            0.0,
            "nothing was streamed"
        );
    }
}

#[tokio::test]
async fn a_streams_chunks_are_measured_and_a_price_nobody_knows_costs_nothing() {
    let collector = Collector::start().await;
    let pausing = Dialect::Openai.pauses(said(), Duration::from_millis(20));
    let first = Upstream::start(pausing).await;
    let setting = Setting {
        collector: &collector,
        ratio: "1.0",
        telemetry: "",
        route: "",
    };
    let gateway = gateway(first.addr(), first.addr(), &setting).await;
    let answer = ask(&gateway, "/v1/chat/completions", true).await;
    assert!(answer.text().contains("g'joob"), "{}", answer.text());
    let span = collector.wait_for(|span| span.kind == Kind::Client).await;
    has(
        &span,
        &[
            ("gen_ai.response.finish_reasons", json!(["stop"])),
            ("gen_ai.request.stream", json!(true)),
            ("gen_ai.response.id", json!("chatcmpl-1")),
            ("gen_ai.response.model", json!("model-1")),
            ("gen_ai.usage.output_tokens", json!(4)),
            ("weir.llm.cost_dollars", Value::Null),
        ],
    );
    let first_chunk = span.attribute("gen_ai.response.time_to_first_chunk");
    let first_chunk = first_chunk.as_f64().unwrap();
    let whole = Duration::from_nanos(span.end - span.start).as_secs_f64();
    assert!(
        first_chunk > 0.0 && first_chunk <= whole,
        "{first_chunk} of {whole}"
    );
    let labels = [("gen_ai_request_model", "gpt-test")];
    let metric = async |name: &str| {
        let name = format!("gen_ai_client_operation_{name}_seconds");
        let count = gateway.metric(&format!("{name}_count"), &labels).await;
        (count, gateway.metric(&format!("{name}_sum"), &labels).await)
    };
    let (count, sum) = metric("time_to_first_chunk").await;
    assert_eq!(count, 1.0);
    assert!((sum - first_chunk).abs() < 1e-6, "{sum} {first_chunk}");
    let (count, sum) = metric("time_per_output_chunk").await;
    // How many pieces it comes in is the network's to choose.
    assert!((1.0..=5.0).contains(&count), "{count}");
    assert!(
        first_chunk + sum <= whole,
        "{first_chunk} and {sum} of {whole}"
    );
    assert_eq!(
        gateway.metric("weir_llm_cost_dollars_total", &[]).await,
        0.0
    );
}
