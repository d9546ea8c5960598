//! `grpc` routes: calls of a real client to a real server through the gateway, and what becomes of
//! them when somebody fails.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod deadlines;
mod errors;
mod health;
mod limits;
mod methods;
mod retries;
mod telemetry;
mod transcoding;
mod web;

use std::net::SocketAddr;

use weir_tests::Gateway;

/// A gateway whose only route serves gRPC from `upstream`; `route` and `more` go into the action
/// and into the upstream.
async fn gateway(upstream: SocketAddr, route: &str, more: &str) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(&config(upstream, route, more, "")).await;
    let public = gateway.addr("public");
    (gateway, public)
}

fn config(upstream: SocketAddr, route: &str, more: &str, policies: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams:
  - name: up
    endpoints: [{{ address: "{upstream}" }}]
    protocol: http2
    {more}
routes: [{{ name: calls, policies: [{policies}], grpc: {{ backends: [{{ upstream: up }}], {route} }} }}]
"#
    )
}
