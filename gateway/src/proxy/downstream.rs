//! The caller's side of a request: its body in, the answer out.
//!
//! It counts, limits and filters what passes, and names what goes wrong with the caller. It knows
//! no route and no upstream.

mod aside;
mod end;
mod kept;
mod tunnel;
mod watch;

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode, Version};
use pingora_core::protocols::http::ServerSession;
use pingora_http::{RequestHeader, ResponseHeader};
use weir_telemetry::Code;

use super::blame::{client_fault, too_large};
use super::filters::Filters;
use super::head;
use super::waiting::waiting;
use crate::error::GatewayError;
use crate::policy::Unit;
use crate::wire::Handle;
pub(crate) use kept::Answer;
use kept::Kept;
use tunnel::Tunnel;

/// How far an answer has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Nothing was sent.
    Nothing,
    /// The head is out; the body is not complete.
    Head,
    /// All of it was sent.
    Whole,
}

/// How far the request body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inbound {
    /// There may be more.
    Body,
    /// The caller sent its end; filters may hold something back.
    Last,
    /// The filters gave their last; only the end is to be told.
    End,
    /// The end was told: all that can still happen is that the caller leaves.
    Over,
    /// It broke off amid the body.
    Lost,
}

/// As much memory is taken for a body, in bytes, before it is there.
const BELIEVED: u64 = 1 << 20;

/// One request's session with its caller.
pub(crate) struct Downstream {
    session: ServerSession,
    wire: Option<Handle>,
    /// Where a caller is heard that has left HTTP.
    tunnel: Option<Tunnel>,
    /// Something was written that may not have been sent.
    unsent: bool,
    /// Filters were given something that they may not have given out.
    held: bool,
    inbound: Inbound,
    answered: Answered,
    continue_due: bool,
    limit: u64,
    received: u64,
    sent: u64,
    waited: Duration,
    /// Whether the request goes on if its caller leaves.
    outlives: bool,
    /// Whether the caller has left, and the request goes on.
    left: bool,
    /// Where the answer goes instead, if nobody is connected who wants it.
    kept: Option<Kept>,
    /// What request bodies pass through on their way up.
    pub(crate) request_filters: Filters,
    /// What response bodies pass through on their way down.
    pub(crate) response_filters: Filters,
}

impl Downstream {
    /// Takes over a session whose head was read, and the wire it writes to.
    pub(crate) fn new(session: ServerSession, wire: Option<Handle>) -> Self {
        // On HTTP/2 Pingora cannot say it, and callers do not wait for long.
        let continue_due =
            !session.is_http2() && head::expects_continue(session.req_header()).unwrap_or(false);
        Downstream {
            session,
            wire,
            tunnel: None,
            unsent: false,
            held: false,
            inbound: Inbound::Body,
            answered: Answered::Nothing,
            continue_due,
            limit: u64::MAX,
            received: 0,
            sent: 0,
            waited: Duration::ZERO,
            outlives: false,
            left: false,
            kept: None,
            request_filters: Filters::default(),
            response_filters: Filters::default(),
        }
    }

    /// The request's head, as the policies left it.
    pub(crate) fn head(&self) -> &RequestHeader {
        self.session.req_header()
    }

    /// The request's head, to be edited.
    pub(crate) fn head_mut(&mut self) -> &mut RequestHeader {
        self.session.req_header_mut()
    }

    /// How far the answer has got.
    pub(crate) fn answered(&self) -> Answered {
        self.answered
    }

    /// Bytes of the request body read, and of the response body written.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.received, self.sent)
    }

    /// Time spent waiting for the caller to take the answer.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// From here on the request goes on should its caller leave: what is written then goes nowhere.
    /// Whoever asks for this has to look, at the end, whether it has [`left`](Self::left).
    pub(crate) fn outlive(&mut self) {
        self.outlives = true;
    }

    /// Whether the caller has left, and the request goes on without it.
    pub(crate) fn left(&self) -> bool {
        self.left
    }

    /// What a failure of the caller's connection is: none, where the request outlives it.
    fn lost(&mut self, error: GatewayError) -> Result<(), GatewayError> {
        if self.outlives && error.code == Code::ClientDisconnected {
            self.left = true;
            return Ok(());
        }
        Err(error)
    }

    /// Bounds the request body, in bytes; refuses a declared length beyond it at once.
    pub(crate) fn limit(&mut self, bytes: u64) -> Result<(), GatewayError> {
        self.limit = self.limit.min(bytes);
        match self.declared() {
            Some(length) if length > self.limit => Err(too_large(self.limit)),
            _ => Ok(()),
        }
    }

    /// Whether nothing more is to come of the request body.
    pub(crate) fn request_done(&mut self) -> bool {
        match self.inbound {
            Inbound::Body => self.request_filters.is_empty() && self.session.is_body_done(),
            Inbound::Last | Inbound::End | Inbound::Lost => false,
            Inbound::Over => true,
        }
    }

    /// Whether the caller is still to be told to send its body: reading tells it.
    pub(crate) const fn continue_due(&self) -> bool {
        self.continue_due
    }

    /// What has already arrived of the body, without waiting for more.
    pub(crate) async fn read_ready(&mut self) -> Result<Option<Bytes>, GatewayError> {
        if self.continue_due {
            return Ok(None);
        }
        // Dropping the read while it is pending loses nothing: Pingora's is made for it.
        self.read().now_or_never().unwrap_or(Ok(None))
    }

    /// The next piece of the request body; `None` at its end. Asked again after the end, it waits
    /// until the caller leaves, and says so. May be dropped while pending.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, GatewayError> {
        self.send_continue().await?;
        loop {
            match self.inbound {
                Inbound::Body => {
                    if let Some(chunk) = self.read_session().await? {
                        return self.request_filters.pass(chunk).map(Some);
                    }
                    self.inbound = Inbound::Last;
                }
                Inbound::Last => {
                    self.inbound = Inbound::End;
                    if let Some(last) = self.request_filters.end()? {
                        return Ok(Some(last));
                    }
                }
                Inbound::End => {
                    self.inbound = Inbound::Over;
                    return Ok(None);
                }
                Inbound::Lost => {
                    return Err(GatewayError::new(Code::ClientDisconnected));
                }
                Inbound::Over if self.left || self.kept.is_some() => std::future::pending().await,
                Inbound::Over => {
                    if let Err(error) = self.session.read_body_or_idle(true).await {
                        self.lost(client_fault(&error))?;
                    }
                }
            }
        }
    }

    async fn read_session(&mut self) -> Result<Option<Bytes>, GatewayError> {
        let read = match &mut self.tunnel {
            Some(tunnel) => tunnel.read().await,
            None if self.session.is_body_done() => return Ok(None),
            None => {
                let read = self.session.read_request_body().await;
                read.map_err(|error| client_fault(&error))
            }
        };
        let chunk = match read {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(None),
            Err(error) => {
                // Where the next request would begin is not known any more.
                self.inbound = Inbound::Lost;
                self.session.set_keepalive(None);
                return Err(error);
            }
        };
        self.received += chunk.len() as u64;
        if self.received > self.limit {
            return Err(too_large(self.limit));
        }
        Ok(Some(chunk))
    }

    /// Takes in what has arrived of a body nobody wants, so that a small one does not cost the
    /// connection.
    pub(crate) fn skip_ready(&mut self) {
        let mut skipped = 0;
        while skipped < MAX_SKIPPED
            && self.inbound == Inbound::Body
            && !self.continue_due
            && !self.session.is_http2()
        {
            match self.read_session().now_or_never() {
                Some(Ok(Some(chunk))) => skipped += chunk.len(),
                _ => return,
            }
        }
    }

    /// The whole request body, bounded by the limit.
    pub(crate) async fn read_whole(&mut self) -> Result<Bytes, GatewayError> {
        let mut first: Option<Bytes> = None;
        let mut whole: Vec<u8> = Vec::new();
        let believed = self.declared().unwrap_or(0).min(BELIEVED) as usize;
        while self.inbound != Inbound::Over {
            let mut waited = Duration::ZERO;
            let chunk = waiting(&mut waited, pin!(self.read())).await;
            self.waited += waited;
            match chunk? {
                None => break,
                Some(chunk) if first.is_none() && whole.is_empty() => first = Some(chunk),
                Some(chunk) => {
                    if let Some(first) = first.take() {
                        whole.reserve(believed);
                        whole.extend_from_slice(&first);
                    }
                    whole.extend_from_slice(&chunk);
                }
            }
        }
        Ok(first.unwrap_or_else(|| whole.into()))
    }

    /// How long the body is said to be.
    fn declared(&self) -> Option<u64> {
        let length = self.head().headers.get(CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    }

    async fn send_continue(&mut self) -> Result<(), GatewayError> {
        if std::mem::take(&mut self.continue_due) && self.answered == Answered::Nothing {
            let kept = self.kept();
            // Pingora's own way to say it says nothing once another interim head is out.
            let head = ResponseHeader::build_no_case(StatusCode::CONTINUE, Some(0))
                .map_err(|e| GatewayError::new(Code::InternalError).source(e))?;
            self.session
                .write_response_header(Box::new(head))
                .await
                .map_err(|e| client_fault(&e))?;
            self.keep(kept);
        }
        Ok(())
    }

    /// Whether the connection is to carry another request.
    fn kept(&self) -> bool {
        self.session
            .as_http1()
            .is_some_and(|session| session.will_keepalive())
    }

    /// Pingora gives up a connection when any head goes out before the request body is whole; an
    /// interim one is no reason to.
    fn keep(&mut self, kept: bool) {
        if kept {
            self.session.set_keepalive(Some(0));
        }
    }

    /// Passes on a 1xx head, where the caller's protocol carries it.
    pub(crate) async fn write_informational(
        &mut self,
        head: Box<ResponseHeader>,
    ) -> Result<(), GatewayError> {
        let carried = !self.session.is_http2() && self.head().version == Version::HTTP_11;
        // Who reads the body says it.
        if self.left || self.kept.is_some() || !carried || head.status == StatusCode::CONTINUE {
            return Ok(());
        }
        let kept = self.kept();
        self.session
            .write_response_header(head)
            .await
            .map_err(|e| client_fault(&e))?;
        self.keep(kept);
        Ok(())
    }

    /// Sends the head of the answer; `bodiless` when nothing follows it.
    pub(crate) async fn write_head(
        &mut self,
        mut head: Box<ResponseHeader>,
        bodiless: bool,
    ) -> Result<(), GatewayError> {
        if self.left {
            return Ok(());
        }
        if let Some(kept) = &mut self.kept {
            self.answered = Answered::Head;
            kept.head(head);
            return Ok(());
        }
        head::frame_answer(&mut head, self.head(), self.session.is_http2(), bodiless);
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            self.inbound = Inbound::Body;
        }
        self.answered = Answered::Head;
        // Pingora flushes heads of answers of unknown length. A 101 has to be: the caller is next.
        self.unsent = !bodiless && !head.status.is_informational();
        self.cork(self.unsent);
        let written = match &mut self.session {
            // Nothing but a head ends with it, as callers by gRPC expect of a status alone.
            ServerSession::H2(session) if bodiless => session.write_response_header(head, true),
            session => {
                let writing = pin!(session.write_response_header(head));
                waiting(&mut self.waited, writing).await
            }
        };
        self.cork(false);
        written.or_else(|e| self.lost(client_fault(&e)))
    }

    /// Sends a piece of the body.
    pub(crate) async fn write_chunk(&mut self, chunk: Bytes) -> Result<(), GatewayError> {
        self.held = !self.response_filters.is_empty();
        let chunk = self.response_filters.pass(chunk)?;
        self.send(chunk).await
    }

    /// Sends a whole server-sent event, which filters see as one.
    pub(crate) async fn write_event(&mut self, event: Bytes) -> Result<(), GatewayError> {
        self.held = !self.response_filters.is_empty();
        let event = self.response_filters.run_one(Unit::Event(event))?;
        self.send(event).await
    }

    /// Sends a piece of an answer of the gateway's own, which filters do not see.
    pub(crate) async fn write_own(&mut self, chunk: Bytes) -> Result<(), GatewayError> {
        self.response_filters = Filters::default();
        self.held = false;
        self.send(chunk).await
    }

    /// Ends the answer cleanly.
    pub(crate) async fn write_end(
        &mut self,
        trailers: Option<HeaderMap>,
    ) -> Result<(), GatewayError> {
        if self.left {
            return Ok(());
        }
        self.held = false;
        let filtered = !self.response_filters.is_empty();
        let trailers = trailers.map(|mut trailers| {
            if filtered {
                head::undigested(&mut trailers);
            }
            trailers
        });
        if let Some(last) = self.response_filters.end()? {
            self.send(last).await?;
        }
        if self.kept.is_some() {
            self.answered = Answered::Whole;
            return Ok(());
        }
        let written = {
            let session = &mut self.session;
            let ending = pin!(async {
                match trailers {
                    Some(trailers) if session.is_http2() => {
                        session.write_response_trailers(trailers).await
                    }
                    _ => session.finish_body().await,
                }
            });
            waiting(&mut self.waited, ending).await
        };
        if let Err(error) = written {
            return self.lost(client_fault(&error));
        }
        self.answered = Answered::Whole;
        self.unsent = false;
        Ok(())
    }

    /// Whether the caller may not have got all that was written.
    pub(crate) fn unsent(&self) -> bool {
        self.held || (self.unsent && self.wire.is_some())
    }

    /// Sends what was written, and what filters can give of it. Where the length of an answer is known, a session sends when it is
    /// complete, and whoever has to wait for more must not let the caller wait for what is there.
    pub(crate) async fn flush(&mut self) -> Result<(), GatewayError> {
        if std::mem::take(&mut self.held) && !self.left {
            let rest = self.response_filters.flush()?;
            self.send(rest).await?;
        }
        self.unsent = false;
        let Some(wire) = self.wire.as_ref().filter(|_| !self.left) else {
            return Ok(());
        };
        let sent = waiting(&mut self.waited, pin!(wire.flush())).await;
        sent.or_else(|e| self.lost(GatewayError::new(Code::ClientDisconnected).source(e)))
    }

    async fn send(&mut self, chunk: Bytes) -> Result<(), GatewayError> {
        if chunk.is_empty() || self.left {
            return Ok(());
        }
        self.sent += chunk.len() as u64;
        if let Some(kept) = &mut self.kept {
            return kept.chunk(&chunk);
        }
        self.unsent = true;
        // Pingora flushes each chunk of a chunked answer. What came together leaves together:
        // whoever has to wait for more flushes before.
        self.cork(true);
        let written = {
            let writing = pin!(self.session.write_response_body(chunk, false));
            waiting(&mut self.waited, writing).await
        };
        self.cork(false);
        written.or_else(|e| self.lost(client_fault(&e)))
    }

    /// Holds back the session's flushes, or no longer.
    fn cork(&self, corked: bool) {
        if let Some(wire) = &self.wire {
            wire.cork(corked);
        }
    }
}

/// What is worth reading of an unwanted body, in bytes.
const MAX_SKIPPED: usize = 64 << 10;
