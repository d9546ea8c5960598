//! What unit tests of the request's way share: a gateway of one route, and a caller on a pipe.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use pingora_core::protocols::http::ServerSession;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use crate::gateway::Gateway;
use crate::policy::chain::{Chain, Link};
use crate::proxy::{Connection, peer_field};
use crate::{config, observe, runtime};

/// A gateway whose one route answers `own` after the policies `links`.
pub(crate) fn gateway(links: Vec<Link>) -> Arc<Gateway> {
    let yaml = "{ version: 1, listeners: [{ name: public, address: 127.0.0.1:0 }], \
        telemetry: { access_log: { output: none } }, \
        routes: [{ name: all, respond: { body: own } }] }";
    let loaded = config::parse_str(yaml).unwrap_or_else(|faults| panic!("{faults}"));
    let telemetry = observe::start(&loaded.config).expect("telemetry");
    let mut snapshot = runtime::compile(loaded, None, &telemetry.metrics).expect("a snapshot");
    let route = Arc::get_mut(&mut snapshot.routes[0]).expect("nobody else has it yet");
    route.chain = Chain::new(links);
    Arc::new(Gateway::new(telemetry, HashMap::new(), Arc::new(snapshot)))
}

/// A connection to its listener, from port 1 of the loopback address.
pub(crate) fn connection(gateway: &Gateway) -> Arc<Connection> {
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    Arc::new(Connection {
        listener: "public".into(),
        peer,
        peer_field: peer_field(peer),
        tls: false,
        metrics: gateway.telemetry.metrics.listener("public"),
        wire: None,
    })
}

/// A session whose head was read, and its caller's end.
pub(crate) async fn session(head_and_body: &str) -> (ServerSession, DuplexStream) {
    let (mut caller, ours) = duplex(1 << 16);
    caller
        .write_all(head_and_body.as_bytes())
        .await
        .expect("room");
    let mut session = ServerSession::new_http1(Box::new(ours));
    assert!(session.read_request().await.expect("a request"));
    (session, caller)
}
