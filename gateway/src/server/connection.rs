//! One accepted connection, from its first byte to its close.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use weir_telemetry::record::Protocol;
use weir_telemetry::{Code, metrics};

use super::guard::{self, Allowance, Opening};
use super::http2;
use super::refuse::{self, Caller};
use crate::config::listeners::{Limits, Listener};
use crate::gateway::Gateway;
use crate::proxy::{self, Connection};
use crate::wire::Handle;

/// What a listener does with a connection Pingora accepted.
pub(super) struct App {
    pub(super) gateway: Arc<Gateway>,
    name: Arc<str>,
    /// What holds should a snapshot not know the listener any more.
    started_as: Arc<Listener>,
    pub(super) metrics: Arc<metrics::Listener>,
    open: Arc<AtomicUsize>,
}

/// A connection that counts against the listener's limit until it is dropped.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        _shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let _counted = self.metrics.opened();
        let (_open, full) = self.enter();
        let peer = stream
            .get_socket_digest()
            .and_then(|digest| digest.peer_addr().and_then(|a| a.as_inet().copied()))?;
        let tls = stream.get_ssl_digest().is_some();
        let http2 = stream.selected_alpn_proto() == Some(ALPN::H2);
        let (wire, stream) = if http2 {
            (None, stream)
        } else {
            let wire = Handle::new(stream, ());
            let end = wire.end();
            (Some(wire), end)
        };
        let connection = Arc::new(Connection {
            listener: self.name.clone(),
            peer,
            peer_field: proxy::peer_field(peer),
            tls,
            metrics: self.metrics.clone(),
            wire,
        });
        if full {
            let refusal = guard::Refusal {
                code: Code::ConnectionLimit,
                reason: "the listener has all the connections it is allowed",
            };
            let caller = Caller::Stream(stream);
            refuse::refuse(
                &self.gateway,
                &connection,
                caller,
                0,
                refusal,
                Instant::now(),
            )
            .await;
        } else if http2 {
            self.metrics.negotiated(Protocol::Http2);
            http2::serve(self, &connection, stream, BytesMut::new()).await;
        } else {
            let serving = pin!(self.http1(&connection, stream));
            self.gateway.drain.nudging(serving).await;
        }
        None
    }
}

impl App {
    /// What serves one listener.
    pub(super) fn new(
        gateway: Arc<Gateway>,
        listener: Arc<Listener>,
        metrics: Arc<metrics::Listener>,
    ) -> Self {
        let name = listener.name.clone();
        App {
            gateway,
            name,
            started_as: listener,
            metrics,
            open: Arc::default(),
        }
    }

    /// Counts a connection, and says whether it is one too many.
    fn enter(&self) -> (Open, bool) {
        let before = self.open.fetch_add(1, Ordering::AcqRel);
        let max = self.listener().limits.max_connections;
        (
            Open(self.open.clone()),
            max.is_some_and(|max| before >= max),
        )
    }

    /// The listener, by the configuration in force now.
    pub(super) fn listener(&self) -> Arc<Listener> {
        let snapshot = self.gateway.snapshot();
        snapshot
            .listener(&self.name)
            .unwrap_or(&self.started_as)
            .clone()
    }

    /// Request after request, each head read by the guard.
    async fn http1(&self, connection: &Arc<Connection>, mut stream: Stream) {
        let mut buffer = BytesMut::new();
        let mut first = true;
        loop {
            let begun = Instant::now();
            let limits = self.listener().limits;
            let allowance = allowance(&limits);
            let refusal = match guard::read_head(&mut stream, &mut buffer, &allowance).await {
                Ok(Opening::Http1) => None,
                Ok(Opening::Http2) if first && !connection.tls => {
                    self.metrics.negotiated(Protocol::Http2);
                    return http2::serve(self, connection, stream, buffer).await;
                }
                Ok(Opening::Http2) => Some(guard::Refusal {
                    code: Code::RequestHeadMalformed,
                    reason: "HTTP/2 begins a connection or is agreed by ALPN",
                }),
                Ok(Opening::Closed) => return,
                Err(refusal) => Some(refusal),
            };
            if let Some(refusal) = refusal {
                let caller = Caller::Stream(stream);
                let seen = buffer.len();
                return refuse::refuse(&self.gateway, connection, caller, seen, refusal, begun)
                    .await;
            }
            if first {
                self.metrics.negotiated(Protocol::Http11);
                first = false;
            }
            let Some((next, rest)) = self.exchange(connection, stream, buffer, &limits).await
            else {
                return;
            };
            stream = next;
            buffer = rest.unwrap_or_default();
        }
    }

    /// One request whose head is in `buffer`; gives back the stream and what followed.
    async fn exchange(
        &self,
        connection: &Arc<Connection>,
        stream: Stream,
        buffer: BytesMut,
        limits: &Limits,
    ) -> Option<(Stream, Option<BytesMut>)> {
        let mut session = ServerSession::new_http1(stream);
        // Between requests it is the guard that waits, by the same limit.
        let idle = limits.idle_timeout;
        session.set_read_timeout(Some(idle));
        // A caller that stops reading holds a connection and an answer: not for ever.
        session.set_write_timeout(Some(idle));
        session.set_pipelining_enabled(true);
        let (seen, begun) = (buffer.len(), Instant::now());
        session.set_pipelined_prefix(buffer);
        if !matches!(session.read_request().await, Ok(true)) {
            // What the guard lets through and Pingora cannot parse, as some targets.
            let refusal = guard::Refusal {
                code: Code::RequestHeadMalformed,
                reason: "the target has characters that must be percent-encoded",
            };
            let caller = Caller::Session(Box::new(session));
            refuse::refuse(&self.gateway, connection, caller, seen, refusal, begun).await;
            return None;
        }
        let head = session
            .as_http1()
            .map(|http1| http1.get_headers_raw_bytes().len());
        if let Some(wire) = connection.wire.as_ref().filter(|_| head == Some(seen)) {
            // The session has the head and nothing else: what it hears from here on, it reads itself.
            wire.listen();
        }
        let reusable = proxy::serve(&self.gateway, connection, session).await?;
        Some(reusable.into_parts())
    }
}

/// What a head may cost.
pub(super) fn allowance(limits: &Limits) -> Allowance {
    Allowance {
        head: limits.head_timeout,
        idle: limits.idle_timeout,
        max_bytes: limits.max_head_bytes,
        max_fields: limits.max_fields,
    }
}
