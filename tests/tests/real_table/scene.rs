//! The routes of these tests, and how they ask.

use std::net::SocketAddr;

use weir_telemetry::Code;
use weir_tests::Gateway;
use weir_tests::kafka::Kafka;
use weir_tests::wire::{self, Response};

pub(super) fn yaml(kafka: &Kafka, topic: &str, further: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["{}"], properties: {{ partitioner: murmur2_random }} }}
routes:
  - name: users
    matches: [{{ path: {{ exact: /users }} }}, {{ path: {{ template: "/users/{{id}}" }} }}]
    table: {{ cluster: events, topic: {topic}, key: "{{path.id}}", write: true, timeout: 15s{further} }}
  - name: careful
    matches: [{{ path: {{ template: "/careful/{{id}}" }} }}]
    table: {{ cluster: events, topic: {topic}, key: "{{path.id}}", write: true, require_if_match: true }}
  - name: shown
    matches: [{{ path: {{ template: "/shown/{{id}}" }} }}]
    table: {{ cluster: events, topic: {topic}, key: "{{path.id}}" }}
"#,
        kafka.bootstrap()
    )
}

pub(super) async fn gateway(kafka: &Kafka, topic: &str) -> Gateway {
    Gateway::start(&yaml(kafka, topic, "")).await
}

pub(super) async fn ask(
    at: SocketAddr,
    method: &str,
    path: &str,
    fields: &[&str],
    body: &str,
) -> Response {
    // On the heap: a test that asks often would hold all of them on its stack.
    Box::pin(wire::request(at, method, path, fields, body.as_bytes())).await
}

pub(super) fn refused(response: &Response, code: Code) {
    let slug = response.header("weir-error");
    assert_eq!(
        (response.status, slug),
        (code.status(), Some(code.slug())),
        "{}",
        response.text()
    );
}

pub(super) fn etag(response: &Response) -> String {
    response.header("etag").unwrap().to_owned()
}

/// Asks one who may be gone, or go before it has answered.
pub(super) async fn try_ask(
    at: SocketAddr,
    method: &str,
    path: &str,
    fields: &[&str],
    body: &str,
) -> std::io::Result<Response> {
    let mut connection = wire::Connection::try_open(at).await?;
    let request = wire::message(at, method, path, fields, body.as_bytes());
    connection.send(request).await?;
    Box::pin(connection.try_response_to(method)).await
}
