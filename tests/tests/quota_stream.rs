//! Streams under quotas: reserved anew as they flow, and ended where no more is to be had, in their
//! own dialect and to the token.

use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::metered::{
    PROMPT, Speaker, Streamed, WORD, ask, charged, gateway, post, quota, stream, total,
};
use weir_tests::openai::{Provider, Reply};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, wait};

const SLOW: Duration = Duration::from_millis(3);

async fn metric(gateway: &Gateway, name: &str, labels: &[(&str, &str)]) -> f64 {
    gateway.metric(name, labels).await
}

async fn debt(gateway: &Gateway) -> f64 {
    let labels = [("quota", "tokens"), ("state", "debt")];
    metric(gateway, "weir_quota_units_total", &labels).await
}

#[tokio::test]
async fn a_stream_is_cut_at_the_last_token_there_is_room_for() {
    // There was more room than anybody needs to be told of, and it need not come to a word too many.
    let provider = Speaker::new(4_992).stalling().start().await;
    let quotas = quota("tokens", "tokens", "5000", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let answer = post(
        gateway.addr("public"),
        "ann",
        stream(r#","stream_options":{"include_usage":true}"#),
    )
    .await;
    assert_eq!(answer.broken, None, "it ends as a whole one does");
    let read = Streamed::read(&answer);
    assert_eq!(read.words(), 4_992);
    assert!(read.done);
    let [end] = read.ends()[..] else {
        panic!("one choice ends once: {read:?}");
    };
    assert_eq!(
        *end,
        json!({
            "id": "chatcmpl-7",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": "word-1",
            "choices": [{ "index": 0, "delta": {}, "finish_reason": "length" }],
            "weir": { "code": "quota_exhausted", "quota": "tokens" },
        })
    );
    let usage = &read.events.last().unwrap()["usage"];
    assert_eq!(
        *usage,
        json!({ "prompt_tokens": PROMPT, "completion_tokens": 4_992, "total_tokens": 5_000 })
    );
    provider.upstream().wait_for_close().await;

    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["gen_ai"]["finish_reason"], "length");
    assert_eq!(line["gen_ai"]["provenance"], "counted");
    assert_eq!(line["gen_ai"]["usage.output_tokens"], 4_992);
    assert!(line["error.type"].is_null(), "{line}");
    let [charged] = &line["weir.quotas"].as_array().unwrap()[..] else {
        panic!("one quota: {line}");
    };
    assert_eq!(
        (&charged["reserved"], &charged["used"]),
        (&json!(5_000), &json!(5_000))
    );
    let labels = [("quota", "tokens"), ("decision", "cut")];
    let cuts = metric(&gateway, "weir_quota_decisions_total", &labels).await;
    assert!((cuts - 1.0).abs() < f64::EPSILON, "{cuts}");
    assert!(debt(&gateway).await.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_model_that_keeps_to_what_fits_ends_the_stream_itself() {
    let speaker = Speaker::new(100_000);
    let provider = speaker.start().await;
    let quotas = quota("tokens", "tokens", "108", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let answer = post(gateway.addr("public"), "ann", stream("")).await;
    let read = Streamed::read(&answer);
    assert_eq!((read.words(), read.done), (100, true));
    assert_eq!(provider.requests()[0].json()["max_tokens"], 100);
    let [end] = read.ends()[..] else {
        panic!("one choice ends once: {read:?}");
    };
    assert!(
        end["weir"].is_null(),
        "the model said it, not the gateway: {end}"
    );
    let charged = charged(&gateway, 1).await;
    assert_eq!(charged[0][0]["used"], 108);
    assert_eq!(charged[0][0]["provenance"], "provider");
}

#[tokio::test]
async fn every_choice_that_has_not_ended_is_ended() {
    let provider = Speaker::new(1_000).heedless().start().await;
    let quotas = quota("tokens", "tokens", "308", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let answer = post(gateway.addr("public"), "ann", stream(r#","n":3"#)).await;
    let read = Streamed::read(&answer);
    assert_eq!(read.words(), 300, "of all choices together");
    let ended: Vec<_> = read
        .ends()
        .iter()
        .map(|end| end["choices"][0]["index"].clone())
        .collect();
    assert_eq!(ended, [json!(0), json!(1), json!(2)]);
    assert!(read.done);
    assert!(charged(&gateway, 1).await[0][0]["used"].as_u64() > Some(308));
}

#[tokio::test]
async fn what_a_heedless_model_said_too_much_is_owed_and_not_passed_on() {
    let provider = Speaker::new(1_000).heedless().per_event(7).start().await;
    for (on_exhausted, more) in [
        ("cut", ""),
        ("refuse", r#","max_tokens":100"#),
        ("refuse", ""),
    ] {
        let policy = format!(", on_exhausted: {on_exhausted}");
        let quotas = quota("tokens", "tokens", "108", &policy);
        let gateway = gateway(&provider, &quotas, "tokens").await;
        let public = gateway.addr("public");
        let read = Streamed::read(&post(public, "ann", stream(more)).await);
        assert_eq!(
            (read.words(), read.done),
            (98, true),
            "whole events, as many as fit"
        );
        assert_eq!(read.ends()[0]["weir"]["quota"], "tokens");
        let charged = charged(&gateway, 1).await;
        assert_eq!(charged[0][0]["reserved"], 108);
        let used = charged[0][0]["used"].as_u64().unwrap();
        assert!(
            used >= PROMPT + 105,
            "the event that did not fit was said: {used}"
        );
        let owed = debt(&gateway).await;
        assert!(
            (owed - (used - 108) as f64).abs() < f64::EPSILON,
            "{owed} of {used}"
        );
    }
}

#[tokio::test]
async fn a_stream_nobody_limits_outgrows_what_was_reserved_for_it() {
    let speaker = Speaker::new(1_500);
    let provider = speaker.start().await;
    let quotas = quota("tokens", "tokens", "20000", "");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let read = Streamed::read(&post(gateway.addr("public"), "ann", stream("")).await);
    assert_eq!((read.words(), read.done), (1_500, true));
    assert_eq!(provider.requests()[0].json()["max_tokens"], 4096);
    let charged = charged(&gateway, 1).await;
    let reserved = charged[0][0]["reserved"].as_u64().unwrap();
    assert!(
        (1_508..4_096).contains(&reserved),
        "as it flowed: {reserved}"
    );
    assert_eq!(charged[0][0]["used"], 1_508);
    assert!(debt(&gateway).await.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_stream_that_may_finish_does_and_owes_what_it_used_beyond() {
    let provider = Speaker::new(400).start().await;
    let quotas = quota("tokens", "tokens", "100", ", on_exhausted: finish");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let public = gateway.addr("public");
    let read = Streamed::read(&post(public, "ann", stream("")).await);
    assert_eq!((read.words(), read.done), (400, true));
    assert!(provider.requests()[0].json()["max_tokens"].is_null());
    let charged = charged(&gateway, 1).await;
    let reserved = charged[0][0]["reserved"].as_u64().unwrap();
    assert!((90..=100).contains(&reserved), "all there was: {charged:?}");
    assert_eq!(charged[0][0]["used"], 408);
    let owed = debt(&gateway).await;
    assert!(
        (owed - (408 - reserved) as f64).abs() < f64::EPSILON,
        "{owed}"
    );
    assert_eq!(post(public, "ann", stream("")).await.status, 429);
}

#[tokio::test]
async fn a_silent_models_stream_is_counted() {
    let provider = Speaker::new(50).silent().start().await;
    let quotas = quota("tokens", "tokens", "5000", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let public = gateway.addr("public");
    let read = Streamed::read(&post(public, "ann", stream("")).await);
    assert_eq!(read.words(), 50);
    let charged = charged(&gateway, 1).await;
    assert_eq!(charged[0][0]["used"], PROMPT + 50);
    assert_eq!(charged[0][0]["provenance"], "counted");
}

/// A model that streams these events and then ends.
async fn saying(events: &[Value]) -> Provider {
    let mut text: String = events.iter().map(|e| format!("data: {e}\n\n")).collect();
    text.push_str("data: [DONE]\n\n");
    let sse = ["Content-Type: text/event-stream"];
    Provider::start(Reply::Raw(Behaviour::answer(200, &sse, text))).await
}

fn delta(delta: &Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta }] })
}

fn ending(usage: Option<u64>) -> Value {
    let mut end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    if let Some(tokens) = usage {
        end["usage"] = json!({ "prompt_tokens": PROMPT, "completion_tokens": tokens });
    }
    end
}

#[tokio::test]
async fn thoughts_and_calls_of_tools_are_output_too() {
    let words = WORD.repeat(10);
    let call = json!([{ "index": 0, "function": { "name": "find", "arguments": words } }]);
    let events = [
        delta(&json!({ "reasoning_content": words })),
        delta(&json!({ "content": words })),
        delta(&json!({ "tool_calls": call })),
        ending(None),
    ];
    let provider = saying(&events).await;
    let quotas = quota("tokens", "tokens", "5000", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let answer = post(gateway.addr("public"), "ann", stream("")).await;
    assert_eq!(answer.status, 200);
    let charged = charged(&gateway, 1).await;
    assert_eq!(
        charged[0][0]["used"],
        PROMPT + 10 + 10 + 1 + 10,
        "and its name"
    );
}

#[tokio::test]
async fn hidden_thoughts_that_were_allowed_are_no_debt() {
    let provider = saying(&[delta(&json!({ "content": WORD })), ending(Some(2_000))]).await;
    let quotas = quota("tokens", "tokens", "20000", "");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let answer = post(gateway.addr("public"), "ann", stream("")).await;
    assert_eq!(answer.status, 200);
    let charged = charged(&gateway, 1).await;
    assert_eq!(charged[0][0]["used"], PROMPT + 2_000);
    assert_eq!(charged[0][0]["provenance"], "provider");
    assert!(debt(&gateway).await.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_model_that_reports_as_it_goes_is_believed_and_cut() {
    let report = |tokens: u64| {
        let mut event = delta(&json!({ "content": WORD.repeat(10) }));
        event["usage"] = json!({ "prompt_tokens": PROMPT, "completion_tokens": tokens });
        event
    };
    let events: Vec<Value> = (1..=100).map(|turn| report(turn * 10)).collect();
    let provider = saying(&events).await;
    let quotas = quota("tokens", "tokens", "108", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let read = Streamed::read(&post(gateway.addr("public"), "ann", stream("")).await);
    assert_eq!((read.words(), read.done), (100, true));
    assert_eq!(read.ends()[0]["weir"]["quota"], "tokens");
    let charged = charged(&gateway, 1).await;
    assert_eq!(charged[0][0]["reserved"], 108);
    assert_eq!(charged[0][0]["provenance"], "provider");
}

#[tokio::test]
async fn a_caller_who_leaves_pays_no_more_than_came() {
    let provider = Speaker::new(100_000).pause(SLOW).start().await;
    let quotas = quota("tokens", "tokens", "5000", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let public = gateway.addr("public");
    let mut caller = Connection::open(public).await;
    let body = stream("");
    let headers = [
        "Authorization: Bearer ann",
        "Content-Type: application/json",
    ];
    let message = wire::message(
        public,
        "POST",
        "/v1/chat/completions",
        &headers,
        body.as_bytes(),
    );
    caller.send(message).await.unwrap();
    caller.read_until(WORD).await;
    caller.reset();
    provider.upstream().wait_for_close().await;
    let charged = charged(&gateway, 1).await;
    let (used, reserved) = (
        total(&charged, "tokens", "used"),
        total(&charged, "tokens", "reserved"),
    );
    assert!(used > PROMPT && used <= reserved, "{charged:?}");
    // What was not used is free again.
    let free = || async {
        let answer = post(public, "ann", ask(r#","max_tokens":4000"#)).await;
        (answer.status == 200).then_some(())
    };
    wait::until("room for another", free).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_share_a_quota_use_what_is_there_and_no_more() {
    const LIMIT: u64 = 3_000;
    for on_exhausted in ["refuse", "cut"] {
        let speaker = Speaker::new(700).pause(Duration::from_millis(1));
        let provider = speaker.start().await;
        let more = format!(", on_exhausted: {on_exhausted}");
        let quotas = quota("tokens", "tokens", &LIMIT.to_string(), &more);
        let gateway = gateway(&provider, &quotas, "tokens").await;
        let public = gateway.addr("public");
        // The callers' own limits are reserved whole under `refuse`, and cannot be exceeded.
        let body = stream(r#","max_tokens":500"#);
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let body = body.clone();
                tokio::spawn(async move { post(public, "ann", body).await })
            })
            .collect();
        let (mut words, mut accepted) = (0, 0);
        for call in calls {
            let answer = call.await.unwrap();
            if answer.status == 200 {
                let read = Streamed::read(&answer);
                assert!(read.done && answer.broken.is_none(), "{read:?}");
                words += read.words();
                accepted += 1;
            }
        }
        let charged = charged(&gateway, accepted).await;
        let used = total(&charged, "tokens", "used");
        let owed = debt(&gateway).await;
        assert!(words > LIMIT / 2, "{on_exhausted}: {words}");
        assert!(
            used as f64 <= LIMIT as f64 + owed,
            "{on_exhausted}: {used}, {owed} owed"
        );
        if on_exhausted == "refuse" {
            assert!(owed.abs() < f64::EPSILON, "{owed}");
            let said = speaker.said() + accepted as u64 * PROMPT;
            assert!(said <= LIMIT, "{said}");
        }
    }
}
