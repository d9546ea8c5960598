//! Entries as the script wants them, and what it answers.

use std::sync::Arc;

use redis::{FromRedisValue as _, Value};
use serde::Serialize;

use crate::quota::book::{Answer, Entry, Terms};
use crate::quota::leases::Asked;
use crate::quota::store::wire::{Answered, Kept, WrittenTerms, read, write};
use crate::quota::window::{Micros, SECOND, Window, micros};

/// The greatest number that the script counts exactly, 2^53 - 1.
pub(super) const MOST: u64 = (1 << 53) - 1;

/// How long a step of a fixed window lasts at most, and how the script is told that a step has no
/// end.
const ENDLESS: u64 = 0;

#[derive(Serialize)]
struct Said<'a>(WrittenTerms, Stretch, &'a Entry, u64);

/// A window as the script knows it.
#[derive(Serialize)]
struct Stretch {
    kind: &'static str,
    limit: u64,
    capacity: u64,
    /// In steps.
    length: u64,
    /// Of a step, in microseconds.
    granule: Micros,
    /// In which a bucket is filled by the limit.
    every: Micros,
    /// A fixed window's present one: the step, its start, and its end.
    step: u64,
    from: Micros,
    to: Micros,
}

impl Stretch {
    fn of(terms: Terms, now: Micros) -> Self {
        let window = terms.window;
        let mut stretch = Self {
            kind: "sliding",
            limit: terms.limit.min(MOST),
            capacity: terms.capacity().min(MOST),
            length: window.length(),
            granule: window.granule(),
            every: 1,
            step: 0,
            from: 0,
            to: 0,
        };
        match window {
            Window::Sliding { .. } => {}
            Window::TokenBucket { every, .. } => {
                (stretch.kind, stretch.length) = ("token_bucket", ENDLESS);
                stretch.every = micros(every).max(1);
            }
            Window::Held => (stretch.kind, stretch.length) = ("held", ENDLESS),
            Window::Fixed { .. } => {
                let step = window.step(now);
                stretch.kind = "fixed";
                stretch.granule = window.seconds().unwrap_or(1) * SECOND;
                stretch.step = step;
                stretch.from = window.start(step);
                stretch.to = window.start(step + 1);
            }
        }
        stretch
    }
}

/// An entry as the script reads it; `now` is the caller's idea of the server's time.
pub(super) fn argument(asked: &Asked, now: Micros) -> Vec<u8> {
    let entry = &asked.entry;
    let exact = Entry {
        marks: entry.marks.clamped(MOST),
        overrun: entry.overrun.min(MOST),
        want: entry.want.min(MOST),
        least: entry.least.min(MOST),
        patience: entry.patience.min(MOST / 4),
        ..*entry
    };
    let stretch = Stretch::of(asked.terms, now);
    write(&Said(asked.terms.into(), stretch, &exact, asked.answered))
}

/// What the script answers.
pub(super) enum Reply {
    /// Of each entry, with the book as it is now.
    Entered(Micros, Vec<(Answered, Vec<u8>)>),
    /// The server's time is not in the window that was named.
    OtherWindow(Micros),
    /// The book of the entry at this index has forgotten what was entered before.
    Lost(Micros, usize),
}

/// Reads an answer to the entries `asked`.
pub(super) fn parse(reply: Vec<Value>, asked: &[&Asked]) -> Result<Reply, Arc<str>> {
    let strayed = || -> Arc<str> { "Redis answered something else than was asked".into() };
    let mut reply = reply.into_iter();
    let now = reply.next().and_then(integer).ok_or_else(strayed)?;
    let mut entered = Vec::with_capacity(asked.len());
    for asked in asked {
        match reply.next().ok_or_else(strayed)? {
            Value::BulkString(word) if word == b"clock" => return Ok(Reply::OtherWindow(now)),
            Value::BulkString(word) if word == b"lost" => {
                let index = reply.next().and_then(integer).ok_or_else(strayed)?;
                let index = usize::try_from(index).map_err(|_| strayed())?;
                return Ok(Reply::Lost(now, index.saturating_sub(1)));
            }
            heard => {
                let heard = integer(heard).ok_or_else(strayed)?;
                let granted = reply.next().and_then(integer).ok_or_else(strayed)?;
                let booked_in = reply.next().and_then(integer).ok_or_else(strayed)?;
                let Some(Value::BulkString(bytes)) = reply.next() else {
                    return Err(strayed());
                };
                let kept: Kept = read(&bytes)?;
                let answer = Answer {
                    granted,
                    booked_in,
                    since: kept.book.since(asked.terms, now),
                    standing: kept.book.standing(asked.terms, now),
                };
                let full = heard < asked.entry.least;
                entered.push((Ok((answer, full.then_some(kept.book))), bytes));
            }
        }
    }
    Ok(Reply::Entered(now, entered))
}

fn integer(value: Value) -> Option<u64> {
    u64::from_redis_value(value).ok()
}
