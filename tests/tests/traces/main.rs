//! A trace of each protocol that needs no other server, as an OTLP receiver gets it: who is whose parent,
//! what each span says, and that upstreams were told of it.

mod http;
mod spoken;

use std::net::SocketAddr;

use weir_tests::Gateway;
use weir_tests::conventions::assert_followed;
use weir_tests::otlp::{Collector, Kind, Span};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A gateway, and where its spans go.
struct Scene {
    gateway: Gateway,
    collector: Collector,
}

impl Scene {
    /// `sections` are those of upstreams, routes and what they need.
    async fn start(sections: &str) -> Self {
        let collector = Collector::start().await;
        let gateway = Gateway::start(&format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ otlp: {{ endpoint: "{}", sample_ratio: 0.0 }} }}
{sections}
"#,
            collector.endpoint()
        ))
        .await;
        Self { gateway, collector }
    }

    fn public(&self) -> SocketAddr {
        self.gateway.addr("public")
    }

    /// The spans of [`TRACE`], in the order of their starts: of these kinds, and as the conventions say.
    async fn spans(&self, kinds: &[Kind]) -> Vec<Span> {
        let spans = self.collector.wait_for_trace(TRACE, kinds.len()).await;
        let found: Vec<_> = spans.iter().map(|span| span.kind).collect();
        assert_eq!(found, kinds, "{spans:#?}");
        assert_followed(&spans, CALLER);
        spans
    }
}

/// What the caller of an attempt is told in `traceparent`.
fn told(span: &Span) -> String {
    format!("00-{TRACE}-{}-01", span.span_id)
}
