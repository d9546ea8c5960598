//! One exchange in progress: the body goes up while the answer comes down.
//!
//! [`Exchange::next`] is the only place that waits for an upstream once a request is sent. It
//! moves the request body meanwhile, watches the client, and holds the deadlines; what it finds
//! is named once, here.

use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora_error::BError;
use pingora_http::ResponseHeader;
use tokio::time::Sleep;
use weir_telemetry::Code;

use super::attribute::{self, Failure, Sent};
use super::body::Writer;
use super::call::Body;
use super::pool::Facts;
use super::session::Session;
use super::{Lease, Timeouts};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};

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

/// Why an exchange stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The upstream failed.
    Upstream(Failure),
    /// The client failed, or left.
    Client(GatewayError),
}

impl From<Failure> for GatewayError {
    fn from(failure: Failure) -> Self {
        GatewayError::new(failure.code).source(failure.detail)
    }
}

impl From<Stop> for GatewayError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Upstream(failure) => failure.into(),
            Stop::Client(error) => error,
        }
    }
}

/// An exchange with one endpoint, from the sent head to the end of the answer.
pub(crate) struct Exchange {
    session: Session,
    writer: Writer,
    facts: Facts,
    lease: Lease,
    attempt: usize,
    head_bytes: u64,
    timeouts: Timeouts,
    timer: Pin<Box<Sleep>>,
    deadline: Instant,
    sent: Instant,
    progress: Instant,
    head: Option<Instant>,
    ended: bool,
}

enum Event {
    Upstream(Result<Incoming, BError>),
    Uploaded(std::io::Result<()>),
    Client(Result<Option<Bytes>, GatewayError>),
    Timer,
}

impl Exchange {
    /// Takes over once the head is sent.
    pub(super) fn begin(
        session: Session,
        (writer, head_bytes): (Writer, usize),
        facts: Facts,
        lease: Lease,
        request: &mut Request,
        deadline: Instant,
    ) -> Self {
        let now = Instant::now();
        let timeouts = lease.upstream().timeouts;
        let attempt = request.record.attempts.len() - 1;
        request.record.attempts[attempt].bytes_sent = head_bytes as u64;
        let first = (now + timeouts.first_byte).min(deadline);
        Exchange {
            session,
            writer,
            facts,
            lease,
            attempt,
            head_bytes: head_bytes as u64,
            timeouts,
            timer: Box::pin(tokio::time::sleep_until(first.into())),
            deadline,
            sent: now,
            progress: now,
            head: None,
            ended: false,
        }
    }

    /// Waits for the next thing the upstream says.
    pub(crate) async fn next(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        body: &mut Body,
    ) -> Result<Incoming, Stop> {
        loop {
            let waiting = Instant::now();
            let head_due = self.head.is_none();
            let event = tokio::select! {
                biased;
                read = read(&mut self.session, head_due) => Event::Upstream(read),
                moved = self.writer.progress(), if self.writer.pending() => Event::Uploaded(moved),
                chunk = down.read(), if !self.writer.pending() => Event::Client(chunk),
                () = self.timer.as_mut() => Event::Timer,
            };
            let now = Instant::now();
            match event {
                Event::Upstream(read) => {
                    request.waits.upstream += now - waiting;
                    return self.received(request, read, now);
                }
                Event::Uploaded(moved) => {
                    request.waits.upstream += now - waiting;
                    self.progress = now;
                    if let Err(error) = moved {
                        self.upload_broke(&error)?;
                    }
                }
                Event::Client(chunk) => {
                    request.waits.client += now - waiting;
                    self.progress = now;
                    self.upload(chunk.map_err(Stop::Client)?, body);
                }
                Event::Timer => {
                    request.waits.upstream += now - waiting;
                    self.timer_fired(now)?;
                }
            }
        }
    }

    fn upload(&mut self, chunk: Option<Bytes>, body: &mut Body) {
        match chunk {
            Some(chunk) => {
                if let Body::Stream { consumed, .. } = body {
                    *consumed = true;
                }
                self.writer.push(chunk);
            }
            None => self.writer.finish(),
        }
    }

    /// An endpoint may answer early and stop reading: its answer still counts.
    fn upload_broke(&mut self, error: &std::io::Error) -> Result<(), Stop> {
        if self.session.upgraded() {
            return Err(self.failed(attribute::writing_body(error)));
        }
        self.writer = Writer::ended();
        Ok(())
    }

    fn received(
        &mut self,
        request: &mut Request,
        read: Result<Incoming, BError>,
        now: Instant,
    ) -> Result<Incoming, Stop> {
        self.progress = now;
        let attempt = &mut request.record.attempts[self.attempt];
        match read {
            Ok(Incoming::Head(head)) => {
                self.head = Some(now);
                attempt.first_byte = Some(now - self.sent);
                attempt.status = Some(head.status.as_u16());
                attempt.bytes_sent = self.head_bytes + self.writer.sent();
                if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    self.writer = self.session.upgraded_writer();
                }
                self.lease.answered(head.status);
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
                    None => attribute::awaiting_head(&error, false),
                    Some(_) => attribute::amid_body(&error),
                };
                Err(self.failed(failure))
            }
        }
    }

    fn timer_fired(&mut self, now: Instant) -> Result<(), Stop> {
        let (due, code) = self.due();
        if now < due {
            self.timer.as_mut().reset(due.into());
            return Ok(());
        }
        let detail = match code {
            Code::HttpResponseTimeout => format!("no first byte in {:?}", self.timeouts.first_byte),
            Code::ResponseStalled => format!("silent for {:?}", self.timeouts.stream_idle),
            _ => "the request's total deadline has passed".to_owned(),
        };
        Err(self.failed(Failure::new(code, Sent::Some, detail)))
    }

    /// The next moment at which waiting becomes a failure, and which one.
    fn due(&self) -> (Instant, Code) {
        let (phase, code) = match self.head {
            None => (self.progress + self.timeouts.first_byte, Code::HttpResponseTimeout),
            Some(_) => (self.progress + self.timeouts.stream_idle, Code::ResponseStalled),
        };
        if self.deadline <= phase { (self.deadline, Code::RequestDeadlineExceeded) } else { (phase, code) }
    }

    fn failed(&mut self, failure: Failure) -> Stop {
        self.lease.failed();
        Stop::Upstream(failure)
    }

    /// Ends a call whose answer was read to its end, and keeps the connection if it can be used
    /// again.
    pub(crate) fn finish(self, request: &mut Request) {
        let attempt = &mut request.record.attempts[self.attempt];
        attempt.total = request.began.elapsed().saturating_sub(attempt.started);
        if !self.ended || !self.writer.done() || self.writer.pending() {
            return;
        }
        if let Some(handle) = self.session.into_reusable() {
            self.lease.endpoint().pool.park(handle, self.facts);
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

    /// Whether the answer's head already says that no body follows.
    pub(crate) fn bodiless(&mut self) -> bool {
        self.session.body_done().unwrap_or(false)
    }
}

/// Reads what comes next; may be dropped while pending.
async fn read(session: &mut Session, head_due: bool) -> Result<Incoming, BError> {
    if head_due {
        let head = session.read_head().await?;
        let informational =
            head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS;
        return Ok(if informational { Incoming::Informational(head) } else { Incoming::Head(head) });
    }
    if !session.body_done()?
        && let Some(chunk) = session.read_chunk().await?
    {
        return Ok(Incoming::Chunk(chunk));
    }
    Ok(Incoming::End(session.trailers().await?))
}
