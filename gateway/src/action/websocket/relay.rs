//! A connection in progress: what either side says is passed to the other, until both have closed.
//!
//! Each direction is judged by its [`Way`]; here is decided when silence is too long, and what both
//! sides are told when a connection cannot go on.

mod ending;

use std::time::Instant;

use bytes::Bytes;
use pingora_error::BError;
use weir_protocols::websocket::{Opcode, frame};
use weir_telemetry::Code;

use super::caller::{Caller, Turn};
use super::course::{CLOSING, Course, End, PARTING, Woken};
use super::inspect::{Inspect, Verdict};
use super::pulse::Due;
use super::way::{Refusal, Step, Way};
use crate::error::GatewayError;
use crate::upstream::Exchange;
use crate::upstream::attribute::{self, Failure, Sent};

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Caller,
    Upstream,
}

impl Side {
    const BOTH: [Side; 2] = [Side::Caller, Side::Upstream];

    const fn other(self) -> Self {
        Self::BOTH[1 - self as usize]
    }
}

/// A connection in progress.
pub(super) struct Relay<'a> {
    course: Course<'a>,
    caller: Caller<'a>,
    exchange: &'a mut Exchange,
    /// Who looks into text messages, if anybody does.
    inspector: Option<&'a mut dyn Inspect>,
    /// By who speaks.
    ways: [Way; 2],
    ends: [End; 2],
    /// Whether what waits for the caller answers it by the gateway's own word.
    answering: bool,
}

enum Event {
    Caller(Turn),
    Said(Result<Option<Bytes>, BError>),
    Took(std::io::Result<()>),
}

impl<'a> Relay<'a> {
    /// Begins once both sides have agreed; what each may say is judged by `up` and `down`.
    pub(super) fn new(
        course: Course<'a>,
        caller: Caller<'a>,
        exchange: &'a mut Exchange,
        inspector: Option<&'a mut dyn Inspect>,
        (up, down): (Way, Way),
    ) -> Self {
        let (up, down) = match &inspector {
            Some(_) => (up.whole(), down.whole()),
            None => (up, down),
        };
        let end = || End::new(course.connections, course.used);
        Relay {
            ways: [up, down],
            ends: [end(), end()],
            course,
            caller,
            exchange,
            inspector,
            answering: false,
        }
    }

    /// Passes messages until it is over.
    pub(super) async fn run(mut self) -> Result<(), GatewayError> {
        while !self.is_over() {
            let waiting = Instant::now();
            let due = self.due();
            if due <= waiting {
                self.look_at_clock(waiting).await;
                continue;
            }
            let (woken, now) = self.event(due).await;
            match woken {
                Woken::Event(event) => self.happened(event, now).await,
                Woken::Drain => self.drain(now).await,
                Woken::Due => {}
            }
        }
        self.finish().await
    }

    async fn happened(&mut self, event: Event, now: Instant) {
        match event {
            Event::Caller(Turn::Read(Ok(bytes))) => {
                let bytes = (!bytes.is_empty()).then_some(bytes);
                self.heard(Side::Caller, bytes, None, now).await;
            }
            Event::Caller(Turn::Read(Err(error))) => {
                self.heard(Side::Caller, None, Some(error), now).await;
            }
            Event::Said(Ok(bytes)) => self.heard(Side::Upstream, bytes, None, now).await,
            Event::Said(Err(error)) => {
                let failure = attribute::amid_body(&error);
                let error = self.exchange.broke(self.course.request, failure);
                self.heard(Side::Upstream, None, Some(error), now).await;
            }
            Event::Caller(Turn::Wrote(wrote)) => self.took(Side::Caller, wrote, now).await,
            Event::Took(wrote) => self.took(Side::Upstream, wrote, now).await,
        }
    }

    /// Whether nothing more is to pass either way.
    fn is_over(&mut self) -> bool {
        if self
            .course
            .until
            .is_some_and(|until| Instant::now() >= until)
        {
            return true;
        }
        let settled = self.ends.iter().all(End::is_settled);
        settled && !Side::BOTH.into_iter().any(|side| self.is_taking(side))
    }

    /// Whether something waits for a side to take it.
    fn is_taking(&mut self, side: Side) -> bool {
        !self.end(side).gone
            && match side {
                Side::Caller => self.caller.pending(),
                Side::Upstream => self.exchange.ways().1.pending(),
            }
    }

    /// Whether a side is to be heard: not before the other has taken what it said last.
    /// Nor is a caller that does not take what it is answered, which would pile up.
    fn is_heard(&mut self, side: Side) -> bool {
        self.answering = self.answering && self.is_taking(Side::Caller);
        let awaited = side == Side::Caller && self.answering;
        let end = self.end(side);
        let speaks = !end.gone && !end.ended;
        speaks && !self.is_taking(side.other()) && !awaited
    }

    fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    fn way_from(&mut self, side: Side) -> &mut Way {
        &mut self.ways[side as usize]
    }

    /// Waits for whatever comes first. Dropping any of these waits loses nothing.
    async fn event(&mut self, due: Instant) -> (Woken<Event>, Instant) {
        let (hear_caller, hear_upstream) =
            (self.is_heard(Side::Caller), self.is_heard(Side::Upstream));
        let (caller_takes, upstream_takes) =
            (self.is_taking(Side::Caller), self.is_taking(Side::Upstream));
        let draining = self.ends.iter().all(|end| end.told);
        let (session, writer) = self.exchange.ways();
        let caller = &mut self.caller;
        let turn = async {
            tokio::select! {
                turn = caller.turn(hear_caller), if hear_caller || caller_takes => Event::Caller(turn),
                said = session.read_tunnel(), if hear_upstream => Event::Said(said),
                took = writer.progress(), if upstream_takes => Event::Took(took),
                else => std::future::pending().await,
            }
        };
        self.course.wait(due, draining, turn).await
    }

    /// A side said something, or will say nothing more.
    async fn heard(
        &mut self,
        side: Side,
        bytes: Option<Bytes>,
        error: Option<GatewayError>,
        now: Instant,
    ) {
        let Some(bytes) = bytes else {
            return self.lost(side, error, now).await;
        };
        self.end(side).pulse.beat(now);
        if !self.end(side).done {
            self.way_from(side).feed(bytes);
        }
        // What follows a close is not looked at (RFC 6455, 1.4).
        while !self.end(side).done {
            match self.way_from(side).step(now) {
                Ok(None) => return,
                Ok(Some(step)) => {
                    if let Err(refusal) = self.pass(side, step, now).await {
                        return self.refuse(side, refusal, now).await;
                    }
                }
                Err(refusal) => return self.refuse(side, refusal, now).await,
            }
        }
    }

    async fn pass(&mut self, from: Side, step: Step, now: Instant) -> Result<(), Refusal> {
        let to = from.other();
        match step {
            Step::Data { raw, begins, ended } => {
                self.course.used = now;
                if begins && from == Side::Caller {
                    self.course.charge(self.caller.headers()).await?;
                }
                if let Some(length) = ended {
                    self.count(from, length);
                }
                if !self.end(to).told {
                    self.push(to, raw, now).await;
                }
            }
            Step::Text { raw, text, begins } => {
                self.course.used = now;
                if begins && from == Side::Caller {
                    self.course.charge(self.caller.headers()).await?;
                }
                self.count(from, text.len() as u64);
                let raw = self.inspect(from, raw, &text, now).await?;
                if !self.end(to).told {
                    self.push(to, raw, now).await;
                }
            }
            Step::Pong { payload, .. } if self.end(from).pulse.is_answered_by(&payload) => {}
            Step::Ping { raw, .. } | Step::Pong { raw, .. } => {
                self.course.used = now;
                if !self.end(to).told {
                    self.push(to, raw, now).await;
                }
            }
            Step::Close { raw, code } => {
                self.note_close(from, code, now);
                self.end(from).done = true;
                self.course.end_by(now + CLOSING);
                if !self.end(to).told {
                    self.end(to).told = true;
                    self.push(to, raw, now).await;
                }
            }
        }
        Ok(())
    }

    /// What goes on of a message.
    async fn inspect(
        &mut self,
        from: Side,
        raw: Bytes,
        text: &[u8],
        now: Instant,
    ) -> Result<Bytes, Refusal> {
        let Some(inspector) = &mut self.inspector else {
            return Ok(raw);
        };
        if from == Side::Upstream {
            inspector.upstream(text);
            return Ok(raw);
        }
        let headers = self.caller.headers();
        let (to, text) = match inspector.caller(self.course.request, headers, text).await? {
            Verdict::Pass => return Ok(raw),
            Verdict::Instead(text) => (Side::Upstream, text),
            Verdict::Answer(text) => (Side::Caller, text),
        };
        let mut out = Vec::with_capacity(text.len() + 16);
        frame::write(true, Opcode::Text, &text, key(to), &mut out);
        if to == Side::Upstream {
            return Ok(out.into());
        }
        if !self.end(to).told {
            self.answering = true;
            self.push(to, out.into(), now).await;
        }
        Ok(Bytes::new())
    }

    fn count(&mut self, from: Side, length: u64) {
        let messages = self.way_from(from).messages;
        let metrics = &self.course.connections.metrics;
        if let Some(record) = &mut self.course.request.record.websocket {
            match from {
                Side::Caller => {
                    metrics.received(length);
                    record.from_client = messages;
                }
                Side::Upstream => {
                    metrics.sent(length);
                    record.from_upstream = messages;
                }
            }
        }
    }

    async fn push(&mut self, to: Side, bytes: Bytes, now: Instant) {
        if self.end(to).gone || bytes.is_empty() {
            return;
        }
        match to {
            Side::Upstream => self.exchange.ways().1.push(bytes),
            Side::Caller => {
                if let Err(error) = self.caller.push(bytes).await {
                    self.mark_lost(Side::Caller, Some(error), now);
                }
            }
        }
    }

    /// A side took what waited for it, or cannot.
    async fn took(&mut self, side: Side, wrote: std::io::Result<()>, now: Instant) {
        let Err(error) = wrote else {
            return self.end(side).pulse.took(now);
        };
        let error = match side {
            Side::Caller => GatewayError::new(Code::ClientDisconnected).source(error),
            Side::Upstream => {
                let failure = attribute::writing_body(&error);
                self.exchange.broke(self.course.request, failure)
            }
        };
        self.lost(side, Some(error), now).await;
    }

    /// When something is to be done next, if nothing happens.
    fn due(&mut self) -> Instant {
        if let Some(until) = self.course.until {
            return until;
        }
        let pulses = self.ends.iter().filter_map(|end| end.pulse.due());
        let idle = self.course.idle_at();
        pulses.map(|(due, _)| due).fold(idle, Instant::min)
    }

    async fn look_at_clock(&mut self, now: Instant) {
        if self.course.until.is_some() {
            return;
        }
        if now >= self.course.idle_at() {
            return self.end_both("idle", now).await;
        }
        for side in Side::BOTH {
            match self.end(side).pulse.due() {
                Some((due, Due::Ask)) if due <= now => self.ask(side, now).await,
                Some((due, Due::Lost)) if due <= now => {
                    let error = self.silent(side);
                    self.lost(side, Some(error), now).await;
                }
                _ => {}
            }
        }
    }

    /// Asks a side whether it is there. Amid a frame of the other's, it is that one's silence.
    async fn ask(&mut self, side: Side, now: Instant) {
        let between = self.way_from(side.other()).is_between_frames();
        if self.is_taking(side) {
            self.end(side).pulse.stall(now);
        } else if between {
            self.end(side).pulse.ask(now);
            let mut out = Vec::new();
            let word = self.end(side).pulse.word();
            frame::write(true, Opcode::Ping, &word, key(side), &mut out);
            self.push(side, out.into(), now).await;
        } else {
            self.end(side).pulse.beat(now);
        }
    }

    fn silent(&mut self, side: Side) -> GatewayError {
        let detail = "a ping was not answered in time".to_owned();
        match side {
            Side::Caller => GatewayError::new(Code::ClientDisconnected).source(detail),
            Side::Upstream => {
                let failure = Failure::new(Code::ResponseStalled, Sent::Some, detail);
                self.exchange.broke(self.course.request, failure)
            }
        }
    }

    /// Says on both connections that nothing follows.
    async fn finish(mut self) -> Result<(), GatewayError> {
        let told = self.ends[Side::Caller as usize].told && !self.ends[Side::Caller as usize].gone;
        if told {
            let _ = tokio::time::timeout(PARTING, self.caller.finish()).await;
        }
        self.caller.close(told);
        if !self.ends[Side::Upstream as usize].gone {
            let (_, writer) = self.exchange.ways();
            writer.finish();
            let _ = tokio::time::timeout(PARTING, writer.progress()).await;
        }
        self.course.outcome()
    }
}

/// What a frame of the gateway's own is masked with: to an upstream it is the client.
fn key(to: Side) -> Option<[u8; 4]> {
    match to {
        Side::Caller => None,
        Side::Upstream => {
            let mut key = [0; 4];
            // A key that can be foreseen is no worse here: what it hides is the gateway's own text.
            let _ = getrandom::fill(&mut key);
            Some(key)
        }
    }
}
