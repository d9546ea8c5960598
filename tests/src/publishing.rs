//! Publishing through a gateway: a route for each way, a caller with a key, and what answers say.
//!
//! It knows no test; what is published where is theirs.

use serde_json::Value;

use crate::Gateway;
use crate::kafka::{Kafka, Record};
use crate::wire::{self, Response};

/// The field of a body that is JSON.
pub const JSON: &str = "Content-Type: application/json";
/// The SHA-256 of the key that [`post`] sends: `key-of-checkout`.
const DIGEST: &str = "b6bf576e02cbe50186adcc29f82161acc2f2b1170ab71bb9b046cd28bd24cb19";

/// A gateway with one route for each `publish`, at `/NAME`.
pub async fn gateway(kafka: &Kafka, routes: &[(&str, &str)]) -> Gateway {
    configured(kafka, routes, "").await
}

/// The same, whose spans go to a collector.
pub async fn traced(kafka: &Kafka, routes: &[(&str, &str)], collector: &str) -> Gateway {
    let otlp = format!(", otlp: {{ endpoint: \"{collector}\", sample_ratio: 1.0 }}");
    configured(kafka, routes, &otlp).await
}

async fn configured(kafka: &Kafka, routes: &[(&str, &str)], telemetry: &str) -> Gateway {
    let routes = routes.iter().map(|(name, publish)| {
        format!(
            "  - {{ name: {name}, matches: [{{ path: {{ exact: /{name} }} }}], policies: [{{ kind: key_auth }}], publish: {{ cluster: events, {publish} }} }}\n"
        )
    });
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }}{telemetry} }}
teams: [{{ name: shop, organisation: acme, owns: {{ topics: ["*"] }} }}]
consumers: [{{ name: checkout, team: shop, credentials: [{{ kind: key, id: ci, sha256: "{DIGEST}" }}] }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"], delivery_timeout: 20s }}]
routes:
{}"#,
        kafka.bootstrap(),
        routes.collect::<String>()
    ))
    .await
}

/// Posts to a route as the consumer `checkout`, of the team `shop`.
pub async fn post(
    gateway: &Gateway,
    path: &str,
    headers: &[&str],
    body: impl AsRef<[u8]>,
) -> Response {
    let headers = [&["X-Api-Key: key-of-checkout"], headers].concat();
    wire::request(gateway.addr("public"), "POST", path, &headers, body).await
}

/// The code of an error; `none` if it is none.
pub fn code(response: &Response) -> &str {
    response.header("weir-error").unwrap_or("none")
}

/// Asserts that a record was acknowledged.
///
/// # Panics
/// If it was not.
pub fn accepted(response: &Response) {
    assert_eq!(response.status, 200, "{}", response.text());
}

/// What is said of each record of a batch.
///
/// # Panics
/// If the answer has another status, or says nothing of them.
pub fn results(answer: &Response, status: u16) -> Vec<Value> {
    assert_eq!(answer.status, status, "{}", answer.text());
    let results = answer.json()["results"].as_array().cloned();
    results.unwrap_or_else(|| panic!("no results: {}", answer.text()))
}

/// The code of what each result says went wrong; `none` if nothing did.
pub fn errors(results: &[Value]) -> Vec<&str> {
    results
        .iter()
        .map(|result| result["error"]["code"].as_str().unwrap_or("none"))
        .collect()
}

/// The headers of a record but its trace, in order.
pub fn headers(record: &Record) -> Vec<(&str, String)> {
    let headers = record.headers.iter();
    let headers = headers.filter(|(name, _)| name != "traceparent");
    let text = |value: &Option<Vec<u8>>| {
        String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned()
    };
    headers
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect()
}
