//! What operators see of quotas and change by hand: through the admin address and `weir quota`,
//! on a store in memory and on one in a file, which outlives the process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use weir_tests::child::Kind;
use weir_tests::upstream::Upstream;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, cli, consumer, wait};

mod change;
mod restart;

const JSON: &str = "Content-Type: application/json";

/// A gateway whose team `shop` may make ten calls a month to each route, and spend ten dollars;
/// `/slow` never ends. The consumers are their own keys.
async fn start(kind: &str, admin: &str) -> (Upstream, Gateway) {
    let slow = Upstream::start(Behaviour::hang()).await;
    let gateway = Gateway::start(&configuration(&slow, kind, admin)).await;
    (slow, gateway)
}

fn configuration(slow: &Upstream, kind: &str, admin: &str) -> String {
    let consumer = |name| consumer::entry(name, "shop");
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0"{admin} }}
server: {{ data_dir: "${{DATA_DIR}}", trusted_proxies: [127.0.0.1/32], drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
secrets: [{{ name: admin, value: open-sesame }}]
stores: [{{ name: ledger, kind: {kind} }}]
teams: [{{ name: shop, organisation: acme }}]
consumers:
{}{}providers: [{{ name: mock, dialect: openai, base_url: "http://{}/v1" }}]
models: [{{ name: smart, targets: [{{ provider: mock, model: m }}] }}]
prices: {{ entries: [{{ provider: mock, model: m, from: 2020-01-01, input: "1", output: "1" }}] }}
upstreams: [{{ name: slow, endpoints: [{{ address: "{}" }}] }}]
quotas:
  - {{ name: calls, store: ledger, unit: requests, limit: {{ default: 3, overrides: {{ shop: 10 }} }}, window: {{ kind: fixed, every: month }}, by: [team, route] }}
  - {{ name: spend, store: ledger, unit: money, limit: {{ default: "10" }}, window: {{ kind: fixed, every: month }}, by: [consumer] }}
  - {{ name: busy, store: ledger, unit: concurrent_requests, limit: {{ default: 50 }} }}
routes:
  - name: plain
    matches: [{{ path: {{ exact: /plain }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [calls] }}]
    respond: {{ status: 200, body: served }}
  - name: slow
    matches: [{{ path: {{ exact: /slow }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [calls, busy] }}]
    forward: {{ backends: [{{ upstream: slow }}] }}
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [spend] }}]
    llm: {{ models: [smart] }}
"#,
        consumer("ci"),
        consumer("dev"),
        slow.addr(),
        slow.addr(),
    )
}

async fn call(gateway: &Gateway, consumer: &str) -> u16 {
    let auth = format!("Authorization: Bearer {consumer}");
    let answer = wire::request(gateway.addr("public"), "GET", "/plain", &[&auth], b"").await;
    answer.status
}

/// Calls until it is refused; how often it was served.
async fn exhaust(gateway: &Gateway, consumer: &str) -> u64 {
    let mut served = 0;
    while call(gateway, consumer).await == 200 {
        served += 1;
    }
    served
}

async fn shown(gateway: &Gateway, path: &str) -> Value {
    let answer = gateway.admin(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

async fn post(gateway: &Gateway, path: &str, body: &Value) -> Response {
    let body = body.to_string();
    wire::request(gateway.addr("admin"), "POST", path, &[JSON], body).await
}

/// `weir quota` on this gateway.
fn weir_quota(gateway: &Gateway, arguments: &[&str]) -> cli::Output {
    let admin = gateway.url("admin");
    let arguments = [&["quota"], arguments, &["--admin", &admin]].concat();
    cli::run_with(&arguments, &[("WEIR_ADMIN_TOKEN", "")])
}

/// The audit's lines so far.
fn audit(gateway: &Gateway) -> Vec<Value> {
    let lines = gateway.log();
    let objects = lines.iter().filter(|line| line.contains(" audit] "));
    objects
        .filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok())
        .collect()
}

fn figures(key: &Value) -> [u64; 3] {
    ["used", "reserved", "remaining"].map(|name| key[name].as_u64().unwrap())
}

/// Holds `/slow` open under this request id.
async fn hold(slow: &Upstream, gateway: &Gateway, id: &str) -> wire::Connection {
    let before = slow.requests().len();
    let mut connection = wire::Connection::open(gateway.addr("public")).await;
    let head = format!(
        "GET /slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ci\r\nX-Request-Id: {id}\r\n\r\n"
    );
    connection.send(head).await.unwrap();
    wait::until("the slow call to arrive", || async {
        (slow.requests().len() > before).then_some(())
    })
    .await;
    connection
}
