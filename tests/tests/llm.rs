//! `llm` end to end, answered in one document: what goes to the provider, what comes back, and
//! every way a call is refused. Streams are in `llm_stream.rs`, quotas in `quota.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::openai::{Provider, Reply};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, wait};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const PROVIDER_KEY: &str = "sk-the-provider-alone-may-see-this";
const JSON: &str = "Content-Type: application/json";

async fn gateway(provider: &Provider) -> Gateway {
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
secrets: [{{ name: provider-key, value: "${{PROVIDER_KEY}}" }}]
stores: [{{ name: ledger, kind: memory }}]
teams: [{{ name: shop, organisation: acme }}]
providers: [{{ name: mock, dialect: openai, base_url: "{}", api_key: {{ secret: provider-key }} }}]
models:
  - {{ name: smart, targets: [{{ provider: mock, model: gpt-test }}] }}
  - {{ name: "quick", targets: [{{ provider: mock, model: "quick" }}] }}
consumers:
  - name: assistant
    team: shop
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }}, by: [team] }}
routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [smart, quick] }}
"#,
        provider.base_url()
    );
    Gateway::builder(&yaml)
        .env("PROVIDER_KEY", PROVIDER_KEY)
        .start()
        .await
}

async fn answering(reply: Reply) -> (Provider, Gateway, SocketAddr) {
    let provider = Provider::start(reply).await;
    let gateway = gateway(&provider).await;
    let public = gateway.addr("public");
    (provider, gateway, public)
}

async fn post(public: SocketAddr, body: impl AsRef<[u8]>) -> Response {
    wire::request(public, "POST", "/v1/chat/completions", &[KEY, JSON], body).await
}

fn ask() -> String {
    json!({ "model": "smart", "messages": [{ "role": "user", "content": "Hello" }] }).to_string()
}

/// The answer is `code` in OpenAI's shape; gives its error object.
fn refused(response: &Response, code: Code) -> Value {
    assert_eq!(response.status, code.status(), "{}", response.text());
    assert_eq!(response.header("weir-error"), Some(code.slug()));
    let proxy_status = response.header("proxy-status").unwrap();
    assert!(proxy_status.starts_with("weir; error="), "{proxy_status}");
    assert!(
        proxy_status.contains(&format!("details=\"{code}\"")),
        "{proxy_status}"
    );
    assert_eq!(response.header("content-type"), Some("application/json"));
    let error = response.json()["error"].clone();
    assert_eq!(error["code"], code.slug());
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert!(error["type"].is_string());
    assert!(error.as_object().unwrap().contains_key("param"));
    error
}

#[tokio::test]
async fn a_call_reaches_the_provider_with_its_key_and_all_else_untouched() {
    let (provider, gateway, public) = answering(Reply::completion(&["Hi"], 7, 2)).await;
    let body = "{ \"x-unknown\" : [1.50, 1e3, \"\\u00e9\"],\n \"model\":\"smart\" , \
                \"messages\":[{\"role\":\"user\",\"content\":\"\\u2028 <b>\",\"odd\":{}}],\
                \"max_tokens\" : 50, \"temperature\":0.70}";
    let headers = [
        KEY,
        JSON,
        "Cookie: session=abc",
        "X-Trace: kept",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "TE: trailers, deflate",
        "X-Forwarded-For: 6.6.6.6",
        "Weir-Team: forged",
    ];
    let answer = wire::request(public, "POST", "/v1/chat/completions", &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "Hi");
    assert_eq!(answer.json()["usage"]["total_tokens"], 9);

    let sent = &provider.requests()[0];
    assert_eq!(sent.text(), body.replace("\"smart\"", "\"gpt-test\""));
    assert_eq!(sent.target, "/v1/chat/completions");
    assert_eq!(
        sent.header("authorization"),
        Some(&*format!("Bearer {PROVIDER_KEY}"))
    );
    for gone in ["cookie", "connection", "x-hop", "te"] {
        assert_eq!(sent.header(gone), None, "{gone}");
    }
    let length = sent.text().len().to_string();
    assert_eq!(sent.header("content-length"), Some(&*length));
    assert_eq!(sent.header("host"), Some(&*provider.addr().to_string()));
    assert_eq!(sent.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(sent.header("x-request-id"), answer.header("x-request-id"));
    assert_eq!(sent.header("x-trace"), Some("kept"));
    assert_eq!(sent.header("weir-team"), Some("shop"));
    assert_eq!(sent.header("weir-consumer"), Some("assistant"));
    assert_eq!(sent.header("accept-encoding"), Some("identity"));

    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    let traceparent = sent.header("traceparent").unwrap();
    assert!(traceparent.contains(line["trace_id"].as_str().unwrap()));
    assert_eq!(line["gen_ai"]["request.model"], "smart");
    assert_eq!(line["gen_ai"]["response.model"], "gpt-test");
    assert_eq!(line["gen_ai"]["usage.input_tokens"], 7);
    assert_eq!(line["gen_ai"]["usage.output_tokens"], 2);
    assert_eq!(line["gen_ai"]["provenance"], "provider");
    assert_eq!(line["gen_ai"]["finish_reason"], "stop");
    let quota = &line["weir.quotas"][0];
    assert_eq!(
        (&quota["quota"], &quota["used"]),
        (&json!("tokens"), &json!(9))
    );
    for (kind, tokens) in [("input", 7.0), ("output", 2.0)] {
        let labels = [
            ("gen_ai_token_type", kind),
            ("provenance", "provider"),
            ("weir_team", "shop"),
        ];
        let counted = |value: f64| (value - tokens).abs() < f64::EPSILON;
        gateway
            .wait_for_metric("weir_llm_tokens_total", &labels, counted)
            .await;
    }
    never_printed(&gateway).await;
}

/// The provider's key is in nothing an operator reads.
async fn never_printed(gateway: &Gateway) {
    let shown = [
        gateway.log().join("\n"),
        gateway.access_log().iter().map(Value::to_string).collect(),
        gateway.metrics().await,
        gateway.admin("/config").await.text(),
        gateway.admin("/requests").await.text(),
    ];
    for text in shown {
        assert!(!text.contains(PROVIDER_KEY), "{text}");
    }
}

#[tokio::test]
async fn a_name_the_provider_knows_too_leaves_the_body_as_it_came() {
    let (provider, _gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let body = r#"{"max_tokens":5,"messages":[{"role":"user","content":"x"}],"model":"quick"}"#;
    assert_eq!(post(public, body).await.status, 200);
    assert_eq!(provider.requests()[0].text(), body);
}

#[tokio::test]
async fn what_a_silent_provider_used_is_counted() {
    let reply = Reply::completion(&["twelve bytes"], 0, 0).without_usage();
    let (_provider, gateway, public) = answering(reply).await;
    assert_eq!(post(public, ask()).await.status, 200);
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["gen_ai"]["provenance"], "counted");
    assert_eq!(line["gen_ai"]["usage.input_tokens"], 8);
    // "twelve bytes"
    assert_eq!(line["gen_ai"]["usage.output_tokens"], 3);
    assert_eq!(line["weir.quotas"][0]["used"], 8 + 3);
    assert_eq!(line["weir.quotas"][0]["provenance"], "counted");
}

#[tokio::test]
async fn a_model_nobody_offers_is_named_in_the_error() {
    let (provider, _gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let body = r#"{"model":"gpt-9","messages":[{"role":"user","content":"x"}]}"#;
    let error = refused(&post(public, body).await, Code::ModelNotFound);
    assert_eq!(error["param"], "model");
    assert_eq!(error["type"], "invalid_request_error");
    assert!(error["message"].as_str().unwrap().contains("gpt-9"));
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_broken_body_is_refused_with_the_place_of_the_fault() {
    let (provider, _gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let messages = r#""messages":[{"role":"user","content":"x"}]"#;
    let cases: [(Vec<u8>, Option<&str>); 9] = [
        (b"{\"model\":".to_vec(), None),
        (b"".to_vec(), None),
        (b"[]".to_vec(), None),
        (
            [b"{\"model\":\"smart\xff\",", messages.as_bytes(), b"}"].concat(),
            None,
        ),
        (
            format!(r#"{{"model":"smart","model":"quick",{messages}}}"#).into(),
            Some("model"),
        ),
        (format!(r#"{{"model":7,{messages}}}"#).into(), Some("model")),
        (
            format!(r#"{{"model":"smart","stream":"yes",{messages}}}"#).into(),
            Some("stream"),
        ),
        (
            format!(r#"{{"model":"smart","max_tokens":-1,{messages}}}"#).into(),
            Some("max_tokens"),
        ),
        (
            br#"{"model":"smart","messages":[{"role":"user","content":7}]}"#.to_vec(),
            Some("messages[0].content"),
        ),
    ];
    for (body, param) in cases {
        let response = post(public, &body).await;
        let error = refused(&response, Code::RequestBodyInvalid);
        assert_eq!(
            error["param"].as_str(),
            param,
            "{}",
            String::from_utf8_lossy(&body)
        );
        assert_eq!(error["type"], "invalid_request_error");
    }
    assert!(
        provider.requests().is_empty(),
        "nothing broken reaches a provider"
    );
}

#[tokio::test]
async fn a_providers_failure_is_named_and_costs_no_tokens() {
    let (provider, gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let failures = [
        (Reply::rate_limited(17), Code::ProviderRateLimited),
        (Reply::error(503), Code::ProviderOverloaded),
        (Reply::error(529), Code::ProviderOverloaded),
        (Reply::error(401), Code::ProviderCredentialRejected),
        (Reply::error(403), Code::ProviderCredentialRejected),
        (Reply::error(500), Code::ProviderError),
        (Reply::error(502), Code::ProviderError),
        (redirect(), Code::ProviderResponseInvalid),
    ];
    for (reply, code) in failures {
        provider.set(reply);
        let response = post(public, ask()).await;
        refused(&response, code);
        let expected = (code == Code::ProviderRateLimited).then_some("17");
        assert_eq!(response.header("retry-after"), expected);
        assert_eq!(response.header("location"), None);
        let id = response.header("x-request-id").unwrap().to_owned();
        let line = gateway.wait_for_log(|line| line["request_id"] == *id).await;
        assert_eq!(line["error.type"], code.slug());
        assert_eq!(line["weir.quotas"][0]["used"], 0, "{line}");
        let labels = [("error_type", code.slug())];
        gateway
            .wait_for_metric("weir_errors_total", &labels, |count| count >= 1.0)
            .await;
    }
    never_printed(&gateway).await;
}

fn redirect() -> Reply {
    Reply::Raw(Behaviour::answer(
        307,
        &["Location: http://elsewhere.example/"],
        "",
    ))
}

#[tokio::test]
async fn an_answer_that_is_no_completion_is_refused() {
    let (provider, _gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let strange = [
        Behaviour::answer(200, &["Content-Type: text/html"], "<h1>Welcome</h1>"),
        Behaviour::answer(200, &[JSON, "Content-Encoding: gzip"], [31, 139, 8]),
        Behaviour::answer(
            200,
            &["Content-Type: text/event-stream"],
            "data: [DONE]\n\n",
        ),
    ];
    for behaviour in strange {
        provider.set(Reply::Raw(behaviour));
        refused(&post(public, ask()).await, Code::ProviderResponseInvalid);
    }
    // One that does not say what it is, is believed.
    provider.set(Reply::Raw(Behaviour::answer(200, &[], r#"{"choices":[]}"#)));
    assert_eq!(post(public, ask()).await.text(), r#"{"choices":[]}"#);
}

#[tokio::test]
async fn what_a_provider_says_of_the_request_passes_as_it_is() {
    let (provider, gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    for status in [400, 404, 413, 422] {
        provider.set(Reply::Error {
            status,
            retry_after: None,
            code: "context_length_exceeded".to_owned(),
        });
        let response = post(public, ask()).await;
        assert_eq!(response.status, status);
        assert_eq!(response.header("weir-error"), None);
        assert_eq!(response.json()["error"]["code"], "context_length_exceeded");
        let line = gateway
            .wait_for_log(|line| line["http.response.status_code"] == status)
            .await;
        assert_eq!(line["weir.quotas"][0]["used"], 0, "{line}");
    }
}

#[tokio::test]
async fn models_are_listed_in_the_order_written() {
    let (provider, _gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let answer = wire::request(public, "GET", "/v1/models", &[KEY], "").await;
    assert_eq!(answer.status, 200);
    let list = answer.json();
    assert_eq!(list["object"], "list");
    let names: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].clone())
        .collect();
    assert_eq!(names, ["smart", "quick"]);
    assert!(
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|m| m["object"] == "model")
    );
    let head = wire::exchange(
        public,
        wire::message(public, "HEAD", "/v1/models", &[KEY], b""),
    )
    .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_openais_dialect() {
    let (_provider, _gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let request =
        |method: &'static str, path: &'static str| wire::request(public, method, path, &[KEY], "");
    refused(&request("POST", "/v1/images").await, Code::RouteNotFound);
    let wrong = request("GET", "/v1/chat/completions").await;
    refused(&wrong, Code::MethodNotAllowed);
    assert_eq!(wrong.header("allow"), Some("POST"));
    let wrong = request("DELETE", "/v1/models").await;
    refused(&wrong, Code::MethodNotAllowed);
    assert_eq!(wrong.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn a_policys_refusal_is_in_openais_dialect_too() {
    let (provider, _gateway, public) = answering(Reply::completion(&["Hi"], 1, 1)).await;
    let missing = wire::request(public, "POST", "/v1/chat/completions", &[JSON], ask()).await;
    let error = refused(&missing, Code::CredentialMissing);
    assert_eq!(error["type"], "authentication_error");
    let wrong = ["Authorization: Bearer wrong", JSON];
    let invalid = wire::request(public, "POST", "/v1/chat/completions", &wrong, ask()).await;
    refused(&invalid, Code::CredentialInvalid);
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_provider_that_hangs_is_left_when_the_caller_leaves() {
    let (provider, gateway, public) = answering(Reply::Hang).await;
    let mut caller = wire::Connection::open(public).await;
    let message = wire::message(
        public,
        "POST",
        "/v1/chat/completions",
        &[KEY, JSON],
        ask().as_bytes(),
    );
    caller.send(message).await.unwrap();
    provider.upstream().wait_for_requests(1).await;
    caller.reset();
    provider.upstream().wait_for_close().await;
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["error.type"], Code::ClientDisconnected.slug());
    // It was sent, and nobody said what it cost.
    assert_eq!(
        line["weir.quotas"][0]["used"], line["weir.quotas"][0]["reserved"],
        "{line}"
    );
    wait::until_true("no connection", || {
        provider.upstream().open_connections() == 0
    })
    .await;
}

#[tokio::test]
async fn a_document_that_breaks_off_is_none() {
    let (_provider, gateway, public) = answering(Reply::Raw(Behaviour::short_chunks())).await;
    let answer = post(public, ask()).await;
    assert_eq!(
        (answer.status, answer.header("weir-error")),
        (502, Some(Code::HttpResponseIncomplete.slug()))
    );
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["error.type"], Code::HttpResponseIncomplete.slug());
    // Nobody said what it cost, so it counts in full.
    let quota = &line["weir.quotas"][0];
    assert_eq!(quota["used"], quota["reserved"], "{line}");
}
