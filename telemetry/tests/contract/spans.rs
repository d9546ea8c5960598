//! The spans of a record form one tree under the caller's span.

use crate::sample::{self, PARENT, ms};
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use std::sync::Arc;
use weir_telemetry::content::Part;
use weir_telemetry::metrics::worker::{Kind, Outcome};
use weir_telemetry::record::Delivery;
use weir_telemetry::spans::{Reason, count, should_export, spans};
use weir_telemetry::{Code, Content, Record};

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|kv| kv.key.as_str() == key);
    found.map(|kv| kv.value.as_str().into_owned())
}

#[test]
fn attempts_and_records_hang_below_the_request_and_it_below_its_caller() {
    let record = sample::full();
    let made = spans(&record, Reason::Sampled, None);
    assert_eq!(made.len(), count(&record));
    let [server, refused, answered, producer] = made.as_slice() else {
        panic!("four spans, not {}", made.len());
    };
    assert_eq!(server.parent_span_id.to_string(), PARENT[36..52]);
    assert!(server.parent_span_is_remote);
    assert_eq!(server.span_kind, SpanKind::Server);
    assert_eq!(server.name, "POST /v1");
    for (span, id, kind) in [
        (refused, record.attempts[0].span_id, SpanKind::Client),
        (answered, record.attempts[1].span_id, SpanKind::Client),
        (
            producer,
            record.kafka.as_ref().expect("set").span_id,
            SpanKind::Producer,
        ),
    ] {
        assert_eq!(span.parent_span_id, server.span_context.span_id());
        assert!(!span.parent_span_is_remote);
        assert_eq!(span.span_context.span_id().to_bytes(), id);
        assert_eq!(span.span_kind, kind);
    }
    for span in &made {
        assert_eq!(span.span_context.trace_id().to_string(), PARENT[3..35]);
        assert!(span.span_context.is_sampled());
        assert_eq!(span.span_context.trace_state().get("vendor"), Some("1"));
    }
    assert_eq!(answered.start_time, sample::started_at() + ms(4));
    assert_eq!(answered.end_time, sample::started_at() + ms(24));
    assert_eq!(server.end_time, sample::started_at() + ms(30));
}

#[test]
fn a_call_is_named_after_its_method_on_both_sides() {
    let record = sample::called();
    let made = spans(&record, Reason::Failed, None);
    assert_eq!(made.len(), 2);
    for span in &made {
        assert_eq!(span.name, "shop.Orders/Get");
        for (key, value) in [
            ("rpc.system.name", "grpc"),
            ("rpc.method", "shop.Orders/Get"),
            ("rpc.response.status_code", "UNAVAILABLE"),
            ("error.type", "UNAVAILABLE"),
        ] {
            assert_eq!(attribute(span, key).as_deref(), Some(value), "{key}");
        }
        assert_eq!(span.status, Status::error("UNAVAILABLE"));
    }
    assert!(should_export(&record, false, ms(1_000)).is_some());
}

#[test]
fn attributes_follow_the_conventions() {
    let record = sample::full();
    let made = spans(&record, Reason::Sampled, None);
    for (span, key, value) in [
        (0, "http.request.method", "POST"),
        (0, "http.route", "/v1"),
        (0, "weir.route", "chat"),
        (0, "http.response.status_code", "200"),
        (0, "url.path", "/v1/chat/completions"),
        (0, "server.address", "shop.example.com"),
        (0, "server.port", "8080"),
        (0, "client.address", "192.0.2.7"),
        (0, "network.protocol.version", "2"),
        (0, "weir.team", "shop"),
        (0, "graphql.operation.type", "query"),
        (0, "graphql.operation.name", "Orders"),
        (0, "weir.graphql.operations", "1"),
        (0, "weir.graphql.cost", "12"),
        (1, "error.type", "connection_refused"),
        (1, "server.address", "10.0.0.1"),
        (1, "server.port", "443"),
        (2, "http.request.resend_count", "1"),
        (2, "gen_ai.operation.name", "chat"),
        (0, "weir.model", "smart"),
        (0, "weir.llm.cache", "semantic_hit"),
        (0, "weir.llm.cache.similarity", "0.97"),
        (1, "gen_ai.provider.name", "anthropic"),
        (1, "gen_ai.request.model", "claude-opus-4-6"),
        (1, "weir.provider", "claude"),
        (2, "weir.model", "smart"),
        (2, "weir.provider", "openai-eu"),
        (2, "weir.llm.fallback.count", "1"),
        (2, "weir.llm.fallback.from", "claude"),
        (2, "weir.llm.fallback.reason", "connection_refused"),
        (2, "gen_ai.request.model", "gpt-4o"),
        (2, "gen_ai.request.stream", "true"),
        (2, "gen_ai.request.choice.count", "2"),
        (2, "gen_ai.request.max_tokens", "256"),
        (2, "gen_ai.request.temperature", "0.5"),
        (2, "gen_ai.request.seed", "7"),
        (2, "gen_ai.request.stop_sequences", "[\"END\"]"),
        (2, "gen_ai.output.type", "json"),
        (2, "gen_ai.response.id", "chatcmpl-1"),
        (2, "gen_ai.response.model", "gpt-4o-2024-08-06"),
        (2, "gen_ai.response.finish_reasons", "[\"stop\",\"length\"]"),
        (2, "gen_ai.response.time_to_first_chunk", "0.005"),
        (2, "gen_ai.usage.cache_read.input_tokens", "10"),
        (2, "gen_ai.usage.cache_creation.input_tokens", "5"),
        (2, "gen_ai.usage.reasoning.output_tokens", "4"),
        (2, "weir.llm.cost_dollars", "0.0001575"),
        (2, "gen_ai.provider.name", "openai"),
        (2, "gen_ai.usage.input_tokens", "30"),
        (2, "gen_ai.usage.output_tokens", "12"),
        (0, "weir.websocket.subprotocol", "mqtt"),
        (0, "weir.websocket.messages.received", "2"),
        (0, "weir.websocket.messages.sent.size", "9"),
        (3, "messaging.system", "kafka"),
        (3, "messaging.destination.name", "usage"),
        (3, "messaging.kafka.offset", "1234"),
    ] {
        let got = attribute(&made[span], key);
        assert_eq!(got.as_deref(), Some(value), "{key} of span {span}");
    }
    // Tokens are summed over spans: they may stand on one only.
    let bearers = made
        .iter()
        .filter(|span| attribute(span, "gen_ai.usage.input_tokens").is_some());
    assert_eq!(bearers.count(), 1);
    let events: Vec<_> = made[0].events.iter().map(|event| &*event.name).collect();
    assert_eq!(events, ["websocket.open", "websocket.close"]);
    assert_eq!(made[1].name, "chat claude-opus-4-6");
    assert_eq!(made[2].name, "chat gpt-4o");
}

#[test]
fn what_was_said_stands_on_the_attempt_that_was_answered() {
    let mut content = Content::new(64);
    content.turn("user", [Part::Text("Why?".into())]);
    content.say(0, Part::Text("Because ".into()));
    content.say(0, Part::Text("of ".repeat(40)));
    let made = spans(&sample::full(), Reason::Sampled, Some(&content));
    let said = |key: &str| made.iter().map(|s| attribute(s, key)).collect::<Vec<_>>();
    let input = r#"[{"role":"user","parts":[{"type":"text","content":"Why?"}]}]"#;
    let input = Some(input.to_owned());
    assert_eq!(said("gen_ai.input.messages"), [None, None, input, None]);
    let output = said("gen_ai.output.messages")[2].clone();
    assert!(output.is_some_and(|json| json.contains("Because of of")));
    let cut = said("weir.llm.content.truncated")[2].clone();
    assert_eq!(cut.as_deref(), Some("true"));
    assert_eq!(said("gen_ai.system_instructions")[2], None);
}

#[test]
fn only_what_failed_for_others_is_an_error() {
    let status = |code| {
        let record = sample::failed(code);
        let span = spans(&record, Reason::Failed, None).swap_remove(0);
        assert_eq!(attribute(&span, "error.type").as_deref(), Some(code.slug()));
        span.status
    };
    assert_eq!(status(Code::RouteNotFound), Status::Unset);
    assert_eq!(
        status(Code::ConnectionRefused),
        Status::error("connection_refused")
    );
}

#[test]
fn failed_and_slow_requests_are_exported_whatever_the_ratio() {
    let slow_after = ms(1_000);
    let decide = |record: &Record| should_export(record, record.trace.sampled, slow_after);
    assert_eq!(decide(&sample::plain()), Some(Reason::Sampled));
    assert_eq!(decide(&sample::failed(Code::RouteNotFound)), None);
    assert_eq!(decide(&sample::failed(Code::ClientDisconnected)), None);
    let failed = sample::failed(Code::BreakerOpen);
    assert_eq!(decide(&failed), Some(Reason::Failed));

    let mut record = Arc::unwrap_or_clone(failed);
    record.status = 200;
    assert_eq!(decide(&record), Some(Reason::Failed), "too late for a 503");
    record.code = None;
    assert_eq!(decide(&record), None);
    record.aborted = true;
    assert_eq!(decide(&record), Some(Reason::Failed));
    record.aborted = false;
    record.duration = slow_after;
    assert_eq!(decide(&record), Some(Reason::Slow));
    record.long_lived = true;
    assert_eq!(decide(&record), None);
}

#[test]
fn a_record_that_is_sent_on_is_a_consumer_of_its_trace() {
    let mut record = sample::full();
    record.kafka = None;
    record.code = None;
    record.status = 503;
    record.delivery = Some(Box::new(Delivery {
        kind: Kind::Webhook,
        name: "partner".into(),
        cluster: "events".into(),
        group: "weir-partner".into(),
        topic: "orders".into(),
        partition: 2,
        offset: 7,
        bytes: 64,
        tries: 1,
        outcome: Some(Outcome::Failed),
    }));
    let made = spans(&record, Reason::Sampled, None);
    let consumer = &made[0];
    assert_eq!(consumer.span_kind, SpanKind::Consumer);
    assert_eq!(consumer.name, "process orders");
    assert_eq!(consumer.parent_span_id.to_string(), PARENT[36..52]);
    for (key, value) in [
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "orders"),
        ("messaging.destination.partition.id", "2"),
        ("messaging.consumer.group.name", "weir-partner"),
        ("weir.delivery.outcome", "failed"),
        ("error.type", "503"),
    ] {
        assert_eq!(attribute(consumer, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(made[1].parent_span_id, consumer.span_context.span_id());
}
