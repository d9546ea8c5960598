//! What no caller can provoke from outside: a panic on the way.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::AsyncReadExt as _;
use weir_telemetry::Code;

use super::serve;
use crate::error::GatewayError;
use crate::policy::chain::Link;
use crate::policy::{Policy, RequestCx, Verdict};
use crate::testing;

struct Panics;

#[async_trait]
impl Policy for Panics {
    async fn on_request(&self, _cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        panic!("a bug, for the test");
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_is_recorded() {
    let gateway = testing::gateway(vec![Link {
        kind: "panics",
        policy: Arc::new(Panics),
    }]);
    let connection = testing::connection(&gateway);
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (session, mut caller) = testing::session(ask).await;

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
