//! Callers who leave: what becomes of the provider's work, and what they are charged, by what the
//! route says in `on_disconnect`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use weir_telemetry::Code;
use weir_tests::metered::{self, PROMPT, Speaker, WORD, ask, quota, stream};
use weir_tests::openai::{Provider, Reply};
use weir_tests::upstream::Step;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream};

const ROUTE: &str = "llm: { models: [smart, quick] }";

/// A gateway whose one quota of tokens has this limit and these members.
async fn gateway(provider: &Provider, on_disconnect: &str, limit: &str, more: &str) -> Gateway {
    let tokens = quota("tokens", "tokens", limit, more);
    let route = format!("llm: {{ models: [smart, quick], on_disconnect: {on_disconnect} }}");
    let config = metered::config(provider, &tokens, "tokens");
    assert!(config.contains(ROUTE), "{config}");
    Gateway::start(&config.replace(ROUTE, &route)).await
}

async fn call(public: SocketAddr, body: &str) -> Connection {
    let mut caller = Connection::open(public).await;
    let head = [
        "Authorization: Bearer ann",
        "Content-Type: application/json",
    ];
    let path = "/v1/chat/completions";
    let message = wire::message(public, "POST", path, &head, body.as_bytes());
    caller.send(message).await.unwrap();
    caller
}

/// Reads until the caller was sent so many words; several may come together.
async fn read_words(caller: &mut Connection, count: usize) {
    let word = format!("\"content\":\"{WORD}\"");
    let mut seen = String::new();
    while seen.matches(&word).count() < count {
        seen += &caller.read_until("\n\n").await;
    }
}

/// The record of the one call, and what the quota says of it.
async fn ended(gateway: &Gateway) -> (Value, Value) {
    let line = gateway
        .wait_for_log(|line| line["weir.action"] == "llm")
        .await;
    assert_eq!(
        line["error.type"],
        Code::ClientDisconnected.slug(),
        "{line}"
    );
    let used = line["weir.quotas"][0].clone();
    (line, used)
}

#[tokio::test]
async fn a_stream_that_is_cancelled_costs_the_tokens_that_were_said() {
    let provider = Speaker::new(3).stalling().start().await;
    let gateway = gateway(&provider, "cancel", "100000", "").await;
    let mut caller = call(gateway.addr("public"), &stream("")).await;
    read_words(&mut caller, 3).await;
    caller.reset();
    provider.upstream().wait_for_close().await;
    let (line, used) = ended(&gateway).await;
    assert_eq!(used["used"], PROMPT + 3, "{line}");
    assert_eq!(used["provenance"], "counted", "{line}");
}

#[tokio::test]
async fn a_whole_answer_that_is_cancelled_costs_what_was_reserved() {
    let provider = Provider::start(Reply::Hang).await;
    let gateway = gateway(&provider, "cancel", "100000", "").await;
    let caller = call(gateway.addr("public"), &ask(r#","max_tokens":40"#)).await;
    provider.upstream().wait_for_requests(1).await;
    caller.reset();
    provider.upstream().wait_for_close().await;
    let (line, used) = ended(&gateway).await;
    assert_eq!(line["http.response.status_code"], 499, "{line}");
    assert_eq!(used["used"], used["reserved"], "{line}");
    assert!(used["used"].as_u64().unwrap() >= PROMPT + 40, "{line}");
    assert_eq!(used["provenance"], "estimated", "{line}");
}

#[tokio::test]
async fn a_stream_that_is_drained_costs_what_the_provider_says() {
    let provider = Speaker::new(40)
        .pause(Duration::from_millis(10))
        .start()
        .await;
    let gateway = gateway(&provider, "drain", "100000", "").await;
    let mut caller = call(gateway.addr("public"), &stream("")).await;
    caller.read_until("word").await;
    caller.reset();
    let (line, used) = ended(&gateway).await;
    assert_eq!(used["used"], PROMPT + 40, "{line}");
    assert_eq!(used["provenance"], "provider", "{line}");
    assert_eq!(line["weir.aborted"], true, "{line}");
    assert_eq!(line["gen_ai"]["finish_reason"], "stop", "{line}");
    assert!(line["weir.attempts"][0]["error"].is_null(), "{line}");
}

#[tokio::test]
async fn a_whole_answer_that_is_drained_costs_what_the_provider_says() {
    let thinks = Behaviour::steps([
        Step::Pause(Duration::from_millis(500)),
        Step::Send(completion(PROMPT, 7)),
    ]);
    let provider = Provider::start(Reply::Raw(thinks)).await;
    let gateway = gateway(&provider, "drain", "100000", "").await;
    let caller = call(gateway.addr("public"), &ask("")).await;
    provider.upstream().wait_for_requests(1).await;
    caller.reset();
    let (line, used) = ended(&gateway).await;
    assert_eq!(line["http.response.status_code"], 499, "{line}");
    assert_eq!(
        (&used["used"], &used["provenance"]),
        (&json!(PROMPT + 7), &json!("provider"))
    );
    assert_eq!(line["http.response.body.size"], 0, "{line}");
}

#[tokio::test]
async fn a_caller_who_resets_an_http2_stream_has_left_too() {
    for (on_disconnect, provenance) in [("cancel", "counted"), ("drain", "provider")] {
        let speaker = Speaker::new(40).pause(Duration::from_millis(10));
        let provider = speaker.start().await;
        let gateway = gateway(&provider, on_disconnect, "100000", "").await;
        let tcp = TcpStream::connect(gateway.addr("public")).await.unwrap();
        let (client, connection) = h2::client::handshake(tcp).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post("http://weir.example.com/v1/chat/completions")
            .header("authorization", "Bearer ann")
            .header("content-type", "application/json");
        let mut client = client.ready().await.unwrap();
        let (answer, mut body) = client
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        body.send_data(stream("").into(), true).unwrap();
        let mut words = answer.await.unwrap().into_body();
        words.data().await.unwrap().unwrap();
        body.send_reset(h2::Reason::CANCEL);
        let (line, used) = ended(&gateway).await;
        assert_eq!(used["provenance"], provenance, "{on_disconnect}: {line}");
        let spoken = used["used"].as_u64().unwrap() - PROMPT;
        assert_eq!(spoken == 40, on_disconnect == "drain", "{line}");
        // It was one stream of many: the connection is as good as before.
        client.ready().await.unwrap();
    }
}

fn completion(prompt: u64, completion: u64) -> Vec<u8> {
    let body = json!({ "id": "c", "choices": [{ "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "Well." } }],
        "usage": { "prompt_tokens": prompt, "completion_tokens": completion,
                   "total_tokens": prompt + completion } })
    .to_string();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[tokio::test]
async fn what_is_drained_ends_where_its_quota_does() {
    let provider = Speaker::new(100_000)
        .heedless()
        .pause(Duration::from_millis(1));
    let provider = provider.start().await;
    let gateway = gateway(&provider, "drain", "200", ", on_exhausted: cut").await;
    let mut caller = call(gateway.addr("public"), &stream("")).await;
    caller.read_until("word").await;
    caller.reset();
    provider.upstream().wait_for_close().await;
    let (line, used) = ended(&gateway).await;
    // The event that went beyond it had been made when it was read.
    assert_eq!(used["used"], 200 + 1, "{line}");
    assert_eq!(line["gen_ai"]["finish_reason"], "length", "{line}");
}

#[tokio::test]
async fn what_is_drained_ends_by_the_providers_deadlines_and_with_the_gateway() {
    let provider = Speaker::new(3).stalling().start().await;
    let tokens = quota("tokens", "tokens", "100000", "");
    let config = metered::config(&provider, &tokens, "tokens")
        .replace(ROUTE, "llm: { models: [smart], on_disconnect: drain }")
        .replace("server: {", "server: { drain_timeout: 500ms,");
    let late = config.replace("/v1\" }", "/v1\", timeouts: { stream_idle: 500ms } }");
    assert_ne!(config, late);
    // A process that ends does not stop to count: a prompt and words of so many bytes.
    let bytes = (stream("").len() + 3 * WORD.len()) as u64;
    for (config, stops) in [(late, false), (config, true)] {
        let gateway = Gateway::start(&config).await;
        let mut caller = call(gateway.addr("public"), &stream("")).await;
        caller.read_until("word").await;
        caller.reset();
        if stops {
            gateway.stop().await;
        }
        let (line, used) = ended(&gateway).await;
        let (code, charged, provenance) = match stops {
            true => (Code::Draining, bytes, "estimated"),
            false => (Code::ResponseStalled, PROMPT + 3, "counted"),
        };
        assert_eq!(used["used"], charged, "{line}");
        assert_eq!(used["provenance"], provenance, "{line}");
        assert_eq!(line["weir.attempts"][0]["error"], code.slug(), "{line}");
    }
}

#[tokio::test]
async fn nobody_else_is_asked_for_a_caller_who_left() {
    let fails = Behaviour::steps([
        Step::Pause(Duration::from_millis(500)),
        Step::Send(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ]);
    let first = Provider::start(Reply::Raw(fails)).await;
    let second = Upstream::start(Behaviour::hang()).await;
    let tokens = quota("tokens", "tokens", "100000", "");
    let other = format!(
        "providers: [{{ name: other, dialect: openai, base_url: \"{}\" }}, ",
        second.url("/v1")
    );
    let config = metered::config(&first, &tokens, "tokens")
        .replace(ROUTE, "llm: { models: [smart], on_disconnect: drain }")
        .replace("providers: [", &other)
        .replace(
            "targets: [{ provider: mock, model: word-1 }]",
            "targets: [{ provider: mock, model: word-1 }, { provider: other, model: word-1 }]",
        );
    let gateway = Gateway::start(&config).await;
    let caller = call(gateway.addr("public"), &ask("")).await;
    first.upstream().wait_for_requests(1).await;
    caller.reset();
    let (line, used) = ended(&gateway).await;
    assert_eq!(used["used"], 0, "{line}");
    assert!(second.requests().is_empty());
}
