//! Waiting anew for holders that could not be heard, because the servers were away.
//!
//! A holder goes on spending what it has on lease, and has to say so before the lease is over. An
//! outage can take that long: then everybody is given another lease from its end on, before
//! anybody is granted what others may have spent.
//!
//! Knows books in writing only, as `enter.lua` does.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::quota::book::{Book, Marks};
use crate::quota::store::wire::{read, write};
use crate::quota::window::Micros;

/// The last time that holders could be heard, and until when they are waited for now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anew {
    pub(super) heard: Micros,
    pub(super) until: Micros,
}

/// A book: its step, what is owed, debt, credit, and shares.
#[derive(Debug, Serialize, Deserialize)]
struct Written(u64, u64, Marks, Marks, Vec<Share>);

/// A share: its holder, turn, until when that is waited for, overrun, and marks.
#[derive(Debug, Serialize, Deserialize)]
struct Share(u64, u64, Micros, u64, Marks);

impl Anew {
    /// The book with everybody waited for who had a lease when it could last be heard.
    pub(super) fn wait(self, book: &Book) -> Result<Book, Arc<str>> {
        let mut written: Written = read(&write(book))?;
        for Share(_, _, until, ..) in &mut written.4 {
            if *until > self.heard {
                *until = self.until.max(*until);
            }
        }
        read(&write(&written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::book::{Entry, Mark, Terms};
    use crate::quota::window::{SECOND, Window};

    const BEGIN: Micros = 1_800_000_000 * SECOND;

    fn entry(holder: u64) -> Entry {
        let booked = Mark {
            booked: 10,
            settled: 0,
        };
        Entry {
            holder,
            turn: 1,
            marks: [(0, booked)].into_iter().collect(),
            overrun: 0,
            want: 0,
            least: 0,
            ahead: 0,
            patience: 10 * SECOND,
        }
    }

    #[test]
    fn who_had_a_lease_has_another_and_who_was_gone_has_none() {
        let terms = Terms {
            window: Window::Held,
            limit: 100,
        };
        let mut book = Book::default();
        let _ = book.enter(terms, BEGIN, &entry(1));
        let _ = book.enter(terms, BEGIN + 9 * SECOND, &entry(2));
        let anew = Anew {
            heard: BEGIN + 12 * SECOND,
            until: BEGIN + 50 * SECOND,
        };
        let mut renewed = anew.wait(&book).expect("what was written can be read");
        renewed.advance(terms, BEGIN + 49 * SECOND);
        assert_eq!(renewed.standing(terms, BEGIN + 49 * SECOND).reserved, 10);
        renewed.advance(terms, BEGIN + 50 * SECOND);
        assert_eq!(renewed.standing(terms, BEGIN + 50 * SECOND).reserved, 0);
        let early = Anew {
            until: BEGIN + SECOND,
            ..anew
        };
        let waited = early.wait(&book).expect("what was written can be read");
        assert_eq!(waited, book, "nobody is waited for less");
    }
}
