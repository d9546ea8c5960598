//! What is changed without its holder: what an operator gives back, a new beginning, and what a
//! dead holder left.
//!
//! What operators give back is credit in the steps whose use it makes up for, so that what holders
//! report later stays right.

use serde::{Deserialize, Serialize};

use super::{Book, Mark, Marks, Share, Terms, UNSURE};
use crate::quota::window::{Micros, Window};

/// The turn of a holder that will not say anything more: stores count to 2^53.
const LAST_TURN: u64 = (1 << 53) - 1;

/// A change that no holder makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::quota) enum Amendment {
    /// So much may be used beside the limit, until what is used now no longer counts. In a token
    /// bucket: is taken out of it, as far as it is in there.
    Grant(u64),
    /// What was used until now and debt are forgotten. What is reserved stays.
    Reset,
    /// A holder is dead.
    Bequest(Bequest),
    /// Records of use tell of at least so much: a book made of them alone.
    Recount(Box<Book>),
}

/// What a dead holder left: all it settled that the book may not have heard of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::quota) struct Bequest {
    pub(in crate::quota) holder: u64,
    /// By step, all that was settled in it.
    pub(in crate::quota) settled: Vec<(u64, u64)>,
    /// All it ever used beyond its reservations.
    pub(in crate::quota) overrun: u64,
    /// How much of that the book had heard of.
    pub(in crate::quota) told: u64,
}

impl Book {
    /// Makes it. What is [held](Window::Held) comes back by itself: operators change nothing there.
    pub(in crate::quota) fn amend(&mut self, terms: Terms, now: Micros, amendment: &Amendment) {
        self.advance(terms, now);
        let held = terms.window == Window::Held;
        if let Amendment::Recount(told) = amendment {
            // It is no change by hand: doing it twice changes nothing.
            return self.take_in(terms, now, told);
        }
        self.version = self.version.saturating_add(1);
        match amendment {
            Amendment::Recount(_) => {}
            Amendment::Bequest(bequest) => self.inherit(terms, now, bequest),
            Amendment::Grant(_) | Amendment::Reset if held => {}
            Amendment::Grant(amount) => {
                let mark = self.credit.at(self.step);
                mark.booked = mark.booked.saturating_add(*amount);
            }
            Amendment::Reset => self.reset(now),
        }
        self.pay(terms);
    }

    fn reset(&mut self, now: Micros) {
        self.owed = 0;
        self.debt = Marks::default();
        self.shares.retain(|share| share.until > now);
        let mut credit: Vec<(u64, u64)> = Vec::new();
        for share in &self.shares {
            credit.extend(share.marks.iter().map(|(step, mark)| (step, mark.settled)));
        }
        credit.sort_unstable();
        self.credit = Marks::default();
        for (step, amount) in credit {
            let mark = self.credit.at(step);
            mark.booked = mark.booked.saturating_add(amount);
        }
        self.credit.retain(|_| true);
    }

    /// Counts what a dead holder settled, and nothing else of what was booked for it. The share
    /// stays for a while, so that an older copy of the book brings nothing of it back.
    fn inherit(&mut self, terms: Terms, now: Micros, bequest: &Bequest) {
        let mut share = match self.shares.iter().position(|s| s.holder == bequest.holder) {
            Some(at) => self.shares.remove(at),
            None => Share {
                holder: bequest.holder,
                turn: 0,
                until: now.saturating_add(UNSURE),
                overrun: bequest.told,
                marks: Marks::default(),
            },
        };
        share.turn = LAST_TURN;
        if terms.window == Window::Held {
            share.marks = Marks::default();
            self.shares.push(share);
            return;
        }
        let known = share.marks.iter();
        let known = known.map(|(step, mark)| (step, mark.settled));
        let mut settled = Marks::default();
        for (step, amount) in known.chain(bequest.settled.iter().copied()) {
            let mark = settled.at(step);
            mark.settled = mark.settled.max(amount);
            mark.booked = mark.settled;
        }
        let (window, step) = (terms.window, self.step);
        settled.retain(|of| window.expiry(of) > step);
        share.marks = settled;
        let over = bequest.overrun.saturating_sub(share.overrun);
        share.overrun = share.overrun.max(bequest.overrun);
        self.shares.push(share);
        self.charge(terms, over);
    }

    /// What was given back in a step.
    pub(super) fn credit_in(&self, step: u64) -> u64 {
        let mut credit = self.credit.iter();
        credit
            .find(|(of, _)| *of == step)
            .map_or(0, |(_, mark): (u64, Mark)| mark.booked)
    }
}
