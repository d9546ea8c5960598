//! The phases of a request, in the order in which they began, and whose time each was.

use std::fmt::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::words::{Quoted, Took};
use crate::json::seconds;
use crate::record::{Attempt, Record};

/// One phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// When it began, counted from the request's first byte.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// How long it was.
    #[serde(serialize_with = "seconds")]
    pub took: Duration,
    /// Who was waited for: `gateway`, `upstream`, `kafka` or `client`.
    pub whose: &'static str,
    /// What it was.
    pub what: String,
}

/// All phases whose beginning is known.
pub fn timeline(record: &Record) -> Vec<Phase> {
    let mut phases = Vec::new();
    let first = record.attempts.first().map(|attempt| attempt.started);
    let first = first.or(record.kafka.as_ref().map(|kafka| kafka.started));
    let before = first.unwrap_or(record.duration);
    phases.push(Phase {
        at: Duration::ZERO,
        took: before,
        whose: "gateway",
        what: match first {
            Some(_) => "the request read, its route found, its policies run".to_owned(),
            None => "the request read and answered, without asking anybody".to_owned(),
        },
    });
    for (index, attempt) in record.attempts.iter().enumerate() {
        phases_of(attempt, index + 1, &mut phases);
    }
    if let Some(kafka) = &record.kafka {
        phases.push(Phase {
            at: kafka.started,
            took: kafka.took,
            whose: "kafka",
            what: format!("written to {} on {}", kafka.topic, kafka.cluster),
        });
    }
    if let Some(reply) = &record.reply {
        phases.push(Phase {
            at: reply.started,
            took: reply.took,
            whose: "kafka",
            what: format!("waiting for a reply in {}", reply.topic),
        });
    }
    if let Some(websocket) = &record.websocket {
        phases.push(Phase {
            at: websocket.opened,
            took: record.duration.saturating_sub(websocket.opened),
            whose: "client",
            what: "the WebSocket open".to_owned(),
        });
    }
    phases.sort_by_key(|phase| phase.at);
    let last = phases.iter().map(|phase| phase.at + phase.took).max();
    let left = record.duration.saturating_sub(last.unwrap_or_default());
    if !left.is_zero() {
        phases.push(Phase {
            at: record.duration - left,
            took: left,
            whose: if record.client_wait() >= left {
                "client"
            } else {
                "gateway"
            },
            what: "the answer written".to_owned(),
        });
    }
    phases
}

/// Connecting, waiting for the first byte, reading the body; what is left had no figure of its own.
fn phases_of(attempt: &Attempt, number: usize, phases: &mut Vec<Phase>) {
    let mut at = attempt.started;
    let end = attempt.started + attempt.total;
    let mut push = |took: Duration, what: &str| {
        phases.push(Phase {
            at,
            took,
            whose: "upstream",
            what: format!("attempt {number}: {what}"),
        });
        at += took;
    };
    if let Some(connect) = attempt.connect {
        push(connect, &format!("connecting to {}", attempt.endpoint));
    }
    if let Some(first_byte) = attempt.first_byte {
        push(first_byte, "sent, waiting for the first byte");
    }
    if let Some(body) = attempt.body {
        push(body, "reading the answer");
    }
    let left = end.saturating_sub(at);
    if attempt.code.is_some() && !left.is_zero() {
        let what = match (attempt.connect, attempt.bytes_sent, attempt.status) {
            (None, 0, None) if !attempt.reused => "connecting, in vain",
            (_, _, None) => "sent, waiting in vain",
            (_, _, Some(_)) => "the answer breaking off",
        };
        let at = end - left;
        phases.push(Phase {
            at,
            took: left,
            whose: "upstream",
            what: format!("attempt {number}: {what}"),
        });
    }
}

/// A line each.
pub(super) fn write(out: &mut String, record: &Record) -> fmt::Result {
    for phase in timeline(record) {
        let (at, took) = (Took(phase.at).to_string(), Took(phase.took).to_string());
        let what = Quoted(&phase.what);
        writeln!(out, "  +{at:<9} {took:>9}  {:<8}  {what}", phase.whose)?;
    }
    Ok(())
}
