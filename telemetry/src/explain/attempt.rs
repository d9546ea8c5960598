//! One attempt: on which connection, how far it came, and why it was the last or not.

use std::fmt::{self, Write};

use super::words::{Quoted, Took};
use crate::record::{Attempt, NotRetried};

/// Tells of one, by its place among all.
pub(super) fn write(out: &mut String, (index, attempt): (usize, &Attempt)) -> fmt::Result {
    write!(
        out,
        "  +{} attempt {} at {}",
        Took(attempt.started),
        index + 1,
        attempt.upstream
    )?;
    if !attempt.endpoint.is_empty() {
        write!(out, " ({})", attempt.endpoint)?;
    }
    if attempt.reused {
        write!(
            out,
            ", connection reused (open for {}, idle for {})",
            Took(attempt.connection_age),
            Took(attempt.connection_idle)
        )?;
    } else if let Some(connect) = attempt.connect {
        write!(out, ", connected in {}", Took(connect))?;
    }
    if let Some(first_byte) = attempt.first_byte {
        write!(out, ", first byte after {}", Took(first_byte))?;
    }
    if attempt.bytes_sent > 0 {
        write!(out, ", {} bytes sent", attempt.bytes_sent)?;
    }
    if let Some(status) = attempt.status {
        write!(out, ", status {status}")?;
    }
    if let Some(status) = attempt.rpc {
        write!(out, ", {}", status.name)?;
    }
    if let Some(code) = attempt.code {
        write!(out, ", failed: {code}")?;
    }
    if let Some(detail) = &attempt.detail {
        write!(out, " ({})", Quoted(detail))?;
    }
    write!(out, ", {} in all", Took(attempt.total))?;
    if let Some(race) = attempt.keep_alive_race {
        write!(out, "; a keep-alive race: the endpoint {} it", race.how)?;
        if let Some(timeout) = race.idle_timeout {
            write!(out, ", as it does with idle ones after {}", Took(timeout))?;
        }
    }
    match (attempt.retried, attempt.not_retried, attempt.code) {
        (Some(reason), ..) => write!(out, "; tried again: {reason}")?,
        (None, Some(why), _) => write!(out, "; not tried again: {}", because(why))?,
        (None, None, Some(_)) if attempt.status.is_some() => {
            write!(out, "; not tried again: an answer had begun")?;
        }
        _ => {}
    }
    writeln!(out)
}

/// Why an attempt was the last.
const fn because(why: NotRetried) -> &'static str {
    match why {
        NotRetried::Max => "as often as `retries.max` allows it was",
        NotRetried::Deadline => "the request's deadline had passed",
        NotRetried::Body => "part of the request's body was gone already",
        NotRetried::Method => "the endpoint may have done it, and the method is not idempotent",
        NotRetried::Failure => "the endpoint may have done it, or still does",
        NotRetried::Endpoint => "there was no other endpoint to ask",
        NotRetried::Budget => "`retries.budget_percent` was spent",
    }
}
