//! How a connection ends: whom is told what, when one side is gone, sent what cannot pass, or the
//! process goes down.

use std::time::Instant;

use weir_protocols::websocket::{Close, Code as CloseCode};
use weir_telemetry::Code;
use weir_telemetry::record::websocket as record;

use super::{Relay, Side, key};
use crate::action::websocket::course::{CLOSING, PARTING};
use crate::action::websocket::way::Refusal;
use crate::error::GatewayError;
use crate::upstream::attribute::{Failure, Sent};

impl Relay<'_> {
    /// What a side sent cannot pass: it is told why, and the other that it is over.
    pub(super) async fn refuse(&mut self, side: Side, refusal: Refusal, now: Instant) {
        let Refusal { close, error } = refusal;
        let error = *error;
        let reason = format!("{}: {}", error.code, error.public);
        self.end(side).done = true;
        self.course.note_close_by_gateway(close, now);
        self.tell(side, close, &reason, now).await;
        let (close, reason) = match side {
            Side::Caller => (CloseCode::GOING_AWAY, error.code.slug()),
            Side::Upstream => (CloseCode::BAD_GATEWAY, error.code.slug()),
        };
        self.tell(side.other(), close, reason, now).await;
        let error = match side {
            Side::Caller => error,
            Side::Upstream => {
                let detail = error.public.into_owned();
                let failure = Failure::new(error.code, Sent::Some, detail);
                self.exchange.broke(self.course.request, failure)
            }
        };
        self.course.fail(error);
        self.course.end_by(now + PARTING);
    }

    /// A side is not there any more: the other is told.
    pub(super) async fn lost(&mut self, side: Side, error: Option<GatewayError>, now: Instant) {
        let other = side.other();
        if let Some(code) = self.mark_lost(side, error, now) {
            let close = match side {
                Side::Caller => CloseCode::GOING_AWAY,
                Side::Upstream => CloseCode::BAD_GATEWAY,
            };
            self.tell(other, close, code.slug(), now).await;
        }
    }

    /// Writes down that a side is gone. `Some` if it left without a close, when nobody had told it to.
    pub(super) fn mark_lost(
        &mut self,
        side: Side,
        error: Option<GatewayError>,
        now: Instant,
    ) -> Option<Code> {
        let end = self.end(side);
        end.ended = true;
        if error.is_none() && end.done && !end.told {
            // It said its last, and waits for the answer.
            return None;
        }
        let expected = end.done || end.told;
        end.gone = true;
        self.course.end_by(now + PARTING);
        if expected {
            return None;
        }
        let error = error.unwrap_or_else(|| match side {
            Side::Caller => GatewayError::new(Code::ClientDisconnected),
            Side::Upstream => {
                let detail = "the connection ended without a close frame";
                let failure = Failure::new(Code::HttpResponseIncomplete, Sent::Some, detail);
                self.exchange.broke(self.course.request, failure)
            }
        });
        let code = error.code;
        self.course.fail(error);
        Some(code)
    }

    /// Sends a side a close, unless it was sent one. Amid a frame of the other's that cannot be: it
    /// is cut off then.
    pub(super) async fn tell(&mut self, side: Side, code: CloseCode, reason: &str, now: Instant) {
        let between = self.way_from(side.other()).is_between_frames();
        let end = self.end(side);
        if end.told || end.gone {
            return;
        }
        end.told = true;
        if !between {
            end.gone = true;
            return;
        }
        let mut out = Vec::new();
        let code = Some(code);
        Close { code, reason }.write(key(side), &mut out);
        self.push(side, out.into(), now).await;
    }

    /// The process is going down.
    pub(super) async fn drain(&mut self, now: Instant) {
        let error = GatewayError::new(Code::Draining)
            .source("it had not ended when the drain timeout passed");
        self.end_both(error.code.slug(), now).await;
        self.course.fail(error);
        // Who does not answer at once is not waited for.
        self.course.end_by(now + PARTING / 4);
    }

    /// Closes both ways for a reason of the gateway's own.
    pub(super) async fn end_both(&mut self, reason: &str, now: Instant) {
        self.course
            .note_close_by_gateway(CloseCode::GOING_AWAY, now);
        for side in Side::BOTH {
            self.tell(side, CloseCode::GOING_AWAY, reason, now).await;
        }
        self.course.end_by(now + CLOSING);
    }

    pub(super) fn note_close(&mut self, side: Side, code: Option<u16>, now: Instant) {
        let by = match side {
            Side::Caller => record::Closer::Client,
            Side::Upstream => record::Closer::Upstream,
        };
        self.course.note_close(by, code, now);
    }
}
