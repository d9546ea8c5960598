//! A book made of records of use alone, and what another book learns from it.
//!
//! Whoever settles says which holder it was, in which step it counts, and what was beyond the
//! reservation. All of a holder's records of a step come to what its share says of that step: so
//! the greater of the two is right, whichever of them has heard of more, and taking records in
//! twice changes nothing.

use super::{Book, Marks, Share, Terms, UNSURE};
use crate::quota::replay::Part;
use crate::quota::window::{Micros, Window};

/// For so many steps of a bucket its records are waited for: it is filled in about sixty.
const KEPT: u64 = 1_024;

impl Book {
    /// Counts what a record says of a settlement at a moment. Records come in the order in which
    /// they were settled, more or less.
    pub(in crate::quota) fn recount(&mut self, terms: Terms, at: Micros, part: &Part) {
        let window = terms.window;
        let at = at.max(part.since);
        match window {
            Window::Held => return,
            // What drained by all that is known so far may not have: who took something before may
            // settle it later.
            Window::TokenBucket { .. } => {
                self.step = self.step.max(window.step(at));
                self.forget_before(self.step.saturating_sub(KEPT));
            }
            Window::Fixed { .. } | Window::Sliding { .. } => self.advance(terms, at),
        }
        let (of, step) = (window.step(part.since), self.step);
        let share = match self.shares.iter().position(|s| s.holder == part.holder) {
            Some(at) => &mut self.shares[at],
            None => {
                self.shares.push(Share {
                    holder: part.holder,
                    turn: 0,
                    // Nobody is waited for: this only keeps what the holder owed in mind.
                    until: Micros::MAX,
                    overrun: 0,
                    marks: Marks::default(),
                });
                self.shares.last_mut().expect("it was just pushed")
            }
        };
        if part.settled > 0 && window.expiry(of) > step {
            let mark = share.marks.at(of);
            mark.settled = mark.settled.saturating_add(part.settled);
            mark.booked = mark.settled;
        }
        share.overrun = share.overrun.saturating_add(part.debt);
        self.charge(terms, part.debt);
        self.pay(terms);
    }

    /// Learns what records tell of and it does not know: of each holder and step the greater
    /// figure counts, and debt is that of whichever of the two has heard of more.
    ///
    /// What is reserved stays. A holder that is alive and unknown here replaces what the records
    /// say of it as soon as it is heard.
    pub(super) fn take_in(&mut self, terms: Terms, now: Micros, told: &Self) {
        let mut told = told.clone();
        told.advance(terms, now);
        let hears_of_debt = told.version > self.version;
        for share in told.shares {
            let known = self.shares.iter_mut().find(|s| s.holder == share.holder);
            let Some(known) = known else {
                if hears_of_debt || !share.marks.is_empty() {
                    let until = now.saturating_add(UNSURE);
                    self.shares.push(Share { until, ..share });
                }
                continue;
            };
            for (step, mark) in share.marks.iter() {
                let into = known.marks.at(step);
                into.settled = into.settled.max(mark.settled);
                into.booked = into.booked.max(into.settled);
            }
            known.marks.retain(|_| true);
            if hears_of_debt {
                known.overrun = known.overrun.max(share.overrun);
            }
        }
        if hears_of_debt {
            self.version = told.version;
            self.owed = told.owed;
            self.debt = told.debt;
        }
        self.pay(terms);
    }
}
