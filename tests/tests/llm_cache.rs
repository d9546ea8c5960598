//! Answers that are kept: given again to whom they belong, as a document or as a stream, for as long
//! as they last; and what is never kept.

use serde_json::{Value, json};
use weir_tests::metered::{self, PROMPT, Speaker, Streamed, ask, quota, stream};
use weir_tests::openai::{Provider, Reply};
use weir_tests::wire::{self, Connection, Response};
use weir_tests::{Behaviour, Gateway, wait};

const ROUTE: &str = "llm: { models: [smart, quick] }";
const JSON: &str = "Content-Type: application/json";
const KEPT: &str = "weir_llm_cache_kept_total";
const LOOKUPS: &str = "weir_llm_cache_lookups_total";

/// A configuration whose route keeps answers like this, under these quotas.
fn config(provider: &Provider, cache: &str, quotas: &str, attached: &str) -> String {
    let config = metered::config(provider, quotas, attached);
    assert!(config.contains(ROUTE), "{config}");
    let route = format!("llm: {{ models: [smart, quick], cache: {{ {cache} }} }}");
    config.replace(ROUTE, &route)
}

/// A gateway with that cache, and room for many tokens.
async fn gateway(provider: &Provider, cache: &str) -> Gateway {
    let tokens = quota("tokens", "tokens", "1000000", "");
    Gateway::start(&config(provider, cache, &tokens, "tokens")).await
}

async fn post(gateway: &Gateway, consumer: &str, body: impl AsRef<[u8]>) -> Response {
    metered::post(gateway.addr("public"), consumer, body).await
}

/// Asks with more header fields.
async fn post_with(gateway: &Gateway, field: &str, body: &str) -> Response {
    let public = gateway.addr("public");
    let fields = ["Authorization: Bearer ann", JSON, field];
    wire::request(public, "POST", "/v1/chat/completions", &fields, body).await
}

/// What the answer says of where it is from.
fn cache(answer: &Response) -> Option<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("weir-cache")
}

/// Asks what is not kept yet, and waits until it is: the `count`th.
async fn keep(gateway: &Gateway, body: &str, count: u32) -> Response {
    let answer = post(gateway, "ann", body).await;
    assert_eq!(cache(&answer), Some("miss"));
    gateway
        .wait_for_metric(KEPT, &[], |n| n >= count.into())
        .await;
    answer
}

#[tokio::test]
async fn the_same_call_is_answered_from_what_was_kept_and_costs_nothing() {
    let provider = Speaker::new(3).start().await;
    let gateway = gateway(&provider, "ttl: 1h").await;
    let first = keep(&gateway, &ask(r#","temperature":1,"seed":7"#), 1).await;
    // The same, otherwise written, and for the caller's own books.
    let again = r#"{ "seed": 7, "user": "u-1", "metadata": { "a": "b" }, "temperature": 10e-1,
        "messages": [ { "content": "Hell\u006f", "role": "user" } ], "model": "smart" }"#;
    let hit = post(&gateway, "ann", again).await;
    assert_eq!(cache(&hit), Some("hit"));
    assert_eq!(hit.text(), first.text());
    assert!(hit.header("age").unwrap().parse::<u64>().is_ok());
    for field in ["weir-provider", "weir-model", "content-type"] {
        assert_eq!(hit.header(field), first.header(field), "{field}");
    }
    assert_eq!(first.header("age"), None);
    assert_eq!(provider.requests().len(), 1);

    let charged = metered::charged(&gateway, 2).await;
    assert_eq!(charged[0][0]["used"], PROMPT + 3);
    assert_eq!(charged[1][0]["reserved"], 0);
    assert_eq!(charged[1][0]["used"], 0);
    assert_eq!(charged[1][0]["provenance"], "counted");
    let line = gateway
        .wait_for_log(|line| line["gen_ai"]["cache"] == "hit")
        .await;
    let told = &line["gen_ai"];
    assert_eq!(told["provenance"], "cached", "{line}");
    assert_eq!(told["usage.input_tokens"], 0, "{line}");
    assert_eq!(told["cost_dollars"], 0.0, "{line}");
    assert_eq!(told["weir.provider"], "mock", "{line}");
    assert!(
        line["weir.attempts"].as_array().is_none_or(Vec::is_empty),
        "{line}"
    );
    for (result, count) in [("hit", 1.0), ("miss", 1.0), ("bypass", 0.0)] {
        let labels = [("weir_route", "chat"), ("result", result)];
        assert_eq!(gateway.metric(LOOKUPS, &labels).await, count, "{result}");
    }
    let tokens = [("weir_consumer", "ann"), ("gen_ai_token_type", "output")];
    let spent = gateway
        .metric("weir_llm_consumer_tokens_total", &tokens)
        .await;
    assert_eq!(spent, 3.0, "nothing was spent on what had been kept");
}

#[tokio::test]
async fn whatever_changes_the_answer_is_another_call() {
    let provider = Speaker::new(1).start().await;
    let gateway = gateway(&provider, "ttl: 1h").await;
    keep(&gateway, &ask(""), 1).await;
    let others = [
        ask(r#","temperature":0"#),
        ask(r#","max_tokens":5"#),
        ask(r#","n":2"#),
        ask(r#","stop":["x"]"#),
        ask(r#","tools":[{"type":"function","function":{"name":"f"}}]"#),
        ask("").replace("Hello", "hello"),
        ask("").replace("smart", "quick"),
        ask("").replace("}]", r#"},{"role":"user","content":"Hello"}]"#),
        ask("").replace("\"content\"", "\"name\":\"n\",\"content\""),
    ];
    for body in &others {
        let answer = post(&gateway, "ann", body).await;
        assert_eq!(cache(&answer), Some("miss"), "{body}");
    }
    assert_eq!(provider.requests().len(), 1 + others.len());
}

#[tokio::test]
async fn a_stream_is_given_as_a_document_and_a_document_as_a_stream() {
    let provider = Speaker::new(3).start().await;
    let gateway = gateway(&provider, "ttl: 1h").await;
    let with_usage = stream(r#","stream_options":{"include_usage":true}"#);
    let whole = keep(&gateway, &ask(""), 1).await;
    let streamed = Streamed::read(&post(&gateway, "ann", &with_usage).await);
    assert!(streamed.done);
    assert_eq!((streamed.words(), streamed.ends().len()), (3, 1));
    let told = streamed.events.last().unwrap();
    assert_eq!(told["usage"]["completion_tokens"], 3, "{told}");
    assert_eq!(streamed.events[0]["id"], whole.json()["id"]);
    let silent = Streamed::read(&post(&gateway, "ann", stream("")).await);
    assert!(silent.done && silent.events.iter().all(|event| event["usage"].is_null()));
    assert_eq!(provider.requests().len(), 1);

    // Another call, first streamed by one who does not ask for usage.
    let more = r#","seed":1"#;
    let first = keep(&gateway, &stream(more), 2).await;
    let again = post(&gateway, "ann", stream(more)).await;
    assert_eq!(cache(&again), Some("hit"));
    assert_eq!(again.header("content-type"), Some("text/event-stream"));
    assert_eq!(again.text(), first.text());
    let with_usage = stream(r#","seed":1,"stream_options":{"include_usage":true}"#);
    let told = Streamed::read(&post(&gateway, "ann", &with_usage).await);
    assert_eq!(
        told.events.last().unwrap()["usage"]["prompt_tokens"],
        PROMPT
    );
    let document = post(&gateway, "ann", ask(more)).await;
    assert_eq!(cache(&document), Some("hit"));
    let said = &document.json()["choices"][0];
    assert_eq!(said["message"]["content"], " word word word");
    assert_eq!(said["finish_reason"], "stop");
    assert_eq!(document.json()["usage"]["completion_tokens"], 3);
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn what_only_its_dialect_has_words_for_is_given_as_it_came_or_not_at_all() {
    let provider = Speaker::new(1).start().await;
    let gateway = gateway(&provider, "ttl: 1h").await;
    let more = r#","logprobs":true"#;
    keep(&gateway, &ask(more), 1).await;
    assert_eq!(cache(&post(&gateway, "ann", ask(more)).await), Some("hit"));
    assert_eq!(
        cache(&post(&gateway, "ann", stream(more)).await),
        Some("miss")
    );
    gateway.wait_for_metric(KEPT, &[], |n| n >= 2.0).await;
    assert_eq!(
        cache(&post(&gateway, "ann", stream(more)).await),
        Some("hit")
    );
    // Two readers could take two values.
    let twice = ask(r#","x":{"a":1,"a":2}"#);
    for _ in 0..2 {
        assert_eq!(cache(&post(&gateway, "ann", &twice).await), None);
    }
}

#[tokio::test]
async fn answers_are_given_to_whom_the_scope_says() {
    for (scope, expected) in [
        ("consumer", ["hit", "miss", "miss"]),
        ("team", ["hit", "hit", "miss"]),
        ("shared", ["hit", "hit", "hit"]),
    ] {
        let provider = Speaker::new(1).start().await;
        let gateway = gateway(&provider, &format!("ttl: 1h, scope: {scope}")).await;
        keep(&gateway, &ask(""), 1).await;
        for (consumer, expected) in ["ann", "bob", "cyd"].into_iter().zip(expected) {
            let answer = post(&gateway, consumer, ask("")).await;
            assert_eq!(cache(&answer), Some(expected), "{scope} {consumer}");
        }
    }
}

#[tokio::test]
async fn an_answer_lasts_for_its_time() {
    let provider = Speaker::new(1).start().await;
    let gateway = gateway(&provider, "ttl: 1s").await;
    keep(&gateway, &ask(""), 1).await;
    wait::until("the answer to be forgotten", || async {
        let answer = post(&gateway, "ann", ask("")).await;
        (cache(&answer) == Some("miss")).then_some(())
    })
    .await;
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn what_was_not_asked_for_longest_makes_room() {
    let provider = Speaker::new(7_000).start().await;
    let size = "ttl: 1h, max_entry: 60KiB, store: { kind: memory, max_size: 1MiB }";
    let gateway = gateway(&provider, size).await;
    let nth = |n: usize| ask(&format!(r#","seed":{n},"max_tokens":7000"#));
    // Each of the sixteen parts holds one of these.
    for n in 0..17 {
        assert_eq!(cache(&post(&gateway, "ann", nth(n)).await), Some("miss"));
    }
    gateway.wait_for_metric(KEPT, &[], |n| n >= 17.0).await;
    let evicted = gateway.metric("weir_llm_cache_evictions_total", &[]).await;
    assert!(evicted >= 1.0);
    assert_eq!(cache(&post(&gateway, "ann", nth(16)).await), Some("hit"));
}

#[tokio::test]
async fn what_is_larger_than_that_is_passed_on_and_not_kept() {
    let provider = Speaker::new(300).start().await;
    let gateway = gateway(&provider, "ttl: 1h, max_entry: 1KiB").await;
    let calls = [ask(""), ask(""), stream(""), stream("")];
    for body in &calls {
        let answer = post(&gateway, "ann", body).await;
        assert_eq!(cache(&answer), Some("miss"));
        assert_eq!(answer.text().matches(" word").count(), 300);
    }
    gateway
        .wait_for_logs(4, |line| line["weir.action"] == "llm")
        .await;
    assert_eq!(gateway.metric(KEPT, &[]).await, 0.0);
}

/// Asks this twice of a provider that answers so, and expects that nothing is kept.
async fn forgotten(reply: Reply, body: &str, why: &str) {
    let provider = Provider::start(reply).await;
    let gateway = gateway(&provider, "ttl: 1h").await;
    for _ in 0..2 {
        let public = gateway.addr("public");
        let answer = metered::post(public, "ann", body).await;
        assert_ne!(answer.header("weir-cache"), Some("hit"), "{why}");
    }
    gateway
        .wait_for_logs(2, |line| line["weir.action"] == "llm")
        .await;
    assert_eq!(gateway.metric(KEPT, &[]).await, 0.0, "{why}");
    assert_eq!(provider.requests().len(), 2, "{why}");
}

/// A completion that ended for this reason.
fn ended(reason: &Value) -> Reply {
    let body = json!({
        "id": "c-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": reason,
            "message": { "role": "assistant", "content": "Well" } }],
        "usage": { "prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9 },
    });
    Reply::Raw(Behaviour::answer(200, &[JSON], body.to_string()))
}

#[tokio::test]
async fn what_is_no_whole_answer_is_not_kept() {
    let refusal = || {
        Reply::Raw(Behaviour::answer(
            400,
            &[JSON],
            r#"{"error":{"message":"no"}}"#,
        ))
    };
    forgotten(refusal(), &ask(""), "a refusal").await;
    forgotten(ended(&Value::Null), &ask(""), "no end").await;
    forgotten(ended(&json!("content_filter")), &ask(""), "held back").await;
    let stream_of = |reply: Reply, why: &'static str| async move {
        forgotten(reply, &stream(""), why).await;
    };
    let cut = Reply::completion(&["It ", "holds."], 8, 2).cut_after(2);
    stream_of(cut, "a stream that broke").await;
    let unended =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Well\"}}]}\n\ndata: [DONE]\n\n";
    let sse = ["Content-Type: text/event-stream"];
    let unended = Reply::Raw(Behaviour::answer(200, &sse, unended));
    stream_of(unended, "a stream without a reason to end").await;
}

#[tokio::test]
async fn an_answer_as_long_as_its_caller_wanted_is_kept_and_one_that_a_quota_shortened_is_not() {
    let provider = Speaker::new(100).start().await;
    let tokens = quota("tokens", "tokens", "60", ", on_exhausted: cut");
    let yaml = config(&provider, "ttl: 1h", &tokens, "tokens");
    let gateway = Gateway::start(&yaml).await;
    let short = keep(&gateway, &ask(r#","max_tokens":3"#), 1).await;
    assert_eq!(short.json()["choices"][0]["finish_reason"], "length");
    for body in [ask(""), stream("")] {
        let shortened = post(&gateway, "bob", body).await;
        if shortened.status == 200 {
            assert_eq!(shortened.header("weir-cache"), Some("miss"));
            assert!(
                shortened.text().contains("\"length\""),
                "{}",
                shortened.text()
            );
        }
    }
    gateway
        .wait_for_logs(3, |line| line["weir.action"] == "llm")
        .await;
    assert_eq!(gateway.metric(KEPT, &[]).await, 1.0);
}

#[tokio::test]
async fn who_has_no_tokens_left_is_given_what_was_kept_and_requests_count() {
    let provider = Speaker::new(3).start().await;
    let first = PROMPT + 3;
    let quotas = [
        quota("tokens", "tokens", &first.to_string(), ""),
        quota("requests", "requests", "4", ""),
    ];
    let yaml = config(&provider, "ttl: 1h", &quotas.concat(), "tokens, requests");
    let gateway = Gateway::start(&yaml).await;
    let body = ask(r#","max_tokens":3"#);
    keep(&gateway, &body, 1).await;
    let other = post(&gateway, "ann", ask(r#","max_tokens":1"#)).await;
    assert_eq!(other.header("weir-error"), Some("quota_exhausted"));
    for n in 0..3 {
        assert_eq!(
            cache(&post(&gateway, "ann", &body).await),
            Some("hit"),
            "{n}"
        );
    }
    let refused = post(&gateway, "ann", &body).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "quota_exhausted");
    assert_eq!(refused.header("weir-cache"), None);
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_caller_may_want_a_new_answer_or_that_none_is_kept() {
    let provider = Provider::sequence([
        Reply::completion(&["one"], 8, 1),
        Reply::completion(&["two"], 8, 1),
        Reply::completion(&["three"], 8, 1),
    ])
    .await;
    let gateway = gateway(&provider, "ttl: 1h").await;
    let said = |answer: &Response| answer.json()["choices"][0]["message"]["content"].clone();
    keep(&gateway, &ask(""), 1).await;
    let not_kept = post_with(&gateway, "Cache-Control: no-store", &ask("")).await;
    assert_eq!((cache(&not_kept), said(&not_kept)), (None, json!("two")));
    let hit = post(&gateway, "ann", ask("")).await;
    assert_eq!((cache(&hit), said(&hit)), (Some("hit"), json!("one")));
    let anew = post_with(&gateway, "Cache-Control: no-cache", &ask("")).await;
    assert_eq!((cache(&anew), said(&anew)), (Some("miss"), json!("three")));
    gateway.wait_for_metric(KEPT, &[], |n| n >= 2.0).await;
    assert_eq!(said(&post(&gateway, "ann", ask("")).await), json!("three"));
    let bypass = gateway.metric(LOOKUPS, &[("result", "bypass")]).await;
    assert_eq!(bypass, 1.0);
}

#[tokio::test]
async fn what_was_kept_outlives_reloads_unless_it_would_be_another_answer() {
    let provider = Speaker::new(1).start().await;
    let tokens = quota("tokens", "tokens", "1000000", "");
    let yaml = config(&provider, "ttl: 1h", &tokens, "tokens");
    let gateway = Gateway::start(&yaml).await;
    keep(&gateway, &ask(""), 1).await;
    let elsewhere = yaml.replace("limit: { default: 1000000 }", "limit: { default: 1000001 }");
    assert_eq!(gateway.reload(&elsewhere).await, "ok");
    assert_eq!(cache(&post(&gateway, "ann", ask("")).await), Some("hit"));
    // Another model answers by that name.
    let other = elsewhere.replace(
        "name: smart, targets: [{ provider: mock, model: word-1 }]",
        "name: smart, targets: [{ provider: mock, model: word-2 }]",
    );
    assert_ne!(other, elsewhere);
    assert_eq!(gateway.reload(&other).await, "ok");
    assert_eq!(cache(&post(&gateway, "ann", ask("")).await), Some("miss"));
    assert_eq!(gateway.reload(&yaml).await, "ok");
    assert_eq!(cache(&post(&gateway, "ann", ask("")).await), Some("hit"));
    assert_eq!(
        gateway.reload(&yaml.replace("ttl: 1h", "ttl: 2h")).await,
        "ok"
    );
    assert_eq!(cache(&post(&gateway, "ann", ask("")).await), Some("miss"));
}

#[tokio::test]
async fn where_answers_are_guarded_none_is_kept() {
    let provider = Speaker::new(1).start().await;
    let tokens = quota("tokens", "tokens", "1000000", "");
    let yaml = config(&provider, "ttl: 1h", &tokens, "tokens");
    let guard = "{ kind: prompt_guard, answer: { deny: [{ name: code, pattern: heron }] } }";
    let guarded = yaml.replace(
        "{ kind: key_auth }",
        &format!("{{ kind: key_auth }}, {guard}"),
    );
    let gateway = Gateway::start(&guarded).await;
    for _ in 0..2 {
        assert_eq!(cache(&post(&gateway, "ann", ask("")).await), None);
    }
    assert_eq!(provider.requests().len(), 2);
    let bypass = gateway.metric(LOOKUPS, &[("result", "bypass")]).await;
    assert_eq!(bypass, 2.0);

    // A policy that looks at prompts alone is asked of every call, and what it leaves is the call.
    let masks = "{ kind: pii, direction: request, action: { kind: mask } }";
    let masked = yaml.replace(
        "{ kind: key_auth }",
        &format!("{{ kind: key_auth }}, {masks}"),
    );
    assert_eq!(gateway.reload(&masked).await, "ok");
    let about = |name: &str| ask("").replace("Hello", &format!("Write to {name}@example.com"));
    keep(&gateway, &about("ann"), 1).await;
    assert_eq!(
        cache(&post(&gateway, "ann", about("bob")).await),
        Some("hit")
    );
}

#[tokio::test]
async fn an_answer_whose_caller_left_is_kept_if_it_was_read_to_its_end() {
    for (on_disconnect, kept) in [("cancel", 0.0), ("drain", 1.0)] {
        let provider = Speaker::new(40)
            .pause(std::time::Duration::from_millis(5))
            .start()
            .await;
        let tokens = quota("tokens", "tokens", "1000000", "");
        let cache =
            format!("ttl: 1h }}, on_disconnect: {on_disconnect}, keep_alive: {{ kind: none");
        let gateway = Gateway::start(&config(&provider, &cache, &tokens, "tokens")).await;
        let public = gateway.addr("public");
        let mut caller = Connection::open(public).await;
        let head = ["Authorization: Bearer ann", JSON];
        let path = "/v1/chat/completions";
        let message = wire::message(public, "POST", path, &head, stream("").as_bytes());
        caller.send(message).await.unwrap();
        caller.read_until("word").await;
        caller.reset();
        gateway
            .wait_for_log(|line| line["weir.action"] == "llm")
            .await;
        assert_eq!(gateway.metric(KEPT, &[]).await, kept, "{on_disconnect}");
    }
}

#[tokio::test]
async fn vectors_are_kept_too() {
    let vectors = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.0]}],"model":"e-1","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    let reply = Reply::Raw(Behaviour::answer(200, &[JSON], vectors));
    let provider = Provider::start(reply).await;
    let gateway = gateway(&provider, "ttl: 1h").await;
    let embed = |input: Value| {
        let public = gateway.addr("public");
        let body = json!({ "model": "smart", "input": input }).to_string();
        let fields = ["Authorization: Bearer ann", JSON];
        async move { wire::request(public, "POST", "/v1/embeddings", &fields, body).await }
    };
    assert_eq!(cache(&embed(json!("It holds.")).await), Some("miss"));
    gateway.wait_for_metric(KEPT, &[], |n| n >= 1.0).await;
    let hit = embed(json!("It holds.")).await;
    assert_eq!(cache(&hit), Some("hit"));
    assert_eq!(hit.text(), vectors);
    // Two texts and one vector are no answer that is given again.
    for _ in 0..2 {
        assert_eq!(cache(&embed(json!(["one", "two"])).await), Some("miss"));
    }
    let charged = metered::charged(&gateway, 4).await;
    let used: Vec<_> = charged.iter().map(|each| each[0]["used"].clone()).collect();
    assert_eq!(used, [4, 0, 4, 4]);
}
