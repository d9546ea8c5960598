//! One connection as two ends of the same stream.
//!
//! Pingora's sessions own their stream, and read and write through one `&mut`. A gateway must be
//! able to send a request body while it reads the answer, and to flush what a session has written
//! and not sent. So the stream lives behind a shared handle: the session holds one end, the
//! gateway the other. Small writes are gathered until somebody flushes, so that a head and a small
//! body, or a chunk and its framing, or what many streams say at one time, leave in one system call.
//!
//! This module knows bytes only: no HTTP, no upstream, no caller.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use parking_lot::Mutex;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A shared handle to one established stream, TCP or TLS.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Shared>);

struct Shared {
    _kept: Box<dyn Any + Send + Sync>,
    id: UniqueIDType,
    wire: Mutex<Wire>,
    corked: AtomicBool,
    heard: AtomicBool,
}

/// The stream, and what was written and not sent yet.
struct Wire {
    stream: Stream,
    gathered: BytesMut,
}

/// How much is gathered at most; what is longer is written where it lies, without a copy.
const GATHER: usize = 16 << 10;
/// How much is read at most at once.
const READ: usize = 16 << 10;
/// As much room for that is kept while there is nothing to gather.
const KEPT: usize = 4096;

impl Wire {
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.gathered.len() + data.len() <= GATHER {
            self.gathered.extend_from_slice(data);
            return Poll::Ready(Ok(data.len()));
        }
        while !self.gathered.is_empty() {
            let both = [IoSlice::new(&self.gathered), IoSlice::new(data)];
            let n = ready!(Pin::new(&mut *self.stream).poll_write_vectored(cx, &both))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let old = n.min(self.gathered.len());
            self.gathered.advance(old);
            if n > old {
                return Poll::Ready(Ok(n - old));
            }
        }
        Pin::new(&mut *self.stream).poll_write(cx, data)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let n = ready!(Pin::new(&mut *self.stream).poll_write(cx, &self.gathered))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(n);
        }
        if self.gathered.try_reclaim(KEPT + 1) {
            self.gathered = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut *self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut *self.stream).poll_shutdown(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_read(cx, buf)
    }
}

/// What an idle connection is found to be when somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing arrived: it can be used.
    Open,
    /// The peer has closed it, or sent bytes nobody asked for.
    Gone,
}

impl Handle {
    /// Takes over an established stream; `kept` lives as long as it.
    pub(crate) fn new(stream: Stream, kept: impl Any + Send + Sync) -> Self {
        Handle(Arc::new(Shared {
            _kept: Box::new(kept),
            id: stream.id(),
            wire: Mutex::new(Wire {
                stream,
                gathered: BytesMut::new(),
            }),
            corked: AtomicBool::new(false),
            heard: AtomicBool::new(false),
        }))
    }

    /// The end that is handed to Pingora's session.
    pub(crate) fn end(&self) -> Stream {
        Box::new(End {
            shared: self.0.clone(),
            turn: None,
        })
    }

    /// As [`Handle::end`], for a session whose streams share the connection: what they have to say at
    /// one time leaves together, although each asks for a flush of its own.
    pub(crate) fn shared_end(&self) -> Stream {
        Box::new(End {
            shared: self.0.clone(),
            turn: Some(Turn::default()),
        })
    }

    /// Forgets what the peer has sent so far: a new exchange begins.
    pub(crate) fn listen(&self) {
        self.0.heard.store(false, Ordering::Relaxed);
    }

    /// Whether the peer has sent anything since [`Handle::listen`]. A request may have been
    /// processed in part once its answer has begun, however little of it came.
    pub(crate) fn heard(&self) -> bool {
        self.0.heard.load(Ordering::Relaxed)
    }

    /// Holds back flushes, so that several writes leave together, or lets them through again: the
    /// next one sends everything written since.
    pub(crate) fn cork(&self, corked: bool) {
        self.0.corked.store(corked, Ordering::Relaxed);
    }

    /// Writes as much of `data` as the stream takes now.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.wire.lock().poll_write(cx, data)
    }

    /// Sends what was gathered.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Sends what was gathered by earlier writes.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.wire.lock().poll_flush(cx)
    }

    /// Says that nothing more will be written; the peer may still send.
    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.wire.lock().poll_shutdown(cx)
    }

    /// Reads what has arrived, or waits for it; nothing at the end. Nothing is kept for what is to
    /// come, so that a connection nobody speaks on takes no room for it. May be dropped while pending.
    pub(crate) async fn read(&self) -> io::Result<Bytes> {
        std::future::poll_fn(|cx| {
            let mut room = [MaybeUninit::uninit(); READ];
            let mut buf = ReadBuf::uninit(&mut room);
            ready!(self.0.wire.lock().poll_read(cx, &mut buf))?;
            Poll::Ready(Ok(Bytes::copy_from_slice(buf.filled())))
        })
        .await
    }

    /// Looks at an idle connection without waiting.
    pub(crate) fn look(&self) -> Idle {
        let mut byte = [0; 1];
        let mut buf = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let read = self.0.wire.lock().poll_read(&mut cx, &mut buf);
        match read {
            Poll::Pending => Idle::Open,
            Poll::Ready(_) => Idle::Gone,
        }
    }
}

/// The session's end of a [`Handle`].
struct End {
    shared: Arc<Shared>,
    /// Whose turn it is, where others may have something to add before a flush.
    turn: Option<Turn>,
}

/// Lets all tasks that are ready to run go first, once for each flush: a task that wakes itself is
/// put behind them.
#[derive(Default)]
struct Turn {
    given: bool,
}

impl Turn {
    fn poll_come(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.given = !self.given;
        if self.given {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "End({})", self.shared.id)
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = self.shared.wire.lock().poll_read(cx, buf);
        if buf.filled().len() > before {
            self.shared.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.wire.lock().poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let End { shared, turn } = &mut *self;
        if shared.corked.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let mut wire = shared.wire.lock();
        if let Some(turn) = turn
            && !wire.gathered.is_empty()
        {
            ready!(turn.poll_come(cx));
        }
        wire.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.wire.lock().poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for End {
    async fn shutdown(&mut self) {
        let closed = std::future::poll_fn(|cx| self.shared.wire.lock().poll_shutdown(cx));
        // The peer may be gone already; there is nobody left to tell.
        let _ = closed.await;
    }
}

impl UniqueID for End {
    fn id(&self) -> UniqueIDType {
        self.shared.id
    }
}

impl Ssl for End {}

// What Pingora would copy per request is kept once per connection by the pool instead.
impl GetTimingDigest for End {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for End {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for End {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

impl Peek for End {}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use pingora_core::protocols::l4::stream::Stream as Socket;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let ours = TcpStream::connect(address).await.expect("it listens");
        let (theirs, _) = listener.accept().await.expect("somebody connects");
        let stream: Stream = Box::new(Socket::from(ours));
        (Handle::new(stream, ()).shared_end(), theirs)
    }

    #[tokio::test]
    async fn what_streams_say_at_one_time_leaves_together() {
        let (mut end, mut peer) = pair().await;
        let mut cx = Context::from_waker(Waker::noop());
        end.write_all(b"one").await.expect("it is gathered");
        assert!(Pin::new(&mut end).poll_flush(&mut cx).is_pending());
        end.write_all(b" and another").await.expect("so is this");
        let mut read = [0; 32];
        let early = peer.try_read(&mut read).expect_err("nothing was sent");
        assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
        end.flush().await.expect("the peer listens");
        let length = peer.read(&mut read).await.expect("it was sent");
        assert_eq!(&read[..length], b"one and another");
    }

    #[tokio::test]
    async fn a_flush_comes_to_its_end_with_nobody_else_to_run() {
        let (mut end, mut peer) = pair().await;
        for word in [b"a", b"b"] {
            end.write_all(word).await.expect("it is gathered");
            end.flush().await.expect("the peer listens");
            let mut read = [0; 1];
            peer.read_exact(&mut read).await.expect("it was sent");
            assert_eq!(&read, word);
        }
    }
}
