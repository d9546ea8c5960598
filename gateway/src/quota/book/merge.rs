//! Bringing back what the place where a book is kept has forgotten, from a copy seen before.

use super::{Book, Marks, Share, Terms};
use crate::quota::window::Micros;

impl Book {
    /// Takes from a copy that was `seen` before what this book does not know any more. A copy of
    /// what it does know changes nothing, however often.
    ///
    /// Shares have turns, so that the newer of two is known. Debt has none: of two amounts in one
    /// step the greater is taken, which is too little only where both books heard of a debt that
    /// the other did not.
    pub(in crate::quota) fn merge(&mut self, terms: Terms, now: Micros, seen: &Self) {
        self.advance(terms, now);
        let mut seen = seen.clone();
        seen.advance(terms, now);
        for share in seen.shares {
            self.recall(share);
        }
        for (own, seen) in [(&mut self.debt, seen.debt), (&mut self.credit, seen.credit)] {
            take_greater(own, &seen);
        }
        self.owed = self.owed.max(seen.owed);
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

fn take_greater(own: &mut Marks, seen: &Marks) {
    for (step, mark) in seen.iter() {
        let into = own.at(step);
        into.booked = into.booked.max(mark.booked);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Mark};
    use super::*;
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
