//! Bringing back what the place where a book is kept has forgotten, from a copy seen before.

use super::{Book, Share, Terms};
use crate::quota::window::Micros;

impl Book {
    /// Takes from a copy that was `seen` before what this book does not know any more. A copy of
    /// what it does know changes nothing, however often.
    ///
    /// Of each share the one with the later turn is known to be newer. Debt and credit are those of
    /// the copy with the later version: too little only where both heard of a debt that the other
    /// did not.
    pub(in crate::quota) fn merge(&mut self, terms: Terms, now: Micros, seen: &Self) {
        self.advance(terms, now);
        let mut seen = seen.clone();
        seen.advance(terms, now);
        for share in seen.shares {
            self.recall(share);
        }
        if seen.version > self.version {
            self.version = seen.version;
            self.owed = seen.owed;
            self.debt = seen.debt;
            self.credit = seen.credit;
        }
        self.pay(terms);
    }

    /// Waits until `until` for whoever was still waited for when holders could last be heard.
    ///
    /// A holder goes on spending what it has on lease, and has to say so before the lease is over.
    /// Where nobody could be heard for that long, everybody gets another one from then on, before
    /// anybody is granted what others may have spent.
    pub(in crate::quota) fn wait_anew(&mut self, heard: Micros, until: Micros) {
        for share in self.shares.iter_mut().filter(|share| share.until > heard) {
            share.until = share.until.max(until);
        }
    }

    fn recall(&mut self, share: Share) {
        match self.shares.iter_mut().find(|s| s.holder == share.holder) {
            Some(known) if known.turn >= share.turn => {}
            Some(known) => *known = share,
            None => self.shares.push(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Amendment, Entry, Mark};
    use super::*;
    use crate::quota::window::{Period, SECOND, Window};

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
    fn what_a_reset_forgot_is_not_brought_back() {
        let terms = Terms {
            window: Window::Fixed {
                every: Period::Hour,
            },
            limit: 100,
        };
        let mut book = Book::default();
        let overrun = 150;
        let over = Entry {
            overrun,
            ..entry(1)
        };
        let _ = book.enter(terms, BEGIN, &over);
        book.amend(terms, BEGIN, &Amendment::Grant(30));
        let seen = book.clone();
        book.amend(terms, BEGIN, &Amendment::Reset);
        let reset = book.clone();
        book.merge(terms, BEGIN, &seen);
        assert_eq!(book, reset);
        // What has forgotten it is told, of debt and of credit.
        let mut lost = Book::default();
        lost.merge(terms, BEGIN, &seen);
        assert_eq!(lost.debt(), overrun);
        lost.merge(terms, BEGIN, &reset);
        assert_eq!(lost.standing(terms, BEGIN), reset.standing(terms, BEGIN));
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
        let heard = BEGIN + 12 * SECOND;
        let mut early = book.clone();
        early.wait_anew(heard, BEGIN + SECOND);
        assert_eq!(early, book, "nobody is waited for less");
        book.wait_anew(heard, BEGIN + 50 * SECOND);
        for (at, reserved) in [(49, 10), (50, 0)] {
            let now = BEGIN + at * SECOND;
            book.advance(terms, now);
            assert_eq!(book.standing(terms, now).reserved, reserved);
        }
    }
}
