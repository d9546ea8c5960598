//! `publish` with a schema, without a broker: what does not fit is refused before one is asked, and
//! a registry is asked no oftener than it has to be. What is written is in `real_schema.rs`.

use std::net::SocketAddr;

use futures_util::future::join_all;
use serde_json::json;
use weir_telemetry::Code;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const ORDER: &str = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}"#;

/// A gateway whose registry is at `registry`, and whose broker is nowhere: what fits its schema is
/// `kafka_unavailable`.
async fn gateway(registry: SocketAddr, refresh: &str) -> Gateway {
    let nobody = Upstream::refusing();
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
secrets: [{{ name: pass, value: word }}]
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["{}"], delivery_timeout: 1s }}
schema_registries:
  - name: main
    url: "http://{registry}/base"
    auth: {{ kind: basic, username: me, password: {{ secret: pass }} }}
    timeout: 2s
    refresh: {refresh}
routes:
  - name: by-topic
    matches: [{{ path: {{ template: "/events/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", schema: {{ kind: registry, registry: main }} }}
  - name: by-subject
    matches: [{{ path: {{ exact: /third }} }}]
    publish: {{ cluster: events, topic: t, schema: {{ kind: registry, registry: main, subject: "a b/c", version: 3 }} }}
"#,
        nobody.addr()
    ))
    .await
}

fn answer(schema: &str) -> Behaviour {
    let body = json!({ "subject": "orders-value", "version": 1, "id": 7, "schema": schema });
    let media = "Content-Type: application/vnd.schemaregistry.v1+json";
    Behaviour::answer(200, &[media], body.to_string())
}

async fn post(gateway: &Gateway, path: &str, body: &str) -> Response {
    wire::request(gateway.addr("public"), "POST", path, &[], body.as_bytes()).await
}

fn code(response: &Response) -> &str {
    response.header("weir-error").unwrap_or("none")
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_a_broker_is_asked() {
    let registry = Upstream::start(answer(ORDER)).await;
    let gateway = gateway(registry.addr(), "1m").await;
    let refused = post(&gateway, "/events/orders", r#"{"id": "secret"}"#).await;
    assert_eq!(
        (refused.status, code(&refused)),
        (422, Code::KafkaRecordInvalid.slug())
    );
    let said = refused.json();
    assert_eq!(
        said["detail"],
        "The record does not fit its schema: /id is to be a whole number of 64 bits."
    );
    assert!(!refused.text().contains("secret"), "{}", refused.text());
    let fits = post(&gateway, "/events/orders", r#"{"id": 1}"#).await;
    assert_eq!(code(&fits), Code::KafkaUnavailable.slug());

    let [asked] = &registry.requests()[..] else {
        panic!("asked once: {:?}", registry.requests());
    };
    assert_eq!(asked.target, "/base/subjects/orders-value/versions/latest");
    // me:word
    assert_eq!(
        asked.headers.get("authorization"),
        Some("Basic bWU6d29yZA==")
    );
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::KafkaRecordInvalid.slug())
        .await;
    assert!(!line.to_string().contains("secret"), "{line}");
}

#[tokio::test]
async fn many_at_once_ask_once_and_a_numbered_version_is_asked_for_by_its_number() {
    let registry = Upstream::start(answer(ORDER)).await;
    let gateway = gateway(registry.addr(), "1ms").await;
    let all = join_all((0..20).map(|_| post(&gateway, "/third", "[]"))).await;
    for one in &all {
        assert_eq!(code(one), Code::KafkaRecordInvalid.slug(), "{}", one.text());
    }
    let asked = registry.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].target, "/base/subjects/a%20b%2Fc/versions/3");
}

#[tokio::test]
async fn the_latest_is_asked_for_anew_and_serves_on_while_nobody_answers() {
    let registry = Upstream::start(answer(ORDER)).await;
    let gateway = gateway(registry.addr(), "50ms").await;
    let text = "\"text\"";
    let before = post(&gateway, "/events/orders", text).await;
    assert_eq!(code(&before), Code::KafkaRecordInvalid.slug());
    registry.set(answer("\"string\""));
    wait::until("the new version", || async {
        let now = post(&gateway, "/events/orders", text).await;
        (code(&now) == Code::KafkaUnavailable.slug()).then_some(())
    })
    .await;
    registry.set(Behaviour::answer(500, &[], "no"));
    let asked = registry.requests().len();
    wait::until("a question that fails", || async {
        let still = post(&gateway, "/events/orders", "1").await;
        assert_eq!(code(&still), Code::KafkaRecordInvalid.slug());
        (registry.requests().len() > asked).then_some(())
    })
    .await;
    wait::until("word of it in the log", || async {
        let said = "schema registry main cannot be asked anew";
        gateway
            .log()
            .iter()
            .any(|line| line.contains(said))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_never_answered_is_unavailable() {
    let nobody = Upstream::refusing();
    let refused = gateway(nobody.addr(), "1m").await;
    let hanging = Upstream::start(Behaviour::hang()).await;
    let hung = gateway(hanging.addr(), "1m").await;
    let failing = Upstream::start(Behaviour::answer(401, &[], "{}")).await;
    let failed = gateway(failing.addr(), "1m").await;
    for (gateway, why) in [
        (&refused, "refused"),
        (&hung, ""),
        (&failed, "it answered 401"),
    ] {
        let answer = post(gateway, "/events/orders", r#"{"id": 1}"#).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (503, Code::SchemaRegistryUnavailable.slug())
        );
        let line = gateway
            .wait_for_log(|line| line["error.type"] == Code::SchemaRegistryUnavailable.slug())
            .await;
        let detail = line["weir.error.detail"].as_str().unwrap_or_default();
        assert!(detail.contains(why), "{line}");
    }
}

#[tokio::test]
async fn a_subject_that_is_not_there_or_makes_no_sense_is_unusable() {
    let unknown = r#"{"error_code":40401,"message":"Subject not found."}"#;
    let registry = Upstream::start(Behaviour::answer(404, &[], unknown)).await;
    let gateway = gateway(registry.addr(), "1m").await;
    for (path, behaviour, why) in [
        (
            "/events/a",
            Behaviour::answer(404, &[], unknown),
            "no such schema",
        ),
        ("/events/b", answer("\"nothing\""), "/subjects/b-value/"),
    ] {
        registry.set(behaviour);
        let answer = post(&gateway, path, r#"{"id": 1}"#).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (502, Code::SchemaUnusable.slug())
        );
        let line = gateway
            .wait_for_log(|line| {
                let detail = line["weir.error.detail"].as_str().unwrap_or_default();
                line["error.type"] == Code::SchemaUnusable.slug() && detail.contains(why)
            })
            .await;
        assert_eq!(line["http.response.status_code"], 502, "{line}");
    }
}
