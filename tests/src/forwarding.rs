//! A gateway that forwards everything to one upstream: what tests of the way itself stand on.

use std::net::SocketAddr;

use crate::{Behaviour, Gateway, Upstream};

/// One in front of what is at `upstream` and speaks `protocol` (`http1` or `http2`), and its address.
pub async fn gateway(upstream: SocketAddr, protocol: &str) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, protocol: {protocol}, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await;
    let public = gateway.addr("public");
    (gateway, public)
}

/// One in front of an upstream that behaves so, over HTTP/1.1.
pub async fn scripted(behaviour: Behaviour) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(behaviour).await;
    let (gateway, public) = gateway(upstream.addr(), "http1").await;
    (upstream, gateway, public)
}
