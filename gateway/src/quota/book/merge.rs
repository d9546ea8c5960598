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
