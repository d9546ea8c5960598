//! Gemini's models on Vertex AI: called with tokens that a service account asks for, each used until
//! it is about to expire.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use serde_json::json;
use weir_tests::models::{Dialect, Said};
use weir_tests::upstream::{Step, When};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const JSON: &str = "Content-Type: application/json";

/// Gives tokens that last so long, in seconds: `token-1`, `token-2`, …
fn tokens(expires_in: u64) -> Behaviour {
    let given = Arc::new(AtomicUsize::new(0));
    Behaviour::new(When::Whole, move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
        let body = json!({ "access_token": format!("token-{number}"),
            "expires_in": expires_in, "token_type": "Bearer" });
        let body = body.to_string();
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\n{JSON}\r\nContent-Length: {length}\r\n\r\n{body}");
        vec![Step::Send(answer.into_bytes())]
    })
}

fn said(text: &str) -> Said {
    Said {
        pieces: vec![text.to_owned()],
        call: None,
        usage: (5, 2),
    }
}

/// A gateway whose model `smart` is answered by Vertex, and else by an OpenAI.
async fn gateway(vertex: &Upstream, tokens: &Upstream, other: &Upstream) -> Gateway {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let key = json!({
        "type": "service_account", "client_email": "weir@acme.iam.gserviceaccount.com",
        "private_key_id": "k1",
        "private_key": String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap(),
        "token_uri": tokens.url("/token"),
    });
    let (vertex, tokens, other) = (vertex.addr(), tokens.addr(), other.addr());
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
secrets: [{{ name: account, value: "${{ACCOUNT}}" }}]
providers:
  - name: vertex
    dialect: gemini
    base_url: "http://{vertex}"
    vertex: {{ project: acme, location: europe-west4, credentials: {{ kind: service_account, key: {{ secret: account }} }} }}
  - name: machine
    dialect: gemini
    base_url: "http://{vertex}"
    vertex: {{ project: acme, location: global, credentials: {{ kind: metadata, address: "http://{tokens}" }} }}
  - {{ name: other, dialect: openai, base_url: "http://{other}/v1" }}
models:
  - {{ name: smart, targets: [{{ provider: vertex, model: gemini-2.5-pro }}, {{ provider: other, model: llama }}] }}
  - {{ name: machine, targets: [{{ provider: machine, model: gemini-2.5-pro }}] }}
routes:
  - {{ name: models, matches: [{{ path: {{ prefix: / }} }}], llm: {{ models: [smart, machine] }} }}
"#
    );
    let builder = Gateway::builder(&yaml).env("ACCOUNT", &key.to_string());
    builder.start().await
}

async fn ask(gateway: &Gateway, model: &str) -> Response {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hm?" }] });
    let public = gateway.addr("public");
    let path = "/v1/chat/completions";
    wire::request(public, "POST", path, &[JSON], body.to_string()).await
}

async fn answers() -> (Upstream, Upstream) {
    (
        Upstream::start(Dialect::Gemini.says(said("Vertex."))).await,
        Upstream::start(Dialect::Openai.says(said("The other."))).await,
    )
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_until_it_is_about_to_expire() {
    let (vertex, other) = answers().await;
    let giver = Upstream::start(tokens(3600)).await;
    let gateway = gateway(&vertex, &giver, &other).await;
    let together = tokio::join!(
        ask(&gateway, "smart"),
        ask(&gateway, "smart"),
        ask(&gateway, "smart")
    );
    for answer in [together.0, together.1, together.2] {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("weir-provider"), Some("vertex"));
    }
    let asked = giver.requests();
    assert_eq!(asked.len(), 1, "one asks, the others wait for the same");
    assert_eq!(
        (asked[0].method.as_str(), &*asked[0].target),
        ("POST", "/token")
    );
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    assert!(asked[0].text().starts_with(grant), "{}", asked[0].text());
    assert_eq!(asked[0].header("authorization"), None);
    for call in vertex.requests() {
        assert_eq!(
            call.target,
            "/v1/projects/acme/locations/europe-west4/publishers/google/models/gemini-2.5-pro:generateContent"
        );
        assert_eq!(call.header("authorization"), Some("Bearer token-1"));
    }
}

#[tokio::test]
async fn a_token_that_does_not_last_is_asked_for_again() {
    let (vertex, other) = answers().await;
    let giver = Upstream::start(tokens(0)).await;
    let gateway = gateway(&vertex, &giver, &other).await;
    for number in 1..=2 {
        assert_eq!(ask(&gateway, "machine").await.status, 200);
        let call = vertex.requests().pop().unwrap();
        let expected = format!("Bearer token-{number}");
        assert_eq!(call.header("authorization"), Some(&*expected));
    }
    let asked = &giver.requests()[0];
    assert_eq!(asked.method, "GET");
    assert_eq!(
        asked.target,
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert_eq!(asked.header("metadata-flavor"), Some("Google"));
}

#[tokio::test]
async fn without_a_token_the_next_target_is_asked() {
    let (vertex, other) = answers().await;
    let giver = Upstream::start(tokens(3600)).await;
    let gateway = gateway(&vertex, &giver, &other).await;
    for failure in [
        Behaviour::answer(400, &[JSON], r#"{"error":"invalid_grant"}"#),
        Behaviour::answer(200, &[JSON], r#"{"token":"x"}"#),
        Behaviour::close_before_head(),
    ] {
        giver.set(failure);
        let answer = ask(&gateway, "smart").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("weir-provider"), Some("other"));
        let alone = ask(&gateway, "machine").await;
        assert_eq!(alone.status, 502, "{}", alone.text());
    }
    assert_eq!(vertex.requests().len(), 0);
}
