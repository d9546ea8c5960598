//! HTTP/2 connections: the preface, then one task per stream.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, BytesMut};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::{self, H2Accept, HttpSession};
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    Digest, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_telemetry::Code;

use super::connection::{self, App};
use crate::proxy::{self, Connection};
use crate::wire::Handle;

/// What a caller may send on a stream before any of it is read, in bytes. An upload moves that much in
/// a round trip, and a stream that nobody reads holds that much memory.
const STREAM_WINDOW: u32 = 1 << 20;

/// The same for all streams of a connection, so that one that nobody reads does not stop the others.
const CONNECTION_WINDOW: u32 = 2 << 20;

/// Malformed streams after which a connection is closed: refusing them is work too.
const MAX_MALFORMED: usize = 32;

/// Serves a connection whose first bytes, if already read, are in `read`.
pub(super) async fn serve(app: &App, connection: &Arc<Connection>, stream: Stream, read: BytesMut) {
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    });
    let listener = app.listener();
    let allowance = connection::allowance(&listener.limits);
    let mut options = server::default_h2_options();
    options.max_concurrent_streams(listener.max_concurrent_streams);
    options.initial_window_size(STREAM_WINDOW);
    options.initial_connection_window_size(CONNECTION_WINDOW);
    options.enable_connect_protocol();
    options.max_header_list_size(u32::try_from(allowance.max_bytes).unwrap_or(u32::MAX));
    let stream: Stream = if read.is_empty() {
        stream
    } else {
        Box::new(Replayed { read, stream })
    };
    let end = Handle::new(stream, ()).shared_end();
    let handshake = tokio::time::timeout(allowance.head, server::handshake(end, Some(options)));
    let Ok(Ok(mut conn)) = handshake.await else {
        app.metrics.refused(Code::RequestHeadMalformed);
        return;
    };
    let drain = &app.gateway.drain;
    let streams = super::Drain::default();
    let (mut closing, mut malformed) = (None, 0);
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.closed(), if closing.is_none() => {
                conn.graceful_shutdown();
                // The process waits for the last frames: they are in our buffers, not its.
                closing = Some(drain.begin());
                continue;
            }
            () = drain.ended(), if !streams.over() => {
                streams.end();
                continue;
            }
            () = idle(&streams, FLUSH), if closing.is_some() => return,
            accepted = HttpSession::from_h2_conn(&mut conn, digest.clone()) => accepted,
            () = idle(&streams, allowance.idle) => return,
        };
        match accepted {
            Ok(Some(H2Accept::Session(session))) => {
                let open = streams.begin();
                let (gateway, connection) = (app.gateway.clone(), connection.clone());
                let streams = streams.clone();
                tokio::spawn(async move {
                    let mut session = ServerSession::new_http2(session);
                    // A caller whose window stays shut holds an answer: not for ever.
                    session.set_write_timeout(Some(allowance.idle));
                    let serving = pin!(proxy::serve(&gateway, &connection, session));
                    streams.nudging(serving).await;
                    drop(open);
                });
            }
            Ok(Some(H2Accept::Rejected)) => {
                app.metrics.refused(Code::RequestHeadMalformed);
                malformed += 1;
                if malformed > MAX_MALFORMED {
                    return;
                }
            }
            Ok(None) | Err(_) => return,
        }
    }
}

/// How long the last frames of a connection that is going away have to leave.
const FLUSH: Duration = Duration::from_millis(200);

/// Returns once no stream has been open for `limit`.
async fn idle(streams: &super::Drain, limit: Duration) {
    streams.idle().await;
    tokio::time::sleep(limit).await;
}

/// A stream whose first bytes were read already.
#[derive(Debug)]
struct Replayed {
    read: BytesMut,
    stream: Stream,
}

impl AsyncRead for Replayed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let n = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..n]);
        self.read.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Replayed {
    async fn shutdown(&mut self) {
        self.stream.shutdown().await;
    }
}

impl UniqueID for Replayed {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

// Replaying is for plain text only: with TLS, ALPN says what the connection speaks.
impl Ssl for Replayed {}

impl GetTimingDigest for Replayed {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }
}

impl GetProxyDigest for Replayed {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl GetSocketDigest for Replayed {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}

impl Peek for Replayed {}
