//! What was said: nowhere, unless platform and route both ask for it, and then on sampled spans.

use serde_json::{Value, json};
use weir_tests::models::Dialect;
use weir_tests::otlp::{Collector, Span};
use weir_tests::{Behaviour, Gateway, Upstream};

use super::{ANSWER, INSTRUCTION, JSON, PROMPT, Setting, ask, gateway, has, said};

/// Everything an operator can read, but for spans.
async fn readable(gateway: &Gateway) -> String {
    let mut all = gateway.metrics().await;
    for line in gateway.access_log() {
        all.push_str(&line.to_string());
        let id = line["request_id"].as_str().unwrap();
        let kept = gateway.admin(&format!("/requests/{id}")).await;
        assert_eq!(kept.status, 200, "it is among the slowest");
        all.push_str(&kept.text());
    }
    all.push_str(&gateway.admin("/requests").await.text());
    all
}

fn secrets() -> [&'static str; 4] {
    [PROMPT, INSTRUCTION, ANSWER, "g'joob"]
}

#[tokio::test]
async fn nothing_that_was_said_is_anywhere_unless_both_ask_for_it() {
    for (telemetry, route) in [("", ""), ("llm_content: { max_bytes: 8KiB }", "")] {
        let collector = Collector::start().await;
        let first = Upstream::start(Dialect::Openai.says(said())).await;
        let second = Upstream::start(Dialect::Anthropic.breaks_off(said(), 4)).await;
        let setting = Setting {
            collector: &collector,
            ratio: "1.0",
            telemetry,
            route,
        };
        let gateway = gateway(first.addr(), second.addr(), &setting).await;
        for stream in [false, true] {
            for path in ["/v1/chat/completions", "/plain/v1/chat/completions"] {
                assert_eq!(ask(&gateway, path, stream).await.status, 200);
            }
        }
        // One that breaks amid its answer, so that it is recorded as failed.
        first.set(Behaviour::answer(500, &[JSON], "{}"));
        assert!(
            ask(&gateway, "/v1/chat/completions", true)
                .await
                .broken
                .is_some()
        );
        for line in gateway.wait_for_logs(5, |_| true).await {
            let spans = line["weir.attempts"].as_array().unwrap().len() + 1;
            let trace = line["trace_id"].as_str().unwrap();
            collector.wait_for_trace(trace, spans).await;
        }
        let all = readable(&gateway).await + &format!("{:?}", collector.spans());
        for secret in secrets() {
            assert!(!all.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn what_was_said_is_on_sampled_spans_where_both_ask_and_nowhere_else() {
    let collector = Collector::start().await;
    let first = Upstream::start(Dialect::Openai.says(said())).await;
    let second = Upstream::start(Dialect::Anthropic.says(said())).await;
    let setting = Setting {
        collector: &collector,
        ratio: "1.0",
        telemetry: "llm_content: {}",
        route: ", record_content: true",
    };
    let gateway = gateway(first.addr(), second.addr(), &setting).await;
    let mut calls = 0;
    for translated in [false, true] {
        if translated {
            first.set(Behaviour::answer(500, &[JSON], "{}"));
        }
        for stream in [false, true] {
            for path in ["/v1/chat/completions", "/plain/v1/chat/completions"] {
                assert_eq!(ask(&gateway, path, stream).await.status, 200);
                calls += 1;
            }
        }
    }
    let answered = |span: &Span| span.attributes.contains_key("gen_ai.output.messages");
    for line in gateway.wait_for_logs(calls, |_| true).await {
        let attempts = line["weir.attempts"].as_array().unwrap().len();
        let trace = line["trace_id"].as_str().unwrap();
        let spans = collector.wait_for_trace(trace, attempts + 1).await;
        let bearers: Vec<&Span> = spans.iter().filter(|span| answered(span)).collect();
        let [bearer] = bearers[..] else {
            panic!("one span bears it: {spans:?}");
        };
        let json = |key: &str| -> Value {
            serde_json::from_str(bearer.attribute(key).as_str().unwrap()).unwrap()
        };
        assert_eq!(
            json("gen_ai.system_instructions"),
            json!([{ "type": "text", "content": INSTRUCTION }])
        );
        assert_eq!(
            json("gen_ai.input.messages"),
            json!([{ "role": "user", "parts": [{ "type": "text", "content": PROMPT }] }])
        );
        assert_eq!(
            json("gen_ai.output.messages"),
            json!([{ "role": "assistant", "finish_reason": "stop",
                     "parts": [{ "type": "text", "content": ANSWER }] }])
        );
        has(bearer, &[("weir.llm.content.truncated", Value::Null)]);
    }
    let all = readable(&gateway).await;
    for secret in secrets() {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_cut_and_what_is_not_sampled_is_not_shown() {
    for (ratio, shown) in [("1.0", true), ("0.0", false)] {
        let collector = Collector::start().await;
        let second = Upstream::start(Dialect::Anthropic.breaks_off(said(), 5)).await;
        let first = Upstream::start(Behaviour::answer(500, &[JSON], "{}")).await;
        let setting = Setting {
            collector: &collector,
            ratio,
            telemetry: "llm_content: { max_bytes: 64 }",
            route: ", record_content: true",
        };
        let gateway = gateway(first.addr(), second.addr(), &setting).await;
        assert!(
            ask(&gateway, "/v1/chat/completions", true)
                .await
                .broken
                .is_some()
        );
        // It failed, so that its spans are exported whatever the ratio is.
        let span = collector
            .wait_for(|span| span.name == "chat claude-test")
            .await;
        assert_eq!(
            span.attribute("weir.llm.content.truncated") == &json!(true),
            shown
        );
        let all = format!("{:?}", collector.spans());
        assert!(!all.contains(PROMPT), "it is cut or not there: {all}");
        assert_eq!(all.contains("Goo goo "), shown, "{all}");
    }
}

#[tokio::test]
async fn what_is_sampled_is_served_as_what_is_not() {
    let word = r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"Goo"}}]}"#;
    let stream = format!("{word}\n\ndata: {{\"odd\n\n{word}\n\ndata: [DONE]\n\n");
    for ratio in ["0.0", "1.0"] {
        let collector = Collector::start().await;
        let head = ["Content-Type: text/event-stream"];
        let first = Upstream::start(Behaviour::answer(200, &head, stream.clone())).await;
        let setting = Setting {
            collector: &collector,
            ratio,
            telemetry: "llm_content: {}",
            route: ", record_content: true",
        };
        let gateway = gateway(first.addr(), first.addr(), &setting).await;
        let answer = ask(&gateway, "/plain/v1/chat/completions", true).await;
        assert_eq!(answer.broken, None);
        assert_eq!(answer.text(), stream, "{ratio}");
    }
}
