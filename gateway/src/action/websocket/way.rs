//! One direction of a connection: what comes in is cut into frames, judged, and given out again as
//! it came.
//!
//! It knows neither sockets nor the other direction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weir_protocols::websocket::{
    Allowed, Close, Code as CloseCode, Fault, From, Kind, Message, Opcode, Piece, Reader, Unit,
};
use weir_telemetry::Code;
use weir_telemetry::record::websocket::Messages;

use crate::config::routes::prompt::Schema;
use crate::config::routes::websocket::Rate;
use crate::error::GatewayError;

/// What came next.
#[derive(Debug)]
pub(super) enum Step {
    /// Some of a message, to be passed on; nothing while a message is held back to be judged whole.
    Data {
        /// As it came.
        raw: Bytes,
        /// Whether a message begins.
        begins: bool,
        /// How long the message was that ends, in bytes.
        ended: Option<u64>,
    },
    /// A text message whole, to be looked into before it is passed on.
    Text {
        /// As it came.
        raw: Bytes,
        /// What it says.
        text: Vec<u8>,
        /// Whether nothing of it was given out before.
        begins: bool,
    },
    /// Is anybody there?
    Ping {
        /// As it came.
        raw: Bytes,
        /// What the answer is to repeat.
        payload: Bytes,
    },
    /// Somebody is there.
    Pong {
        /// As it came.
        raw: Bytes,
        /// What it says.
        payload: Bytes,
    },
    /// The last that this side says.
    Close {
        /// As it came.
        raw: Bytes,
        /// Why, if it says so.
        code: Option<u16>,
    },
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What whoever sent it is told.
    pub(crate) close: CloseCode,
    /// What it is called.
    pub(crate) error: Box<GatewayError>,
}

impl Refusal {
    /// A refusal that callers are told of in so many words.
    pub(crate) fn new(close: CloseCode, error: GatewayError) -> Self {
        Refusal {
            close,
            error: Box::new(error),
        }
    }
}

/// One direction of a connection.
pub(super) struct Way {
    from: From,
    reader: Reader,
    between: bool,
    length: u64,
    rate: Option<Pace>,
    judge: Option<Judge>,
    /// Where text messages are held that somebody looks into.
    held: Option<Message>,
    /// What passed.
    pub(super) messages: Messages,
}

/// Holds each text message back until it is whole and fits.
struct Judge {
    schema: Arc<Schema>,
    held: Message,
}

impl Way {
    /// What a caller says: not faster than `rate`, and such as `schema` describes.
    pub(super) fn up(allowed: Allowed, rate: Option<Rate>, schema: Option<Arc<Schema>>) -> Self {
        Way {
            rate: rate.map(Pace::new),
            judge: schema.map(|schema| Judge {
                schema,
                held: Message::default(),
            }),
            ..Self::new(From::Client, allowed)
        }
    }

    /// What an upstream says.
    pub(super) fn down(allowed: Allowed) -> Self {
        Self::new(From::Server, allowed)
    }

    fn new(from: From, allowed: Allowed) -> Self {
        Way {
            from,
            reader: Reader::new(from, allowed),
            between: true,
            length: 0,
            rate: None,
            judge: None,
            held: None,
            messages: Messages::default(),
        }
    }

    /// Has each text message given out whole, as a [`Step::Text`].
    pub(super) fn whole(mut self) -> Self {
        self.held = Some(Message::default());
        self
    }

    /// Takes in a chunk, of which [`step`](Self::step) gives the parts.
    pub(super) fn feed(&mut self, chunk: Bytes) {
        self.reader.feed(chunk);
    }

    /// Whether a frame of somebody else's may follow what was given out last.
    pub(super) fn is_between_frames(&self) -> bool {
        self.between
    }

    /// The next part, or `None` until more is fed. After a refusal it must not be asked again.
    pub(super) fn step(&mut self, now: Instant) -> Result<Option<Step>, Refusal> {
        let unit = self.reader.next_unit();
        match unit.map_err(|fault| self.refusal(&fault))? {
            None => Ok(None),
            Some(Unit::Piece(piece)) => self.data(piece, now).map(Some),
            Some(Unit::Control {
                opcode: Opcode::Close,
                payload,
                raw,
            }) => {
                let code = Close::parse(&payload).ok().and_then(|close| close.code);
                let code = code.map(|code| code.0);
                Ok(Some(Step::Close { raw, code }))
            }
            Some(Unit::Control {
                opcode,
                payload,
                raw,
            }) => Ok(Some(match opcode {
                Opcode::Pong => Step::Pong { raw, payload },
                _ => Step::Ping { raw, payload },
            })),
        }
    }

    fn data(&mut self, piece: Piece, now: Instant) -> Result<Step, Refusal> {
        if piece.begins {
            if self.rate.as_mut().is_some_and(|rate| !rate.take(now)) {
                let error = GatewayError::new(Code::WebsocketRateExceeded);
                return Err(Refusal::new(CloseCode::POLICY_VIOLATION, error));
            }
            self.length = 0;
        }
        self.length += piece.payload().len() as u64;
        let ended = piece.ends.then_some(self.length);
        if let Some(length) = ended {
            self.messages.count += 1;
            self.messages.bytes += length;
        }
        let begins = piece.begins;
        if let Some(held) = &mut self.held
            && piece.kind == Kind::Text
        {
            held.add(&piece);
            if !piece.ends {
                let raw = Bytes::new();
                let ended = None;
                return Ok(Step::Data { raw, begins, ended });
            }
            let text = held.payload().to_vec();
            let raw = held.release().concat().into();
            return Ok(Step::Text { raw, text, begins });
        }
        let raw = match &mut self.judge {
            Some(judge) if piece.kind == Kind::Text => judge.hold(&piece)?,
            _ => {
                self.between = piece.ends_frame;
                piece.raw
            }
        };
        Ok(Step::Data { raw, begins, ended })
    }

    /// What a fault is called, by whose it is.
    fn refusal(&self, fault: &Fault) -> Refusal {
        let code = match (self.from, fault) {
            (From::Server, _) => Code::WebsocketUpstreamInvalid,
            (_, Fault::TooLong { .. }) => Code::WebsocketMessageTooLarge,
            (_, Fault::NotTaken(_)) => Code::WebsocketMessageInvalid,
            _ => Code::WebsocketFrameInvalid,
        };
        let error = GatewayError::public(code, fault.to_string());
        Refusal::new(fault.code(), error)
    }
}

impl Judge {
    /// Takes in a piece; gives out the whole message once it is there and fits.
    fn hold(&mut self, piece: &Piece) -> Result<Bytes, Refusal> {
        self.held.add(piece);
        if !piece.ends {
            return Ok(Bytes::new());
        }
        let text = self.held.payload();
        let wrong = match serde_json::from_slice(text) {
            Err(error) => Some(format!("a message is no JSON: {error}")),
            Ok(value) => match self.schema.check(&value, text.len()) {
                Ok(()) => None,
                Err(Some(fault)) => Some(format!("a message does not fit: {fault}")),
                Err(None) => Some("a message does not fit".to_owned()),
            },
        };
        let pieces = self.held.release();
        match wrong {
            None => Ok(pieces.concat().into()),
            Some(wrong) => Err(Refusal::new(
                CloseCode::POLICY_VIOLATION,
                GatewayError::public(Code::WebsocketMessageInvalid, wrong),
            )),
        }
    }
}

/// How fast messages come: evenly spread, with room for as many at once as a whole period allows.
struct Pace {
    each: Duration,
    every: Duration,
    /// When all that came would have come, had it come evenly.
    even: Option<Instant>,
}

impl Pace {
    fn new(rate: Rate) -> Self {
        Pace {
            each: rate.every / rate.messages.get(),
            every: rate.every,
            even: None,
        }
    }

    /// Whether another may come now.
    fn take(&mut self, now: Instant) -> bool {
        let even = self.even.map_or(now, |even| even.max(now)) + self.each;
        let in_time = even.saturating_duration_since(now) <= self.every;
        if in_time {
            self.even = Some(even);
        }
        in_time
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use weir_protocols::websocket::frame;

    use super::*;

    const ALLOWED: Allowed = Allowed {
        text: true,
        binary: true,
        max_message: 64,
        compressed: false,
    };

    fn text(says: &str) -> Bytes {
        let mut out = Vec::new();
        frame::write(
            true,
            Opcode::Text,
            says.as_bytes(),
            Some([1, 2, 3, 4]),
            &mut out,
        );
        out.into()
    }

    fn all(way: &mut Way, chunk: Bytes) -> Result<Vec<Step>, Refusal> {
        way.feed(chunk);
        let mut steps = Vec::new();
        while let Some(step) = way.step(Instant::now())? {
            steps.push(step);
        }
        Ok(steps)
    }

    #[test]
    fn messages_come_as_fast_as_they_may_and_no_faster() {
        let rate = Rate {
            messages: NonZeroU32::new(2).expect("not 0"),
            every: Duration::from_secs(1),
        };
        let (mut pace, now) = (Pace::new(rate), Instant::now());
        assert!(pace.take(now) && pace.take(now) && !pace.take(now));
        assert!(!pace.take(now + Duration::from_millis(499)));
        assert!(pace.take(now + Duration::from_millis(500)));
        assert!(!pace.take(now + Duration::from_millis(501)));
        let later = now + Duration::from_secs(60);
        assert!(pace.take(later) && pace.take(later) && !pace.take(later));
    }

    #[test]
    fn a_message_that_has_to_fit_is_held_until_it_is_whole() {
        let schema = serde_json::json!({"type": "object", "required": ["to"]});
        let schema = Arc::new(Schema::build(schema).expect("a schema"));
        let mut way = Way::up(ALLOWED, None, Some(schema));
        let good = text(r#"{"to":"all"}"#);
        for cut in 1..good.len() {
            let steps = all(&mut way, good.slice(..cut)).expect("no fault");
            let before: usize = steps.iter().map(passed).sum();
            assert_eq!(before, 0, "of {cut} bytes");
            assert!(way.is_between_frames());
            let steps = all(&mut way, good.slice(cut..)).expect("it fits");
            assert_eq!(steps.iter().map(passed).sum::<usize>(), good.len());
        }
        let refusal = all(&mut way, text(r#"{"from":"me"}"#)).expect_err("it does not fit");
        assert_eq!(refusal.error.code, Code::WebsocketMessageInvalid);
        assert_eq!(refusal.close, CloseCode::POLICY_VIOLATION);
        assert!(
            refusal.error.public.contains("/to breaks"),
            "{}",
            refusal.error
        );
    }

    #[test]
    fn a_message_that_is_looked_into_is_given_out_whole() {
        let mut way = Way::up(ALLOWED, None, None).whole();
        let mut out = Vec::new();
        frame::write(false, Opcode::Text, b"to ", Some([1, 2, 3, 4]), &mut out);
        frame::write(true, Opcode::Continuation, b"all", Some([9; 4]), &mut out);
        let message = Bytes::from(out);
        for cut in 1..message.len() {
            let before = all(&mut way, message.slice(..cut)).expect("no fault");
            assert_eq!(
                before.iter().map(passed).sum::<usize>(),
                0,
                "of {cut} bytes"
            );
            assert!(way.is_between_frames());
            let steps = all(&mut way, message.slice(cut..)).expect("no fault");
            let Some(Step::Text { raw, text, .. }) = steps.last() else {
                panic!("no message: {steps:?}");
            };
            assert_eq!((&raw[..], &text[..]), (&message[..], &b"to all"[..]));
        }
    }

    fn passed(step: &Step) -> usize {
        match step {
            Step::Data { raw, .. }
            | Step::Text { raw, .. }
            | Step::Ping { raw, .. }
            | Step::Pong { raw, .. }
            | Step::Close { raw, .. } => raw.len(),
        }
    }

    #[test]
    fn a_fault_is_whose_it_is() {
        let long = text(&"x".repeat(65));
        let refusal = all(&mut Way::up(ALLOWED, None, None), long.clone()).expect_err("too long");
        assert_eq!(refusal.error.code, Code::WebsocketMessageTooLarge);
        assert_eq!(refusal.close, CloseCode::MESSAGE_TOO_BIG);
        let refusal = all(&mut Way::down(ALLOWED), long).expect_err("masked");
        assert_eq!(refusal.error.code, Code::WebsocketUpstreamInvalid);
        assert_eq!(refusal.close, CloseCode::PROTOCOL_ERROR);
    }
}
