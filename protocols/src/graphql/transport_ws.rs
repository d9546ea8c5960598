//! The messages of `graphql-transport-ws` (GraphQL over WebSocket, by who wrote `graphql-ws`): what a
//! caller's says, and whether it may say that now. Knows no frame and no socket, and does not look into
//! what is asked for: a `subscribe` holds what the body of a POST would.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::response::Error;
use crate::json::{Document, Fault, Kind, pick};

/// The subprotocol's name.
pub const SUBPROTOCOL: &str = "graphql-transport-ws";

/// The longest id, in bytes: those of operations in flight are kept.
pub const MAX_ID: usize = 255;

/// What a caller says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// It wants to begin.
    ConnectionInit,
    /// Is anybody there?
    Ping,
    /// Yes.
    Pong,
    /// It wants an operation to run.
    Subscribe {
        /// What the answers are to be called by.
        id: Cow<'a, str>,
        /// The operation, as JSON: an object.
        payload: &'a str,
    },
    /// It wants to hear no more of an operation.
    Complete {
        /// Which.
        id: Cow<'a, str>,
    },
}

/// Why a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// It is no message of the protocol.
    Invalid(Fault),
    /// An operation was asked for before the server had acknowledged the connection.
    Unacknowledged,
    /// An operation of this id is in flight.
    Taken,
    /// It wants to begin once more.
    InitialisedTwice,
    /// It did not want to begin for too long.
    Uninitialised,
}

impl Violation {
    /// The code that the protocol closes with.
    pub const fn code(&self) -> u16 {
        match self {
            Self::Invalid(_) => 4400,
            Self::Unacknowledged => 4401,
            Self::Taken => 4409,
            Self::InitialisedTwice => 4429,
            Self::Uninitialised => 4408,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid(fault) => return fault.fmt(f),
            Self::Unacknowledged => {
                "an operation came before connection_ack; wait for that, then subscribe"
            }
            Self::Taken => {
                "an operation of this id is in flight; give each an id of its own, or complete that"
            }
            Self::InitialisedTwice => "connection_init came twice; send it once",
            Self::Uninitialised => "connection_init did not come in time; send it at once",
        })
    }
}

impl std::error::Error for Violation {}

/// Reads a caller's message. Members of other names may stand beside those of the protocol.
///
/// # Errors
/// If it is none of a caller's, or two readers could take it for two.
pub fn read(text: &[u8]) -> Result<Message<'_>, Fault> {
    const MEMBERS: [&str; 3] = ["type", "id", "payload"];
    let root = Document::new(text)?.root();
    if !root.is_object() {
        return Err(root.wrong_type("an object with a type", "send a JSON object"));
    }
    let mut alike = None;
    let [sort, id, payload] = root.members(MEMBERS, &mut |name| {
        let known = MEMBERS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        alike = alike.or(known);
    })?;
    if let Some(known) = alike {
        return Err(root.fault(
            Kind::Duplicate,
            format!("a key is \"{known}\" but for its case, and some readers take it for that"),
            "spell it right, or leave it out",
        ));
    }
    let sort = sort.ok_or_else(|| root.missing("type", MEND_TYPE))?;
    let id = || {
        let value = id.ok_or_else(|| root.missing("id", "send a string"))?;
        let text = value.text()?;
        match text.len() {
            1..=MAX_ID => Ok(text),
            _ => Err(value.fault(
                Kind::OutOfRange,
                format!("an id has 1 to {MAX_ID} bytes"),
                "send such a one, as a UUID",
            )),
        }
    };
    Ok(match &*sort.text()? {
        "connection_init" => Message::ConnectionInit,
        "ping" => Message::Ping,
        "pong" => Message::Pong,
        "subscribe" => {
            let payload =
                payload.ok_or_else(|| root.missing("payload", "send what is to run in it"))?;
            if !payload.is_object() {
                return Err(payload.wrong_type("an object with a query", "send a JSON object"));
            }
            Message::Subscribe {
                id: id()?,
                payload: payload.raw(),
            }
        }
        "complete" => Message::Complete { id: id()? },
        _ => return Err(sort.unknown_word(MEND_TYPE)),
    })
}

const MEND_TYPE: &str = "send connection_init, subscribe, complete, ping or pong";

/// How far a connection is.
#[derive(Debug, Default)]
pub struct Session {
    initialised: bool,
    acknowledged: bool,
    in_flight: HashSet<Box<str>>,
}

impl Session {
    /// Takes note of what a caller says, before it is passed on.
    ///
    /// # Errors
    /// If it may not say that now.
    pub fn said(&mut self, message: &Message<'_>) -> Result<(), Violation> {
        match message {
            Message::ConnectionInit if std::mem::replace(&mut self.initialised, true) => {
                return Err(Violation::InitialisedTwice);
            }
            Message::Subscribe { .. } if !self.acknowledged => {
                return Err(Violation::Unacknowledged);
            }
            Message::Subscribe { id, .. } => {
                if !self.in_flight.insert((&**id).into()) {
                    return Err(Violation::Taken);
                }
            }
            Message::Complete { id } => self.over(id),
            Message::ConnectionInit | Message::Ping | Message::Pong => {}
        }
        Ok(())
    }

    /// Takes note that the connection is acknowledged.
    pub fn acknowledge(&mut self) {
        self.acknowledged = true;
    }

    /// Takes note of what a server says. Where that is none of the protocol's messages, it is its
    /// caller's to judge.
    ///
    /// A server's `complete` may cross a caller's, and then end an operation that has been begun since
    /// under the same id: that one is not counted any more.
    pub fn heard(&mut self, text: &str) {
        let Some([Some(sort), id]) = pick(text, ["type", "id"]) else {
            return;
        };
        let text = |json: &str| serde_json::from_str::<String>(json).ok();
        match (text(sort).as_deref(), id.and_then(text)) {
            (Some("connection_ack"), _) => self.acknowledge(),
            (Some("complete" | "error"), Some(id)) => self.over(&id),
            _ => {}
        }
    }

    /// An operation is not in flight any more.
    pub fn over(&mut self, id: &str) {
        self.in_flight.remove(id);
    }

    /// How many operations are.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

/// The message that asks for what `payload` says, which is JSON.
///
/// # Errors
/// If it is not.
pub fn subscribe(id: &str, payload: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Subscribe<'a> {
        id: &'a str,
        r#type: &'static str,
        payload: &'a RawValue,
    }
    serde_json::to_vec(&Subscribe {
        id,
        r#type: "subscribe",
        payload: serde_json::from_slice(payload)?,
    })
}

/// The message that a connection is acknowledged by.
pub const CONNECTION_ACK: &[u8] = br#"{"type":"connection_ack"}"#;

/// The message that answers a ping.
pub const PONG: &[u8] = br#"{"type":"pong"}"#;

/// The message with a result of an operation, which is JSON.
pub fn next(id: &str, result: &[u8]) -> Vec<u8> {
    let mut out = begin("next", id);
    out.reserve(result.len() + 12);
    out.extend_from_slice(b",\"payload\":");
    out.extend_from_slice(result);
    out.push(b'}');
    out
}

/// The message after which nothing follows under an id.
pub fn complete(id: &str) -> Vec<u8> {
    let mut out = begin("complete", id);
    out.push(b'}');
    out
}

fn begin(sort: &str, id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(id.len() + 48);
    out.extend_from_slice(b"{\"id\":");
    serde_json::to_writer(&mut out, id).expect("a string always serialises into a Vec");
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(sort.as_bytes());
    out.push(b'"');
    out
}

/// The message that tells why an operation did not run; nothing follows under its id.
pub fn error(id: &str, errors: &[Error<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Refused<'a> {
        id: &'a str,
        r#type: &'static str,
        payload: &'a [Error<'a>],
    }
    serde_json::to_vec(&Refused {
        id,
        r#type: "error",
        payload: errors,
    })
    .expect("strings and JSON values always serialise into a Vec")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let subscribe = br#" {"payload" : {"query":"{a}", "x": [1] },"id":"\u0061b","type":"subscribe","y":1} "#;
        let expected = Message::Subscribe {
            id: "ab".into(),
            payload: r#"{"query":"{a}", "x": [1] }"#,
        };
        assert_eq!(read(subscribe), Ok(expected));
        for (text, expected) in [
            (
                r#"{"type":"connection_init","payload":{"token":"x"}}"#,
                Message::ConnectionInit,
            ),
            (r#"{"type":"ping"}"#, Message::Ping),
            (r#"{"type":"pong","payload":null}"#, Message::Pong),
            (
                r#"{"id":"1","type":"complete"}"#,
                Message::Complete { id: "1".into() },
            ),
        ] {
            assert_eq!(read(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_of_a_callers_is_refused_without_being_repeated() {
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(256));
        for (text, kind, path) in [
            ("", Kind::WrongType, ""),
            (r#"{"type":"ping""#, Kind::Syntax, ""),
            (r#"{"type":"ping"} {}"#, Kind::Syntax, ""),
            ("[]", Kind::WrongType, ""),
            ("{}", Kind::Missing, "type"),
            (r#"{"type":1}"#, Kind::WrongType, "type"),
            (r#"{"type":"next","id":"1"}"#, Kind::OutOfRange, "type"),
            (r#"{"type":"start","id":"1"}"#, Kind::OutOfRange, "type"),
            (r#"{"type":"ping","type":"pong"}"#, Kind::Duplicate, "type"),
            (r#"{"type":"ping","Type":"subscribe"}"#, Kind::Duplicate, ""),
            (r#"{"type":"subscribe","id":"1"}"#, Kind::Missing, "payload"),
            (
                r#"{"type":"subscribe","id":"1","payload":[{"query":"{a}"}]}"#,
                Kind::WrongType,
                "payload",
            ),
            (r#"{"type":"subscribe","payload":{}}"#, Kind::Missing, "id"),
            (r#"{"type":"complete","id":""}"#, Kind::OutOfRange, "id"),
            (r#"{"type":"complete","id":7}"#, Kind::WrongType, "id"),
            (&long, Kind::OutOfRange, "id"),
        ] {
            let fault = read(text.as_bytes()).expect_err(text);
            assert_eq!((fault.kind, &*fault.path), (kind, path), "{text}: {fault}");
            assert!(!fault.to_string().contains("xxx"), "{fault}");
        }
    }

    #[test]
    fn what_a_caller_may_say_depends_on_what_was_said() {
        let mut session = Session::default();
        let subscribe = |id: &'static str| Message::Subscribe {
            id: id.into(),
            payload: "{}",
        };
        let code = |said: Result<(), Violation>| said.map_err(|wrong| wrong.code());
        assert_eq!(code(session.said(&subscribe("1"))), Err(4401));
        assert_eq!(code(session.said(&Message::ConnectionInit)), Ok(()));
        assert_eq!(code(session.said(&subscribe("1"))), Err(4401));
        session.heard("no JSON");
        session.heard(r#"{"type":"connection_ack"}"#);
        assert_eq!(code(session.said(&Message::ConnectionInit)), Err(4429));
        assert_eq!(code(session.said(&subscribe("1"))), Ok(()));
        assert_eq!(code(session.said(&subscribe("1"))), Err(4409));
        assert_eq!(code(session.said(&subscribe("2"))), Ok(()));
        assert_eq!(code(session.said(&subscribe("3"))), Ok(()));
        assert_eq!(session.in_flight(), 3);
        session.heard(r#"{"id":"1","type":"next","payload":{"data":{"id":"2"}}}"#);
        assert_eq!(session.in_flight(), 3);
        session.heard(r#"{"id":"1","type":"complete"}"#);
        session.heard(r#"{"type":"error","id":"2","payload":[]}"#);
        let complete = Message::Complete { id: "3".into() };
        assert_eq!(code(session.said(&complete)), Ok(()));
        assert_eq!(session.in_flight(), 0);
        assert_eq!(code(session.said(&subscribe("1"))), Ok(()));
    }

    #[test]
    fn messages_of_ones_own_are_such() {
        let written = subscribe("a\"b", br#"{"query":"{a}"}"#).expect("it is JSON");
        let expected = Message::Subscribe {
            id: "a\"b".into(),
            payload: r#"{"query":"{a}"}"#,
        };
        assert_eq!(read(&written), Ok(expected));
        assert!(subscribe("1", b"{").is_err());
        for (written, expected) in [
            (
                next("a\"b", br#"{"data":null}"#),
                r#"{"id":"a\"b","type":"next","payload":{"data":null}}"#,
            ),
            (complete("1"), r#"{"id":"1","type":"complete"}"#),
        ] {
            assert_eq!(String::from_utf8(written).expect("text"), expected);
        }
        let told = Error {
            message: "no",
            place: None,
            code: "c",
            extra: &[],
        };
        let written = String::from_utf8(error("1", &[told])).expect("text");
        assert_eq!(
            written,
            r#"{"id":"1","type":"error","payload":[{"message":"no","extensions":{"code":"c"}}]}"#
        );
    }
}
