//! The way of a request body to an endpoint, independent of the answer's way back.
//!
//! An echo answers while it is still being asked; a writer that could only wait would deadlock
//! with it. So a chunk is accepted whole, and moved by [`Writer::progress`], which may be dropped
//! and called again at any point without losing a byte.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;

use crate::wire::Handle;

/// Where the bytes go.
enum Sink {
    /// HTTP/1 with a Content-Length: bytes as they are.
    Plain(Handle),
    /// HTTP/1 with chunked transfer coding.
    Chunked(Handle),
    /// A connection that has left HTTP: its end is told by closing this direction.
    Tunnel(Handle),
    /// Nothing is to be sent.
    Nowhere,
    /// An HTTP/2 stream.
    Stream(SendStream<Bytes>),
}

/// Writes one request body.
pub(crate) struct Writer {
    sink: Sink,
    queue: VecDeque<Bytes>,
    sent: u64,
    end: End,
    dirty: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// The last chunk is queued.
    Queued,
    /// The end has been sent.
    Sent,
    /// The endpoint takes no more; what was left has been dropped.
    Broken,
}

impl Writer {
    /// A writer onto an HTTP/1 connection.
    pub(crate) fn http1(handle: Handle, chunked: bool) -> Self {
        Self::over(if chunked {
            Sink::Chunked(handle)
        } else {
            Sink::Plain(handle)
        })
    }

    /// A writer onto a connection that has left HTTP.
    pub(crate) fn tunnel(handle: Handle) -> Self {
        Self::over(Sink::Tunnel(handle))
    }

    /// A writer onto an HTTP/2 stream.
    pub(crate) fn http2(stream: SendStream<Bytes>) -> Self {
        Self::over(Sink::Stream(stream))
    }

    /// A writer for a stream whose head already ended it.
    pub(crate) fn ended() -> Self {
        Writer {
            end: End::Sent,
            ..Self::over(Sink::Nowhere)
        }
    }

    fn over(sink: Sink) -> Self {
        Writer {
            sink,
            queue: VecDeque::new(),
            sent: 0,
            end: End::Open,
            dirty: false,
        }
    }

    /// Accepts a chunk; the caller lets it drain before it offers the next. What comes after the
    /// end, or after the endpoint stopped taking it, is dropped.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        // What nobody takes any more is dropped: it would wait here for ever.
        if chunk.is_empty() || self.end != End::Open {
            return;
        }
        match self.sink {
            Sink::Chunked(_) => {
                self.queue
                    .push_back(Bytes::from(format!("{:x}\r\n", chunk.len())));
                self.queue.push_back(chunk);
                self.queue.push_back(Bytes::from_static(b"\r\n"));
            }
            _ => self.queue.push_back(chunk),
        }
    }

    /// Says that the body is complete.
    pub(crate) fn finish(&mut self) {
        if self.end != End::Open {
            return;
        }
        self.end = End::Queued;
        if let Sink::Chunked(_) = self.sink {
            self.queue.push_back(Bytes::from_static(b"0\r\n\r\n"));
        }
    }

    /// Gives up on the rest, because the endpoint takes no more of it.
    pub(crate) fn give_up(&mut self) {
        self.sink = Sink::Nowhere;
        self.queue.clear();
        self.dirty = false;
        self.end = End::Broken;
    }

    /// Whether more may be pushed.
    pub(crate) fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// Whether it writes onto a connection that has left HTTP.
    pub(crate) fn is_tunnel(&self) -> bool {
        matches!(self.sink, Sink::Tunnel(_))
    }

    /// Whether something waits to be written.
    pub(crate) fn pending(&self) -> bool {
        !self.queue.is_empty() || self.dirty || self.end == End::Queued
    }

    /// Whether the whole body has been handed to the transport.
    pub(crate) fn done(&self) -> bool {
        self.end == End::Sent
    }

    /// Body bytes handed to the transport, framing included.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Moves what is queued. Safe to drop while pending.
    pub(crate) async fn progress(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_progress(cx)).await
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.sink {
            Sink::Plain(handle) | Sink::Chunked(handle) | Sink::Tunnel(handle) => {
                while let Some(front) = self.queue.front_mut() {
                    let n = ready!(handle.poll_write(cx, front))?;
                    if n == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    self.sent += n as u64;
                    self.dirty = true;
                    bytes::Buf::advance(front, n);
                    if front.is_empty() {
                        self.queue.pop_front();
                    }
                }
                if self.dirty {
                    ready!(handle.poll_flush(cx))?;
                    self.dirty = false;
                }
                if self.end == End::Queued {
                    if let Sink::Tunnel(handle) = &self.sink {
                        ready!(handle.poll_shutdown(cx))?;
                    }
                    self.end = End::Sent;
                }
                Poll::Ready(Ok(()))
            }
            Sink::Nowhere => Poll::Ready(Ok(())),
            Sink::Stream(stream) => {
                let last = self.end == End::Queued;
                ready!(poll_stream(
                    stream,
                    &mut self.queue,
                    &mut self.sent,
                    last,
                    cx
                ))?;
                if last {
                    self.end = End::Sent;
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

fn poll_stream(
    stream: &mut SendStream<Bytes>,
    queue: &mut VecDeque<Bytes>,
    sent: &mut u64,
    last: bool,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if queue.is_empty() && last {
        stream
            .send_data(Bytes::new(), true)
            .map_err(io::Error::other)?;
        return Poll::Ready(Ok(()));
    }
    while let Some(front) = queue.front_mut() {
        stream.reserve_capacity(front.len());
        while stream.capacity() == 0 {
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(Err(io::Error::other(e))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let part = front.split_to(stream.capacity().min(front.len()));
        *sent += part.len() as u64;
        if front.is_empty() {
            queue.pop_front();
        }
        let end = last && queue.is_empty();
        stream.send_data(part, end).map_err(io::Error::other)?;
    }
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_no_longer_takes_is_dropped_and_never_pending() {
        let mut writer = Writer::over(Sink::Nowhere);
        writer.give_up();
        writer.push(Bytes::from_static(b"too late"));
        writer.finish();
        assert!(!writer.pending() && !writer.is_open());
        assert!(
            !writer.done(),
            "a connection whose request was cut carries no other"
        );
    }

    #[test]
    fn nothing_follows_the_end() {
        let mut writer = Writer::ended();
        writer.push(Bytes::from_static(b"more"));
        assert!(!writer.pending() && writer.done());
    }
}
