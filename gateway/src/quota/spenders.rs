//! Who spent the most of one key: what an operator asks first when it is full.
//!
//! A handful of counters per key, by the Space-Saving algorithm (Metwally, Agrawal, El Abbadi,
//! 2005): whoever spent more than an eighth of all is among them, and how much too high a figure
//! may be is known. They count what this process settled, are forgotten when the window turns, and
//! are kept only where the key does not name the spender itself.
//!
//! Knows no requests and no limits.

use std::net::IpAddr;
use std::sync::Arc;

use super::definition::{By, Quota, Subject};
use super::window::{Micros, SECOND, Window, micros};

/// How many spenders a key keeps count of.
const KEPT: usize = 8;

/// Windows that slide are counted in stretches of their length, but none shorter than this.
const SHORTEST: Micros = 60 * SECOND;

/// Who spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spender {
    /// A consumer, by name.
    Consumer(Arc<str>),
    /// Whoever called from there without a name.
    Client(IpAddr),
}

/// A [`Spender`] as a request brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller<'a> {
    Consumer(&'a str),
    Client(IpAddr),
}

impl<'a> Caller<'a> {
    /// Who is to be counted for a subject; nobody where the key says it already, or where nothing
    /// is ever spent.
    pub(super) fn of(quota: &Quota, subject: &Subject<'a>) -> Option<Self> {
        if quota.window == Window::Held {
            return None;
        }
        let (caller, told_by) = match (subject.consumer, subject.client) {
            (Some(name), _) => (Self::Consumer(name), By::Consumer),
            (None, Some(address)) => (Self::Client(address.to_canonical()), By::ClientAddress),
            (None, None) => return None,
        };
        (!quota.by.contains(&told_by)).then_some(caller)
    }

    fn is(self, spender: &Spender) -> bool {
        match (self, spender) {
            (Self::Consumer(name), Spender::Consumer(other)) => *name == **other,
            (Self::Client(address), Spender::Client(other)) => address == *other,
            _ => false,
        }
    }
}

impl From<Caller<'_>> for Spender {
    fn from(caller: Caller<'_>) -> Self {
        match caller {
            Caller::Consumer(name) => Self::Consumer(name.into()),
            Caller::Client(address) => Self::Client(address),
        }
    }
}

/// What one of them spent, in the quota's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// Who.
    pub by: Spender,
    /// How much, at most.
    pub amount: u64,
    /// By how much that may be too high, because others were counted in the same place before.
    pub uncertain: u64,
}

/// The counters of one key.
#[derive(Debug, Default)]
pub(super) struct Spenders {
    /// When the stretch that is counted began, and when it is over.
    since: Micros,
    until: Micros,
    counted: Vec<Spent>,
}

impl Spenders {
    /// A caller as it is kept: one already counted costs no memory.
    pub(super) fn name(&self, caller: Caller<'_>) -> Spender {
        let known = self.counted.iter().find(|spent| caller.is(&spent.by));
        known.map_or_else(|| caller.into(), |spent| spent.by.clone())
    }

    /// Counts an amount in the stretch that holds `now`.
    pub(super) fn charge(&mut self, window: Window, now: Micros, by: &Spender, amount: u64) {
        if amount == 0 {
            return;
        }
        self.turn(window, now);
        if let Some(spent) = self.counted.iter_mut().find(|spent| spent.by == *by) {
            spent.amount = spent.amount.saturating_add(amount);
            return;
        }
        if self.counted.len() < KEPT {
            self.counted.push(Spent {
                by: by.clone(),
                amount,
                uncertain: 0,
            });
        } else if let Some(least) = self.counted.iter_mut().min_by_key(|spent| spent.amount) {
            *least = Spent {
                by: by.clone(),
                amount: least.amount.saturating_add(amount),
                uncertain: least.amount,
            };
        }
    }

    /// Who spent the most since when, the greatest first.
    pub(super) fn most(&mut self, window: Window, now: Micros) -> (Micros, Vec<Spent>) {
        self.turn(window, now);
        let mut most = self.counted.clone();
        most.sort_by_key(|spent| std::cmp::Reverse(spent.amount));
        (self.since, most)
    }

    fn turn(&mut self, window: Window, now: Micros) {
        if now < self.since || now >= self.until {
            (self.since, self.until) = stretch(window, now);
            self.counted.clear();
        }
    }
}

/// The stretch of time that holds a moment: start included, end excluded.
fn stretch(window: Window, now: Micros) -> (Micros, Micros) {
    let length = match window {
        Window::Fixed { .. } => {
            let step = window.step(now);
            return (window.start(step), window.start(step.saturating_add(1)));
        }
        Window::Sliding { every } | Window::TokenBucket { every, .. } => micros(every),
        Window::Held => 0,
    };
    let length = length.max(SHORTEST);
    let start = now - now % length;
    (start, start.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quota::tests::quota;
    use crate::quota::window::Period;

    const HOUR: Window = Window::Fixed {
        every: Period::Hour,
    };
    const NOW: Micros = 1_800_000_000 * SECOND;

    fn consumer(name: &str) -> Spender {
        Spender::Consumer(name.into())
    }

    fn charged(charges: &[(&str, u64)]) -> Spenders {
        let mut spenders = Spenders::default();
        for (name, amount) in charges {
            spenders.charge(HOUR, NOW, &consumer(name), *amount);
        }
        spenders
    }

    #[test]
    fn the_greatest_come_first_and_nothing_is_not_counted() {
        let mut spenders = charged(&[("a", 3), ("b", 5), ("c", 0), ("a", 4)]);
        let (since, most) = spenders.most(HOUR, NOW);
        assert_eq!(since, HOUR.start(HOUR.step(NOW)));
        let most: Vec<_> = most.into_iter().map(|s| (s.by, s.amount)).collect();
        assert_eq!(most, [(consumer("a"), 7), (consumer("b"), 5)]);
    }

    /// The algorithm's promise: no figure is too low, none is too high by more than it says, and
    /// whoever spent more than an eighth is there.
    #[test]
    fn a_great_spender_stands_out_among_hundreds() {
        let mut spenders = Spenders::default();
        let mut all = 0;
        for round in 0..400_u64 {
            let other = consumer(&format!("c{}", round % 200));
            spenders.charge(HOUR, NOW, &other, 10);
            spenders.charge(HOUR, NOW, &consumer("great"), 4);
            all += 14;
        }
        let (_, most) = spenders.most(HOUR, NOW);
        assert_eq!(most.len(), KEPT);
        assert_eq!(most.iter().map(|s| s.amount).sum::<u64>(), all);
        let great = most.iter().find(|s| s.by == consumer("great"));
        let great = great.expect("it spent two sevenths of all");
        let spent = 400 * 4;
        assert!(great.amount >= spent && great.amount - great.uncertain <= spent);
    }

    #[test]
    fn what_was_spent_is_forgotten_when_the_window_turns() {
        let mut spenders = charged(&[("a", 3)]);
        assert_eq!(spenders.most(HOUR, NOW + 3_599 * SECOND).1.len(), 1);
        assert_eq!(spenders.most(HOUR, NOW + 3_600 * SECOND).1, []);

        let second = Window::Sliding {
            every: Duration::from_secs(1),
        };
        let mut spenders = Spenders::default();
        spenders.charge(second, NOW, &consumer("a"), 1);
        let later = NOW + 59 * SECOND;
        assert_eq!(spenders.most(second, later).1.len(), 1);
        assert_eq!(spenders.most(second, NOW + 60 * SECOND).1, []);
    }

    #[test]
    fn a_known_caller_is_found_and_not_copied() {
        let spenders = charged(&[("a", 1)]);
        let Spender::Consumer(kept) = &spenders.counted[0].by else {
            panic!("a consumer");
        };
        let Spender::Consumer(named) = spenders.name(Caller::Consumer("a")) else {
            panic!("a consumer");
        };
        assert!(Arc::ptr_eq(kept, &named));
        assert_eq!(spenders.name(Caller::Consumer("b")), consumer("b"));
    }

    #[test]
    fn nobody_is_counted_whom_the_key_names() {
        let address: IpAddr = [192, 0, 2, 1].into();
        let named = Subject {
            consumer: Some("a"),
            client: Some(address),
            ..Subject::default()
        };
        let nameless = Subject {
            consumer: None,
            ..named
        };
        let of = |by: &[By], subject| Caller::of(&quota("q", 1, HOUR, by), &subject);
        assert_eq!(of(&[By::Team], named), Some(Caller::Consumer("a")));
        assert_eq!(of(&[By::Consumer], named), None);
        assert_eq!(of(&[By::ClientAddress], named), Some(Caller::Consumer("a")));
        assert_eq!(of(&[By::Consumer], nameless), Some(Caller::Client(address)));
        assert_eq!(of(&[By::ClientAddress], nameless), None);
        assert_eq!(of(&[], Subject::default()), None);
        let held = quota("q", 1, Window::Held, &[]);
        assert_eq!(Caller::of(&held, &named), None);
    }
}
