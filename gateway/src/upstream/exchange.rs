//! One exchange in progress: the body goes up while the answer comes down.
//!
//! [`Exchange::next`] is the only place that waits for an upstream once a request is sent. It
//! moves the request body meanwhile, watches the client, and holds the deadlines; what it finds
//! is named once, here.

mod stop;

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode};
use pingora_error::BError;
use pingora_http::ResponseHeader;
use weir_protocols::grpc::status;
use weir_telemetry::Code;
use weir_telemetry::record::RpcStatus;

use super::Lease;
use super::attribute::{self, Failure, Sent};
use super::body::Writer;
use super::call::Body;
use super::clock::{Clock, Overdue, Phase};
use super::keep_alive;
use super::pool::Facts;
use super::session::Session;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};

pub(crate) use stop::Stop;

/// What an upstream said next.
pub(crate) enum Incoming {
    /// A 1xx head other than 101; more heads follow.
    Informational(Box<ResponseHeader>),
    /// The final head.
    Head(Box<ResponseHeader>),
    /// A piece of the body.
    Chunk(Bytes),
    /// The body's clean end, with trailers if there were any.
    End(Option<HeaderMap>),
}

/// An exchange with one endpoint, from the sent head to the end of the answer.
pub(crate) struct Exchange {
    session: Session,
    writer: Writer,
    facts: Facts,
    lease: Lease,
    attempt: usize,
    head_bytes: u64,
    hasty: bool,
    clock: Clock,
    sent: Instant,
    head: Option<Instant>,
    /// Until when the body is held back, unless the endpoint asks for it before.
    held: Option<Instant>,
    ended: bool,
}

/// An endpoint that does not know of 100 waits for the body, as its caller for the 100: after this
/// it gets it unasked (RFC 9110, 10.1.1).
const UNASKED: Duration = Duration::from_secs(1);

enum Event {
    Upstream(Result<Incoming, BError>),
    Uploaded(std::io::Result<()>),
    Client(Result<Option<Bytes>, GatewayError>),
    Gone(GatewayError),
    Overdue(Overdue),
    Silence,
    Over,
}

impl Exchange {
    /// Takes over once the head is sent.
    pub(super) fn begin(
        session: Session,
        (writer, head_bytes): (Writer, usize),
        facts: Facts,
        lease: Lease,
        request: &mut Request,
        (deadline, hasty): (Instant, bool),
    ) -> Self {
        let now = Instant::now();
        let attempt = request.record.attempts.len() - 1;
        request.record.attempts[attempt].bytes_sent = head_bytes as u64;
        let clock = Clock::begin(lease.upstream().timeouts, deadline, now);
        Exchange {
            session,
            writer,
            facts,
            lease,
            attempt,
            head_bytes: head_bytes as u64,
            hasty,
            clock,
            sent: now,
            head: None,
            held: None,
            ended: false,
        }
    }

    /// Holds the body back until the endpoint asks for it.
    pub(super) fn hold(&mut self) {
        let first_byte = self.lease.upstream().timeouts.first_byte;
        self.held = Some(self.sent + UNASKED.min(first_byte / 2));
    }

    /// Waits for the next thing the upstream says; the caller gets what is written so far first.
    pub(crate) async fn next(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        body: &mut Body,
    ) -> Result<Incoming, Stop> {
        loop {
            // Silence is not told of where nothing is to be done at a certain time.
            if let Some(next) = self.next_or_silence(request, down, body, None).await? {
                return Ok(next);
            }
        }
    }

    /// As [`Exchange::next`]; `None` if the upstream has said nothing by `until`, for the caller to
    /// be told something meanwhile. Asked again, the same wait goes on: the upstream has no longer
    /// for it.
    pub(crate) async fn next_or_silence(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        body: &mut Body,
        until: Option<Instant>,
    ) -> Result<Option<Incoming>, Stop> {
        if down.unsent() {
            if let Some(next) = self.wait(request, down, body, until).now_or_never() {
                return next;
            }
            down.flush().await.map_err(Stop::Client)?;
        }
        self.wait(request, down, body, until).await
    }

    /// May be dropped while pending and asked again.
    ///
    /// Neither way may starve the other: an endpoint that always has more to say must not keep
    /// the caller's words from it, so who is looked at first is left to chance. Only the clock
    /// comes last: what has arrived is not late.
    async fn wait(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        body: &mut Body,
        until: Option<Instant>,
    ) -> Result<Option<Incoming>, Stop> {
        if self.is_over() {
            let at = self.clock.progressed();
            return self
                .received(request, Ok(Incoming::End(None)), at)
                .map(Some);
        }
        let mut waiting = Instant::now();
        self.clock.wait(waiting);
        loop {
            let phase = self.phase();
            if let Some(overdue) = self.clock.check(waiting, phase) {
                return Err(self.overdue(request, overdue));
            }
            // An endpoint that always has more to say may say nothing that is for the caller.
            if until.is_some_and(|until| waiting >= until) {
                self.clock.interrupt();
                return Ok(None);
            }
            let wake = self.held.into_iter().chain(until).min();
            let event = self.event(request, down, phase, wake).await;
            let now = Instant::now();
            match event {
                Event::Upstream(read) => {
                    request.waits.upstream += now - waiting;
                    self.clock.progress(now);
                    return self.received(request, read, now).map(Some);
                }
                Event::Uploaded(moved) => {
                    request.waits.upstream += now - waiting;
                    self.clock.progress(now);
                    if let Err(error) = moved {
                        self.upload_broke(request, &error)?;
                    }
                }
                Event::Client(chunk) => {
                    request.waits.client += now - waiting;
                    self.clock.progress(now);
                    self.upload(chunk.map_err(Stop::Client)?, body);
                }
                Event::Gone(error) => {
                    request.waits.upstream += now - waiting;
                    return Err(Stop::Client(error));
                }
                Event::Overdue(overdue) => {
                    match phase {
                        Phase::Caller => request.waits.client += now - waiting,
                        Phase::Head | Phase::Body => request.waits.upstream += now - waiting,
                    }
                    return Err(self.overdue(request, overdue));
                }
                Event::Silence => {
                    request.waits.upstream += now - waiting;
                    if self.held.is_none_or(|held| now < held) {
                        self.clock.interrupt();
                        return Ok(None);
                    }
                    self.held = None;
                }
                Event::Over => {
                    let error = GatewayError::new(Code::Draining)
                        .source("it had not ended when the drain timeout passed");
                    return Err(Stop::Client(error));
                }
            }
            waiting = now;
        }
    }

    /// Whether the answer has come to its end already, without trailers: nothing is waited for then.
    fn is_over(&mut self) -> bool {
        self.head.is_some()
            && !self.session.has_trailers()
            && self.session.body_done().unwrap_or(false)
    }

    /// Waits for whatever comes first. Dropping any of these waits loses nothing.
    async fn event(
        &mut self,
        request: &Request,
        down: &mut Downstream,
        phase: Phase,
        until: Option<Instant>,
    ) -> Event {
        let Exchange {
            session,
            writer,
            clock,
            ..
        } = self;
        let head_due = self.head.is_none();
        let pending = writer.pending();
        // Once a caller has closed its way of a tunnel, there is nothing left to hear from it.
        let asked = self.held.is_none();
        let tunnel = writer.is_tunnel();
        let listening = asked && !pending && (writer.is_open() || !tunnel);
        // Pinned here, because a future is copied wherever it is moved to.
        let moving = pin!(async {
            tokio::select! {
                read = read(session, head_due, tunnel) => Event::Upstream(read),
                moved = writer.progress(), if pending => Event::Uploaded(moved),
                event = hear(down, listening) => event,
            }
        });
        tokio::select! {
            biased;
            () = request.gateway.drain.must_end() => Event::Over,
            event = moving => event,
            overdue = clock.overdue(phase, until) => overdue.map_or(Event::Silence, Event::Overdue),
        }
    }

    /// Whose turn it is. An endpoint cannot be late with an answer to what it was not yet sent.
    fn phase(&self) -> Phase {
        match self.head {
            Some(_) => Phase::Body,
            None if self.held.is_some() => Phase::Head,
            None if self.writer.is_open() && !self.writer.pending() => Phase::Caller,
            None => Phase::Head,
        }
    }

    fn upload(&mut self, chunk: Option<Bytes>, body: &mut Body) {
        match chunk {
            Some(chunk) => {
                if let Body::Stream {
                    first, consumed, ..
                } = body
                    && !chunk.is_empty()
                {
                    // What came first is kept: a call whose one message comes a little after its
                    // head can be made again as well as one whose message came with it.
                    match first {
                        None if !*consumed => *first = Some(chunk.clone()),
                        _ => *consumed = true,
                    }
                }
                self.writer.push(chunk);
            }
            None => {
                // A replay must know, too, that this was all: the caller says so only once.
                if let Body::Stream { last, .. } = body {
                    *last = true;
                }
                self.writer.finish();
            }
        }
    }

    /// An endpoint may answer early and stop reading: its answer still counts.
    fn upload_broke(&mut self, request: &mut Request, error: &std::io::Error) -> Result<(), Stop> {
        if self.writer.is_tunnel() {
            return Err(self.failed(request, attribute::writing_body(error)));
        }
        self.writer.give_up();
        Ok(())
    }

    fn received(
        &mut self,
        request: &mut Request,
        read: Result<Incoming, BError>,
        now: Instant,
    ) -> Result<Incoming, Stop> {
        let attempt = &mut request.record.attempts[self.attempt];
        match &read {
            Ok(Incoming::Informational(head)) if head.status != StatusCode::CONTINUE => {}
            // It asks for the body, or answers without it.
            _ => self.held = None,
        }
        match read {
            Ok(Incoming::Head(head)) => {
                if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    let Some(tunnel) = self.session.tunnel() else {
                        let failure = Failure::new(
                            Code::HttpProtocolError,
                            Sent::Some,
                            "it switched protocols without being asked to",
                        );
                        return Err(self.failed(request, failure));
                    };
                    self.writer = tunnel;
                }
                self.head = Some(now);
                let keep_alive = head.headers.get("keep-alive");
                self.facts.keep_alive = keep_alive.and_then(keep_alive::timeout_of);
                attempt.first_byte = Some(now - self.sent);
                attempt.status = Some(head.status.as_u16());
                attempt.bytes_sent = self.head_bytes + self.writer.sent();
                // A call that failed at once: the breaker listens to the first word only.
                let status = head.headers.get("grpc-status");
                match status.and_then(|status| status::Code::parse(status.as_bytes())) {
                    Some(status) if is_failure(status) => self.lease.failed(),
                    _ => self.lease.answered(head.status),
                }
                Ok(Incoming::Head(head))
            }
            Ok(Incoming::End(trailers)) => {
                self.ended = true;
                attempt.body = self.head.map(|head| now - head);
                attempt.bytes_sent = self.head_bytes + self.writer.sent();
                Ok(Incoming::End(trailers))
            }
            Ok(other) => Ok(other),
            Err(error) => {
                let failure = match self.head {
                    None => attribute::awaiting_head(&error, self.session.heard()),
                    Some(_) => attribute::amid_body(&error),
                };
                if failure.code == Code::ConnectionTerminated {
                    let pool = &self.lease.endpoint().pool;
                    let how = attribute::how_it_ended(&error);
                    attempt.keep_alive_race = pool.ended_in_use(&self.facts, now - self.sent, how);
                }
                Err(self.failed(request, failure))
            }
        }
    }

    fn overdue(&mut self, request: &mut Request, overdue: Overdue) -> Stop {
        let Overdue { code, detail } = overdue;
        if code == Code::RequestBodyTimeout {
            return Stop::Client(GatewayError::new(code).source(detail));
        }
        let failure = Failure::new(code, Sent::Some, detail);
        // Who has no time to give cannot make endpoints look bad.
        if self.hasty && code == Code::RequestDeadlineExceeded {
            return Stop::Upstream(failure);
        }
        self.failed(request, failure)
    }

    /// Takes in how the upstream ended a call.
    pub(crate) fn called(&mut self, request: &mut Request, status: status::Code) {
        request.record.attempts[self.attempt].rpc = Some(RpcStatus {
            number: status.number(),
            name: status.name(),
        });
        if is_failure(status) {
            self.lease.failed();
        }
    }

    fn failed(&mut self, request: &mut Request, failure: Failure) -> Stop {
        self.lease.failed();
        request.record.attempts[self.attempt].bytes_sent = self.head_bytes + self.writer.sent();
        Stop::Upstream(failure)
    }

    /// Both ways of a connection that has left HTTP, for who moves its bytes by deadlines of its own.
    pub(crate) fn ways(&mut self) -> (&mut Session, &mut Writer) {
        (&mut self.session, &mut self.writer)
    }

    /// Holds a failure of a connection that has left HTTP against the endpoint.
    pub(crate) fn broke(&mut self, request: &mut Request, failure: Failure) -> GatewayError {
        self.failed(request, failure).into()
    }

    /// Ends a call whose answer was read to its end, and keeps the connection if it can be used
    /// again.
    pub(crate) fn finish(self, request: &mut Request) {
        let now = Instant::now();
        let attempt = &mut request.record.attempts[self.attempt];
        attempt.total = (now - request.began).saturating_sub(attempt.started);
        if !self.ended || !self.writer.done() || self.writer.pending() {
            return;
        }
        if let Some(handle) = self.session.into_reusable() {
            self.lease.endpoint().pool.park(handle, self.facts, now);
        }
    }

    /// Writes down that the exchange was given up before its end.
    pub(crate) fn abandon(self, request: &mut Request, error: &GatewayError) {
        let attempt = &mut request.record.attempts[self.attempt];
        attempt.total = request.began.elapsed().saturating_sub(attempt.started);
        attempt.bytes_sent = self.head_bytes + self.writer.sent();
        attempt.code = Some(error.code);
        attempt.detail.clone_from(&error.source);
    }

    /// Whether both sides have agreed to leave HTTP.
    pub(crate) fn has_left_http(&self) -> bool {
        self.writer.is_tunnel()
    }

    /// Whether the answer's head already says that no body follows.
    pub(crate) fn bodiless(&mut self) -> bool {
        self.session.body_done().unwrap_or(false)
    }
}

/// Whether a call that ended so speaks against its endpoint as a 5xx does.
const fn is_failure(status: status::Code) -> bool {
    matches!(
        status,
        status::Code::Unavailable | status::Code::Internal | status::Code::Unknown
    )
}

/// What the caller does next. Who is not listened to may leave all the same, and an endpoint that takes
/// nothing would hide it. May be dropped while pending.
async fn hear(down: &mut Downstream, listening: bool) -> Event {
    match listening {
        true => Event::Client(down.read().await),
        false => Event::Gone(down.gone().await),
    }
}

/// Reads what comes next; may be dropped while pending.
async fn read(session: &mut Session, head_due: bool, tunnel: bool) -> Result<Incoming, BError> {
    if head_due {
        let head = session.read_head().await?;
        let informational =
            head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS;
        return Ok(if informational {
            Incoming::Informational(head)
        } else {
            Incoming::Head(head)
        });
    }
    if tunnel {
        let read = session.read_tunnel().await?;
        return Ok(read.map_or(Incoming::End(None), Incoming::Chunk));
    }
    if !session.body_done()?
        && let Some(chunk) = session.read_chunk().await?
    {
        return Ok(Incoming::Chunk(chunk));
    }
    Ok(Incoming::End(session.trailers().await?))
}
