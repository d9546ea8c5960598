//! What this process asks of one target at most: calls at once, and calls and tokens within any
//! minute.
//!
//! A minute is counted second by second, in as many numbers. Who takes adds first and looks then,
//! and gives back what was too much: so no two together ever take more than there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::models::Limits;

/// One more than the seconds that count, which are a minute and the second under way; a power of
/// two, so that slots are found quickly.
const SLOTS: usize = 64;
/// So many seconds before this one count.
const MINUTE: u64 = 60;
/// What is hinted to who finds all places taken: nobody knows when one will be free.
const SOON: Duration = Duration::from_secs(1);

/// What is asked of one target.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: AtomicU32,
    requests: Window,
    tokens: Window,
}

/// What one call took; its place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    counts: Arc<Counts>,
    second: u64,
    tokens: AtomicU32,
}

impl Counts {
    /// Takes a place for a call of about so many tokens.
    ///
    /// # Errors
    /// If there is none: how long until there may be.
    pub(super) fn take(
        self: &Arc<Self>,
        limits: &Limits,
        tokens: u32,
        now: u64,
    ) -> Result<Taken, Duration> {
        let second = now / 1000;
        let most = limits.concurrent_requests.unwrap_or(u32::MAX);
        let one_more = |calls: u32| (calls < most).then(|| calls + 1);
        self.calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| SOON)?;
        // From here on, dropping this gives the place back.
        let taken = Taken {
            counts: Arc::clone(self),
            second,
            tokens: AtomicU32::new(0),
        };
        self.requests.take(1, limits.requests_per_minute, second)?;
        // What is more than a whole limit has to wait for an empty minute.
        let tokens = tokens.min(limits.tokens_per_minute.unwrap_or(u32::MAX));
        if let Err(wait) = self.tokens.take(tokens, limits.tokens_per_minute, second) {
            self.requests.give_back(1, second);
            return Err(wait);
        }
        taken.tokens.store(tokens, Ordering::Relaxed);
        Ok(taken)
    }

    /// Calls under way.
    pub(super) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Taken {
    /// Puts right how many tokens the call used.
    pub(super) fn used(&self, tokens: u64, now: u64) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let counted = self.tokens.swap(tokens, Ordering::Relaxed);
        let window = &self.counts.tokens;
        match tokens.checked_sub(counted) {
            Some(more) => window.add(more, now / 1000),
            None => window.give_back(counted - tokens, self.second),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.counts.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What was taken within the last minute. Each slot holds a second, and what was taken in it.
#[derive(Debug)]
struct Window([AtomicU64; SLOTS]);

impl Default for Window {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Window {
    /// Takes so much, if that is within `limit`.
    fn take(&self, amount: u32, limit: Option<u32>, second: u64) -> Result<(), Duration> {
        self.add(amount, second);
        let Some(limit) = limit.map(u64::from) else {
            return Ok(());
        };
        let taken = self.taken(second).map(|(_, amount)| amount).sum::<u64>();
        if taken <= limit {
            return Ok(());
        }
        self.give_back(amount, second);
        Err(self.wait(taken - limit, second))
    }

    /// How long until so much of what was taken counts no more.
    fn wait(&self, excess: u64, second: u64) -> Duration {
        let mut taken: Vec<(u64, u64)> = self.taken(second).collect();
        taken.sort_unstable();
        let mut freed = 0;
        let enough = taken.into_iter().find(|(_, amount)| {
            freed += amount;
            freed >= excess
        });
        let last = enough.map_or(second, |(at, _)| at);
        Duration::from_secs((last + MINUTE + 1).saturating_sub(second).max(1))
    }

    /// The seconds that count, and what was taken in each.
    fn taken(&self, second: u64) -> impl Iterator<Item = (u64, u64)> {
        let slots = self.0.iter().map(|slot| open(slot.load(Ordering::Relaxed)));
        slots.filter(move |(at, amount)| *amount > 0 && at + MINUTE >= second)
    }

    fn add(&self, amount: u32, second: u64) {
        self.change(second, |at, before| match at < second {
            true => Some((second, u64::from(amount))),
            // Another thread's clock may be a second ahead.
            false => Some((at, before.saturating_add(u64::from(amount)))),
        });
    }

    fn give_back(&self, amount: u32, second: u64) {
        // What stands in the slot of a second that is forgotten is another's.
        self.change(second, |at, before| {
            (at == second).then(|| (at, before.saturating_sub(u64::from(amount))))
        });
    }

    fn change(&self, second: u64, to: impl Fn(u64, u64) -> Option<(u64, u64)>) {
        let slot = &self.0[second as usize % SLOTS];
        // `None` leaves it as it is.
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let (at, amount) = open(packed);
            let (at, amount) = to(at, amount)?;
            Some((at << 32) | amount.min(0xffff_ffff))
        });
    }
}

/// The second of a slot, and what was taken in it.
const fn open(packed: u64) -> (u64, u64) {
    (packed >> 32, packed & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(concurrent: u32, requests: u32, tokens: u32) -> Limits {
        let some = |limit| (limit > 0).then_some(limit);
        Limits {
            concurrent_requests: some(concurrent),
            requests_per_minute: some(requests),
            tokens_per_minute: some(tokens),
        }
    }

    #[test]
    fn a_place_is_free_again_when_a_call_is_over() {
        let counts = Arc::new(Counts::default());
        let two = limits(2, 0, 0);
        let first = counts.take(&two, 0, 1).expect("a place");
        let second = counts.take(&two, 0, 1).expect("a place");
        assert_eq!(counts.take(&two, 0, 1).err(), Some(SOON));
        drop(first);
        assert!(counts.take(&two, 0, 1).is_ok());
        drop(second);
        assert_eq!(counts.calls(), 0);
    }

    #[test]
    fn no_minute_holds_more_requests_than_allowed() {
        let counts = Arc::new(Counts::default());
        let three = limits(0, 3, 0);
        let mut let_in = Vec::new();
        for now in (500..300_000).step_by(700) {
            if counts.take(&three, 0, now).is_ok() {
                let_in.push(now);
            }
        }
        assert!(let_in.len() >= 12, "{let_in:?}");
        for window in let_in.windows(4) {
            assert!(window[3] - window[0] > 60_000, "{window:?}");
        }
    }

    #[test]
    fn who_finds_no_room_is_told_when_there_is() {
        let counts = Arc::new(Counts::default());
        let two = limits(0, 2, 0);
        for second in [0, 10] {
            assert!(counts.take(&two, 0, second * 1000).is_ok());
        }
        let wait = counts.take(&two, 0, 20_000).expect_err("no room");
        assert_eq!(wait, Duration::from_secs(41));
        let then = 20_000 + 41_000;
        assert!(counts.take(&two, 0, then - 1_000).is_err());
        assert!(counts.take(&two, 0, then).is_ok());
    }

    #[test]
    fn tokens_are_put_right_when_a_call_is_over() {
        let counts = Arc::new(Counts::default());
        let hundred = limits(0, 0, 100);
        let first = counts.take(&hundred, 60, 1_000).expect("room");
        assert!(counts.take(&hundred, 60, 1_000).is_err());
        first.used(30, 2_000);
        let second = counts.take(&hundred, 60, 2_000).expect("room");
        second.used(90, 3_000);
        assert!(counts.take(&hundred, 1, 3_000).is_err());
        // What is more than the whole limit waits for an empty minute.
        assert!(counts.take(&hundred, 5_000, 65_000).is_ok());
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let counts = Arc::new(Counts::default());
        let fifty = limits(0, 50, 0);
        let taken = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let took = counts.take(&fifty, 0, 1_000).is_ok();
                        taken.fetch_add(u32::from(took), Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(taken.into_inner() <= 50);
    }
}
