//! A connection whose other end is the gateway itself: an action hears what its caller says, and says
//! what there is to say.
//!
//! It knows frames, silence and how connections end, and not what is said.

use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use weir_protocols::websocket::{Close, Code as CloseCode, Opcode, frame};
use weir_telemetry::Code;
use weir_telemetry::record::websocket::Closer;

use super::caller::{Caller, Turn};
use super::course::{CLOSING, Course, End, PARTING, Woken};
use super::inspect::Refusal;
use super::pulse::Due;
use super::way::{Step, Way};
use crate::error::GatewayError;
use crate::proxy::Request;

/// Who is at the other end of one connection. What it says are text messages.
#[async_trait]
pub(crate) trait Serve: Send {
    /// Hears a message on a connection that was asked for with `headers`. After a refusal the connection is closed.
    async fn heard(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
        text: &[u8],
    ) -> Result<(), Refusal>;

    /// Goes on with what it has to do, until there may be something to say; for ever, where it has
    /// nothing to do. May be dropped while pending. After a refusal the connection is closed.
    async fn work(&mut self) -> Result<(), Refusal>;

    /// What it says next, if anything. It is asked once its caller has taken what was said before.
    fn say(&mut self, request: &mut Request) -> Option<Vec<u8>>;
}

/// A connection in progress.
pub(super) struct Serving<'a> {
    course: Course<'a>,
    caller: Caller<'a>,
    server: &'a mut dyn Serve,
    way: Way,
    end: End,
}

enum Event {
    Caller(Turn),
    Worked(Result<(), Refusal>),
}

impl<'a> Serving<'a> {
    /// Begins once the caller was told that the connection is open; what it may say is judged by `way`.
    pub(super) fn new(
        course: Course<'a>,
        caller: Caller<'a>,
        server: &'a mut dyn Serve,
        way: Way,
    ) -> Self {
        Serving {
            end: End::new(course.connections, course.used),
            way: way.whole(),
            course,
            caller,
            server,
        }
    }

    /// Hears and says until it is over.
    pub(super) async fn run(mut self) -> Result<(), GatewayError> {
        loop {
            self.speak().await;
            if self.is_over() {
                return self.finish().await;
            }
            let (waiting, due) = (Instant::now(), self.due());
            if due <= waiting {
                self.look_at_clock(waiting).await;
                continue;
            }
            let (woken, now) = self.event(due).await;
            match woken {
                Woken::Event(Event::Caller(Turn::Read(read))) => self.read(read, now).await,
                Woken::Event(Event::Caller(Turn::Wrote(Ok(())))) => self.end.pulse.took(now),
                Woken::Event(Event::Caller(Turn::Wrote(Err(error)))) => {
                    self.lost(Some(gone().source(error)), now);
                }
                Woken::Event(Event::Worked(Ok(()))) | Woken::Due => {}
                Woken::Event(Event::Worked(Err(refusal))) => self.refuse(refusal, now).await,
                Woken::Drain => self.drain(now).await,
            }
        }
    }

    fn is_over(&self) -> bool {
        let late = self
            .course
            .until
            .is_some_and(|until| Instant::now() >= until);
        let taken = self.end.gone || !self.caller.pending();
        late || (self.end.is_settled() && taken)
    }

    /// Waits for whatever comes first. Dropping any of these waits loses nothing. A caller that does not
    /// take what it is told is not heard: what it asks for would pile up.
    async fn event(&mut self, due: Instant) -> (Woken<Event>, Instant) {
        let End {
            told, ended, gone, ..
        } = self.end;
        let takes = !gone && self.caller.pending();
        let hears = !gone && !ended && !takes;
        let (caller, server) = (&mut self.caller, &mut self.server);
        let turn = async {
            tokio::select! {
                turn = caller.turn(hears), if hears || takes => Event::Caller(turn),
                worked = server.work(), if !told => Event::Worked(worked),
                else => std::future::pending().await,
            }
        };
        self.course.wait(due, told, turn).await
    }

    /// Says what there is to say, as far as it is taken.
    async fn speak(&mut self) {
        while !self.end.told && !self.end.gone && !self.caller.pending() {
            let Some(text) = self.server.say(self.course.request) else {
                return;
            };
            let length = text.len() as u64;
            self.course.connections.metrics.sent(length);
            if let Some(record) = &mut self.course.request.record.websocket {
                record.from_upstream.count += 1;
                record.from_upstream.bytes += length;
            }
            self.course.used = Instant::now();
            self.push(Opcode::Text, &text).await;
        }
    }

    async fn read(&mut self, read: Result<Bytes, GatewayError>, now: Instant) {
        match read {
            Ok(bytes) if bytes.is_empty() => return self.lost(None, now),
            Ok(bytes) => {
                self.end.pulse.beat(now);
                if !self.end.done {
                    self.way.feed(bytes);
                }
            }
            Err(error) => return self.lost(Some(error), now),
        }
        // What follows a close is not looked at (RFC 6455, 1.4).
        while !self.end.done {
            let heard = match self.way.step(now) {
                Ok(None) => return,
                Ok(Some(step)) => self.heard(step, now).await,
                Err(refusal) => Err(refusal),
            };
            if let Err(refusal) = heard {
                return self.refuse(refusal, now).await;
            }
        }
    }

    async fn heard(&mut self, step: Step, now: Instant) -> Result<(), Refusal> {
        match step {
            Step::Data { begins, .. } => {
                self.course.used = now;
                if begins {
                    self.course.charge(self.caller.headers()).await?;
                }
            }
            Step::Text { text, begins, .. } => {
                self.course.used = now;
                if begins {
                    self.course.charge(self.caller.headers()).await?;
                }
                self.course.connections.metrics.received(text.len() as u64);
                let request = &mut *self.course.request;
                if let Some(record) = &mut request.record.websocket {
                    record.from_client = self.way.messages;
                }
                self.server
                    .heard(request, self.caller.headers(), &text)
                    .await?;
            }
            Step::Ping { payload, .. } => {
                self.course.used = now;
                self.push(Opcode::Pong, &payload).await;
            }
            Step::Pong { payload, .. } => {
                if !self.end.pulse.is_answered_by(&payload) {
                    self.course.used = now;
                }
            }
            Step::Close { code, .. } => {
                self.course.note_close(Closer::Client, code, now);
                self.end.done = true;
                self.course.end_by(now + CLOSING);
                self.tell(code.map(CloseCode), "").await;
            }
        }
        Ok(())
    }

    /// When something is to be done next, if nothing happens.
    fn due(&self) -> Instant {
        let idle = self.course.idle_at();
        let pulse = self.end.pulse.due().map(|(due, _)| due);
        let next = pulse.map_or(idle, |due| due.min(idle));
        self.course.until.unwrap_or(next)
    }

    async fn look_at_clock(&mut self, now: Instant) {
        if self.course.until.is_some() {
            return;
        }
        if now >= self.course.idle_at() {
            return self.leave("idle", now).await;
        }
        match self.end.pulse.due() {
            Some((due, Due::Ask)) if due <= now => {
                if self.caller.pending() {
                    return self.end.pulse.stall(now);
                }
                self.end.pulse.ask(now);
                let word = self.end.pulse.word();
                self.push(Opcode::Ping, &word).await;
            }
            Some((due, Due::Lost)) if due <= now => {
                let error = gone().source("a ping was not answered in time");
                self.lost(Some(error), now);
            }
            _ => {}
        }
    }

    async fn push(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.end.told || self.end.gone {
            return;
        }
        let mut out = Vec::with_capacity(payload.len() + frame::LONGEST_HEAD);
        frame::write(true, opcode, payload, None, &mut out);
        self.send(out).await;
    }

    async fn send(&mut self, frame: Vec<u8>) {
        if let Err(error) = self.caller.push(frame.into()).await {
            self.lost(Some(error), Instant::now());
        }
    }

    /// Sends a close, unless one was sent.
    async fn tell(&mut self, code: Option<CloseCode>, reason: &str) {
        if self.end.told || self.end.gone {
            return;
        }
        self.end.told = true;
        let mut out = Vec::new();
        Close { code, reason }.write(None, &mut out);
        self.send(out).await;
    }

    /// What the caller says or wants cannot be: it is told why.
    async fn refuse(&mut self, refusal: Refusal, now: Instant) {
        let Refusal { close, error } = refusal;
        let reason = format!("{}: {}", error.code, error.public);
        self.end.done = true;
        self.course.note_close_by_gateway(close, now);
        self.tell(Some(close), &reason).await;
        self.course.fail(*error);
        self.course.end_by(now + PARTING);
    }

    /// The caller is not there any more.
    fn lost(&mut self, error: Option<GatewayError>, now: Instant) {
        self.end.ended = true;
        self.end.gone = true;
        self.course.end_by(now + PARTING);
        if !self.end.done && !self.end.told {
            self.course.fail(error.unwrap_or_else(gone));
        }
    }

    /// The process is going down.
    async fn drain(&mut self, now: Instant) {
        let error = GatewayError::new(Code::Draining)
            .source("it had not ended when the drain timeout passed");
        self.leave(error.code.slug(), now).await;
        self.course.fail(error);
        // Who does not answer at once is not waited for.
        self.course.end_by(now + PARTING / 4);
    }

    /// Closes for a reason of the gateway's own.
    async fn leave(&mut self, reason: &str, now: Instant) {
        self.course
            .note_close_by_gateway(CloseCode::GOING_AWAY, now);
        self.tell(Some(CloseCode::GOING_AWAY), reason).await;
        self.course.end_by(now + CLOSING);
    }

    /// Says that nothing follows.
    async fn finish(mut self) -> Result<(), GatewayError> {
        let told = self.end.told && !self.end.gone;
        if told {
            let _ = tokio::time::timeout(PARTING, self.caller.finish()).await;
        }
        self.caller.close(told);
        self.course.outcome()
    }
}

fn gone() -> GatewayError {
    GatewayError::new(Code::ClientDisconnected)
}
