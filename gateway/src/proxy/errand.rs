//! A call of an upstream that no request asked for: what the gateway does of its own accord. It has a
//! context of its own, and is settled, recorded and told of as a request is, however it ends.
//!
//! It refuses to know what is called, and why.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use weir_telemetry::record::Record;
use weir_telemetry::trace::{Context, RequestId};
use weir_telemetry::{Code, Metrics};

use super::downstream::Downstream;
use super::finish;
use super::request::{Connection, Request, peer_field};
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::runtime::Snapshot;
use crate::server::InFlight;

/// Such a call, or several in turn. Dropping it finishes it.
pub(crate) struct Errand {
    request: Option<Box<Request>>,
    down: Box<Downstream>,
    /// Whether somebody said how it ended.
    ended: bool,
    _in_flight: InFlight,
}

impl Connection {
    /// What stands where the caller's connection would be; `name` for that of the listener.
    pub(crate) fn none(name: &str, metrics: &Metrics) -> Arc<Self> {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Arc::new(Self {
            listener: name.into(),
            peer,
            peer_field: peer_field(peer),
            tls: false,
            metrics: metrics.listener(name),
            wire: None,
        })
    }
}

impl Errand {
    /// Begins one; it counts as in flight until it is dropped.
    pub(crate) async fn begin(
        gateway: &Arc<Gateway>,
        snapshot: &Arc<Snapshot>,
        connection: &Arc<Connection>,
        trace: Context,
    ) -> Result<Self, GatewayError> {
        let down = Box::new(Downstream::aside().await?);
        let client = connection.peer.ip();
        let listener = connection.listener.clone();
        let mut record = Record::begin(RequestId::random(), trace, listener, client);
        record.config_revision = snapshot.revision;
        let in_flight = gateway.drain.begin();
        let (gateway, snapshot) = (gateway.clone(), snapshot.clone());
        let begun = (Instant::now(), record);
        let request = Request::begin(gateway, snapshot, connection.clone(), begun);
        Ok(Self {
            request: Some(request),
            down,
            ended: false,
            _in_flight: in_flight,
        })
    }

    /// What upstreams are called with.
    pub(crate) fn parts(&mut self) -> (&mut Request, &mut Downstream) {
        let request = self.request.as_mut();
        let request = request.expect("it is taken only when this is dropped");
        (request, &mut self.down)
    }

    /// Says that it came to an end of its own.
    pub(crate) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        let Some(mut request) = self.request.take() else {
            return;
        };
        if !self.ended {
            let elapsed = request.began.elapsed();
            if let Some(last) = request.record.attempts.last_mut()
                && last.total.is_zero()
            {
                last.total = elapsed.saturating_sub(last.started);
                last.code = Some(Code::Draining);
            }
            request.record.code = Some(Code::Draining);
            request.record.aborted = true;
        }
        finish::finish(request, None);
    }
}
