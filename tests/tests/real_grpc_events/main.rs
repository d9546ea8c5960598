//! Topics of a real Kafka as streams of gRPC: what is in one reaches whoever calls, and what callers send
//! is in one, with clients made from the files that callers have.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod give;
mod take;
mod typed;

use tonic::transport::Channel;
use tonic::{Request, Status};
use weir_tests::Gateway;
use weir_tests::kafka::Kafka;
use weir_tests::topics::events::events_client::EventsClient;
use weir_tests::topics::meters::DESCRIPTORS;
use weir_tests::topics::meters::meters_client::MetersClient;

const SCHEMA: &str = r#"{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}"#;

/// A gateway with a route for each method; any two of them are two of one fleet. `of_meters` is said of all
/// methods of `meters.v1`.
async fn gateway(bootstrap: &str, of_meters: &str) -> Gateway {
    let descriptors = format!("descriptors: ../meters.binpb{of_meters}");
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
secrets: [{{ name: cursors, value: "{}" }}]
kafka_clusters:
  - name: events
    bootstrap_servers: ["{bootstrap}"]
    delivery_timeout: 5s
    cursor_keys: [{{ secret: cursors }}]
quotas:
  - {{ name: volume, store: ledger, unit: kafka_bytes, limit: {{ default: 1000000000, overrides: {{ bounded: 500 }} }}, window: {{ kind: fixed, every: month }}, by: [route] }}
policies: {{ enforced: [{{ kind: quota, quotas: [volume] }}] }}
routes:
  - name: subscribe
    matches: [{{ rpc: {{ service: weir.events.v1.Events, method: Subscribe }} }}]
    subscribe: {{ cluster: events, topic: "{{body./topic}}", grpc: {{ method: weir.events.v1.Events/Subscribe }} }}
  - name: checked
    matches: [{{ path: {{ exact: /weir.events.v1.Events/PublishEach }}, headers: [{{ name: x-checked, exact: "yes" }}] }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}", schema: {{ kind: json, file: ../n.json }}, grpc: {{ method: weir.events.v1.Events/PublishEach }} }}
  - name: bounded
    matches: [{{ path: {{ exact: /weir.events.v1.Events/Publish }}, headers: [{{ name: x-bounded, exact: "yes" }}] }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}", grpc: {{ method: weir.events.v1.Events/Publish }} }}
  - name: publish
    matches: [{{ path: {{ exact: /weir.events.v1.Events/Publish }} }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}", key: "{{header.x-key}}", headers: {{ from: "{{header.x-from}}" }}, max_body: 1MiB, grpc: {{ method: weir.events.v1.Events/Publish }} }}
  - name: each
    matches: [{{ path: {{ exact: /weir.events.v1.Events/PublishEach }} }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}", key: "{{body./k}}", grpc: {{ method: weir.events.v1.Events/PublishEach }} }}
  - name: watch
    matches: [{{ path: {{ exact: /meters.v1.Meters/Watch }} }}]
    subscribe: {{ cluster: events, topic: "{{header.x-topic}}", start: earliest, grpc: {{ method: meters.v1.Meters/Watch, cursor: cursor, {descriptors} }} }}
  - name: report
    matches: [{{ path: {{ exact: /meters.v1.Meters/Report }} }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}", key: "{{body./meter}}", grpc: {{ method: meters.v1.Meters/Report, {descriptors} }} }}
  - name: report-each
    matches: [{{ path: {{ prefix: /meters.v1.Meters/ReportEach }} }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}", grpc: {{ method: meters.v1.Meters/ReportEach, {descriptors} }} }}
  - name: report-one
    matches: [{{ path: {{ exact: /meters.v1.Meters/ReportOne }} }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}", grpc: {{ method: meters.v1.Meters/ReportOne, {descriptors} }} }}
"#,
        "a".repeat(32),
    );
    let gateway = Gateway::builder(&yaml)
        .file("meters.binpb", DESCRIPTORS)
        .file("n.json", SCHEMA);
    gateway.start().await
}

/// Gateway and clients.
struct Scene {
    gateway: Gateway,
    events: EventsClient<Channel>,
    meters: MetersClient<Channel>,
}

impl Scene {
    async fn of(kafka: &Kafka) -> Self {
        Self::with(gateway(&kafka.bootstrap(), "").await).await
    }

    async fn with(gateway: Gateway) -> Self {
        let channel = Channel::from_shared(gateway.url("public")).unwrap();
        let channel = channel.connect().await.unwrap();
        Self {
            gateway,
            events: EventsClient::new(channel.clone()),
            meters: MetersClient::new(channel),
        }
    }
}

/// A call for this topic.
fn of<T>(topic: &str, message: T) -> Request<T> {
    with(message, &[("x-topic", topic)])
}

fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// What a status says besides.
fn said<'s>(status: &'s Status, name: &str) -> &'s str {
    let value = status.metadata().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}
