//! What the WebSocket connections of a route add to, while they last and when they end.

use super::{Families, InFlight};
use crate::record::websocket::{Closer, WebSocket as Record};
use prometheus::{Histogram, IntCounter, IntGauge};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The series of one route.
pub struct WebSocket {
    families: Arc<Families>,
    route: Box<str>,
    connections: IntGauge,
    duration: Histogram,
    from_client: Histogram,
    from_upstream: Histogram,
    /// By who closed; the last are of connections that nobody did.
    closes: [[OnceLock<IntCounter>; CODES]; 4],
}

/// The registered close codes, 1000 to 1015, and before and after them `none` and `other`.
const CODES: usize = 18;

impl WebSocket {
    pub(super) fn resolve(families: &Arc<Families>, route: &str) -> Self {
        let messages = |direction| families.websocket_messages.with(&[route, direction]);
        Self {
            connections: families.websocket_connections.with(&[route]),
            duration: families.websocket_duration.with(&[route]),
            from_client: messages("received"),
            from_upstream: messages("sent"),
            closes: [const { [const { OnceLock::new() }; CODES] }; 4],
            families: Arc::clone(families),
            route: route.into(),
        }
    }

    /// A connection was opened; hold on to the result until it is closed.
    pub fn begin(&self) -> InFlight {
        InFlight::enter(&self.connections)
    }

    /// The client sent a message of so many bytes.
    pub fn received(&self, bytes: u64) {
        self.from_client.observe(bytes as f64);
    }

    /// The client was sent a message of so many bytes.
    pub fn sent(&self, bytes: u64) {
        self.from_upstream.observe(bytes as f64);
    }

    /// A connection that lasted `took` is over.
    pub fn closed(&self, record: &Record, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        let (by, code) = match &record.close {
            Some(close) => (Some(close.by), close.code),
            None => (None, None),
        };
        let row = by.map_or(3, |by| by as usize);
        let slot = match code {
            None => 0,
            Some(code @ 1000..=1015) => usize::from(code - 999),
            Some(_) => CODES - 1,
        };
        let series = || {
            let label = match (slot, code) {
                (0, _) | (_, None) => "none".to_owned(),
                (1..17, Some(code)) => code.to_string(),
                _ => "other".to_owned(),
            };
            let by = by.map_or("nobody", Closer::as_str);
            let labels = [&*self.route, by, &*label];
            self.families.websocket_closes.with(&labels)
        };
        self.closes[row][slot].get_or_init(series).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::record::websocket::Close;

    #[test]
    fn connections_are_told_by_who_closed_them_and_why() {
        let metrics = Metrics::new();
        let series = metrics.websocket("chat");
        let open = series.begin();
        assert!(
            metrics
                .encode()
                .contains("weir_websocket_connections_active{weir_route=\"chat\"} 1")
        );
        drop(open);
        for (by, code) in [
            (Closer::Client, Some(1000)),
            (Closer::Client, None),
            (Closer::Upstream, Some(4711)),
            (Closer::Gateway, Some(1015)),
        ] {
            let record = Record {
                close: Some(Close {
                    by,
                    code,
                    at: Duration::ZERO,
                }),
                ..Record::default()
            };
            series.closed(&record, Duration::from_secs(1));
        }
        series.closed(&Record::default(), Duration::from_secs(1));
        series.received(5);
        let text = metrics.encode();
        for line in [
            "weir_websocket_connections_active{weir_route=\"chat\"} 0",
            "weir_websocket_closes_total{code=\"1000\",initiator=\"client\",weir_route=\"chat\"} 1",
            "weir_websocket_closes_total{code=\"none\",initiator=\"client\",weir_route=\"chat\"} 1",
            "weir_websocket_closes_total{code=\"other\",initiator=\"upstream\",weir_route=\"chat\"} 1",
            "weir_websocket_closes_total{code=\"1015\",initiator=\"gateway\",weir_route=\"chat\"} 1",
            "weir_websocket_closes_total{code=\"none\",initiator=\"nobody\",weir_route=\"chat\"} 1",
            "weir_websocket_message_size_bytes_sum{direction=\"received\",weir_route=\"chat\"} 5",
            "weir_websocket_connection_duration_seconds_count{weir_route=\"chat\"} 5",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
