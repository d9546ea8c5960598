//! Gateways of one fleet, and who calls them.

use std::net::SocketAddr;

use serde_json::Value;
use weir_tests::Gateway;
use weir_tests::kafka::Kafka;
use weir_tests::wire::{self, Response};

/// The SHA-256 of `key-of-checkout`.
const CHECKOUT: &str = "b6bf576e02cbe50186adcc29f82161acc2f2b1170ab71bb9b046cd28bd24cb19";
/// The SHA-256 of `key-of-other`.
const OTHER: &str = "98959918e0eef2166c748d4e57c19e3e531c080ba4212fd6d8f7bbec3e9a4224";

/// The topics of a test: requests, and replies.
pub(crate) async fn topics(kafka: &Kafka, name: &str) {
    kafka.create_topic(&format!("{name}-requests"), 2).await;
    kafka.create_topic(&format!("{name}-replies"), 2).await;
}

/// A gateway whose routes ask in the topics of that name; any two of them are two of one fleet.
pub(crate) async fn gateway(kafka: &Kafka, name: &str) -> Gateway {
    Gateway::start(&configuration(kafka, name, "")).await
}

pub(crate) fn configuration(kafka: &Kafka, name: &str, otlp: &str) -> String {
    let route = |at: &str, policies: &str, more: &str| {
        format!(
            r#"
  - name: {at}
    matches: [{{ path: {{ exact: /{at} }} }}, {{ path: {{ template: "/{at}/{{token}}" }}, methods: [GET] }}]
    policies: [{policies}]
    request_reply: {{ cluster: events, topic: {name}-requests, reply_topic: {name}-replies, {more} }}"#
        )
    };
    let key_auth = "{ kind: key_auth }";
    let routes = [
        route("sync", "", "timeout: 20s, reply: { header_prefix: http- }"),
        route("hasty", "", "timeout: 700ms"),
        route("jobs", "", "respond: prefer, timeout: 20s"),
        route("mine", key_auth, "respond: async"),
        route("brief", "", "respond: async, keep: 1s"),
        route("narrow", "", "timeout: 20s, max_waiting: 1"),
    ];
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }}{otlp} }}
secrets: [{{ name: cursors, value: "{}" }}]
teams: [{{ name: shop, organisation: acme, owns: {{ topics: ["*"] }} }}]
consumers:
  - {{ name: checkout, team: shop, credentials: [{{ kind: key, id: ci, sha256: "{CHECKOUT}" }}] }}
  - {{ name: other, team: shop, credentials: [{{ kind: key, id: ci, sha256: "{OTHER}" }}] }}
kafka_clusters:
  - name: events
    bootstrap_servers: ["{}"]
    delivery_timeout: 20s
    cursor_keys: [{{ secret: cursors }}]
routes:{}
"#,
        "k".repeat(32),
        kafka.bootstrap(),
        routes.concat()
    )
}

pub(crate) fn public(gateway: &Gateway) -> SocketAddr {
    gateway.addr("public")
}

pub(crate) async fn post(
    gateway: &Gateway,
    path: &str,
    headers: &[&str],
    body: &Value,
) -> Response {
    wire::request(public(gateway), "POST", path, headers, body.to_string()).await
}

/// Where the caller may come back.
pub(crate) fn location(answer: &Response) -> String {
    let location = answer.header("location");
    location
        .unwrap_or_else(|| panic!("{}: {}", answer.status, answer.text()))
        .to_owned()
}

/// Asks without waiting, and says where the reply will be.
pub(crate) async fn accepted(gateway: &Gateway, body: &Value) -> String {
    let answer = post(gateway, "/jobs", &["Prefer: respond-async"], body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    location(&answer)
}

pub(crate) async fn get(gateway: &Gateway, target: &str) -> Response {
    wire::get(public(gateway), target).await
}

pub(crate) fn code(answer: &Response) -> &str {
    answer.header("weir-error").unwrap_or("none")
}
