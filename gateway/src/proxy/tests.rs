//! What no caller can provoke from outside: a panic on the way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::protocols::http::ServerSession;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weir_telemetry::Code;

use super::{Connection, peer_field, serve};
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::policy::chain::{Chain, Link};
use crate::policy::{Policy, RequestCx, Verdict};
use crate::{config, observe, runtime};

struct Panics;

#[async_trait]
impl Policy for Panics {
    async fn on_request(&self, _cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        panic!("a bug, for the test");
    }
}

fn gateway() -> Arc<Gateway> {
    let yaml = "{ version: 1, listeners: [{ name: public, address: 127.0.0.1:0 }], \
        telemetry: { access_log: { output: none } }, \
        routes: [{ name: all, respond: { body: own } }] }";
    let loaded = config::parse_str(yaml).unwrap_or_else(|faults| panic!("{faults}"));
    let telemetry = observe::start(&loaded.config).expect("telemetry");
    let mut snapshot = runtime::compile(loaded, None, &telemetry.metrics).expect("a snapshot");
    let route = Arc::get_mut(&mut snapshot.routes[0]).expect("nobody else has it yet");
    route.chain = Chain::new(vec![Link {
        kind: "panics",
        policy: Arc::new(Panics),
    }]);
    Arc::new(Gateway::new(telemetry, HashMap::new(), Arc::new(snapshot)))
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_is_recorded() {
    let gateway = gateway();
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let connection = Arc::new(Connection {
        listener: "public".into(),
        peer,
        peer_field: peer_field(peer),
        tls: false,
        metrics: gateway.telemetry.metrics.listener("public"),
        wire: None,
    });
    let (mut caller, ours) = tokio::io::duplex(1 << 16);
    let ask = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    caller.write_all(ask).await.expect("room");
    let mut session = ServerSession::new_http1(Box::new(ours));
    assert!(session.read_request().await.expect("a request"));

    assert!(serve(&gateway, &connection, session).await.is_none());

    let mut seen = String::new();
    caller.read_to_string(&mut seen).await.expect("text");
    assert!(seen.starts_with("HTTP/1.1 500"), "{seen}");
    assert!(seen.contains("weir-error: internal_error"), "{seen}");
    assert!(!seen.contains("a bug"), "{seen}");
    let recorded = gateway.telemetry.recorder.list_json();
    assert!(recorded.contains(Code::InternalError.slug()), "{recorded}");
    assert_eq!(gateway.drain.in_flight(), 0);
}
