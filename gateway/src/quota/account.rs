//! The account of one key: what is settled, reserved and owed in each step of its window.
//!
//! **Marks.** An amount counts in the step that reserved it, until that step
//! [expires](Window::expiry). Settling replaces it there, however late; once the step has
//! expired there is nothing left to replace.
//!
//! **Debt.** What was used beyond a reservation counts from the moment it is known. As far as
//! the limit has room, it is charged to the present window. The rest is *owed*: it waits, and
//! is charged first as soon as anything expires or is given back. So use beyond a window's
//! limit is paid in the windows after it, at no more than the limit in each, once and in full.
//! While anything is owed the account is full.
//!
//! **Clock.** A time before the account's own leaves it where it is: callers read their clocks
//! at slightly different moments, and clocks are corrected. Only a clock set back by more than
//! a window and more than an hour is followed, so that one that ran ahead for a while does not
//! lock the account until that time comes; what counts then counts for one window from there.
//!
//! Knows one key only: no locks, no names, no definitions but the window and the latest limit.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use super::window::Window;

/// A time this much before the account's own is a late caller or a clock being corrected.
const LATE: Duration = Duration::from_secs(3_600);

/// Where an account stands, in the quota's unit; what `RateLimit` headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The limit that held.
    pub limit: u64,
    /// What may still be reserved now.
    pub remaining: u64,
    /// What is reserved and not yet settled.
    pub reserved: u64,
    /// What was used beyond reservations and still counts against the limit.
    pub debt: u64,
    /// Until a fixed window ends, or until the oldest use leaves a sliding one (zero when
    /// nothing is in use).
    pub reset: Duration,
}

/// Amounts that count together.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    settled: u64,
    open: u64,
    debt: u64,
}

impl Sums {
    fn total(self) -> u64 {
        self.settled
            .saturating_add(self.open)
            .saturating_add(self.debt)
    }

    fn settle(&mut self, bound: u64, used: u64) {
        self.open = self.open.saturating_sub(bound);
        self.settled = self.settled.saturating_add(used);
    }
}

/// What counts from one step on.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    step: u64,
    sums: Sums,
}

/// Which mark holds a reservation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slip {
    step: u64,
    era: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    window: Window,
    limit: u64,
    /// The mark of the step the account stands in.
    current: Mark,
    /// Earlier marks that still count, oldest first; always empty for a fixed window.
    past: VecDeque<Mark>,
    /// The sum over all marks. At most the limit, unless that was lowered.
    sums: Sums,
    /// Debt not yet charged to any mark; positive only while the marks fill the limit.
    owed: u64,
    /// How often the clock was set back; slips of an earlier era name steps of another time.
    era: u32,
}

impl Account {
    pub(super) fn new(window: Window, limit: u64, step: u64) -> Self {
        Self {
            window,
            limit,
            current: Mark {
                step,
                sums: Sums::default(),
            },
            past: VecDeque::new(),
            sums: Sums::default(),
            owed: 0,
            era: 0,
        }
    }

    /// Settled use, open reservations and debt: what the invariant compares with the limit.
    pub(super) fn total(&self) -> u64 {
        self.sums.total().saturating_add(self.owed)
    }

    /// Whether `amount` more keeps the invariant.
    pub(super) fn fits(&self, amount: u64) -> bool {
        self.total()
            .checked_add(amount)
            .is_some_and(|total| total <= self.limit)
    }

    /// Reserves an amount that [fits](Self::fits).
    pub(super) fn reserve(&mut self, amount: u64) -> Slip {
        self.current.sums.open += amount;
        self.sums.open += amount;
        self.slip()
    }

    /// The place of whatever was reserved since the account last moved on.
    pub(super) const fn slip(&self) -> Slip {
        Slip {
            step: self.current.step,
            era: self.era,
        }
    }

    /// Replaces a reservation by what was used, and returns by how much that was over.
    pub(super) fn settle(&mut self, slip: Slip, bound: u64, used: u64) -> u64 {
        let within = used.min(bound);
        let overrun = used - within;
        if let Some(mark) = self.mark(slip) {
            mark.sums.settle(bound, within);
            self.sums.settle(bound, within);
        }
        self.owed = self.owed.saturating_add(overrun);
        self.charge_owed();
        overrun
    }

    /// Moves on to a step under a limit: lets marks expire and charges what is owed.
    pub(super) fn advance(&mut self, to: u64, limit: u64) {
        self.limit = limit;
        if to < self.current.step {
            self.step_back(to);
        }
        while let Some(expiry) = self.next_expiry().filter(|expiry| *expiry <= to) {
            let windows = to.saturating_sub(self.current.step) / self.length();
            if windows == 0 || self.repay(windows) == 0 {
                self.expire(expiry);
            }
        }
        self.stand_in(to);
        self.charge_owed();
    }

    /// The first moment at which `amount` is sure to fit if nothing else is reserved: open
    /// reservations are taken to settle in full. `None` if it never will.
    pub(super) fn fits_at(&self, amount: u64) -> Option<Duration> {
        if amount > self.limit {
            return None;
        }
        let mut future = self.clone();
        while !future.fits(amount) {
            // Without a mark that could expire, a debt under a limit of zero is all there is.
            let expiry = future.next_expiry()?;
            // All but the last of it at a stroke, to find the very step in which that is paid.
            let windows = future.owed.saturating_sub(1) / future.limit.max(1);
            if future.repay(windows) == 0 {
                future.expire(expiry);
            }
        }
        Some(self.window.start(future.current.step))
    }

    pub(super) fn state(&self, now: Duration) -> State {
        let reset = match self.next_expiry() {
            Some(expiry) => self.window.start(expiry),
            None if self.window.span() > 0 => Duration::ZERO,
            None => self.window.start(self.window.expiry(self.current.step)),
        };
        State {
            limit: self.limit,
            remaining: self.limit.saturating_sub(self.total()),
            reserved: self.sums.open,
            debt: self.sums.debt.saturating_add(self.owed),
            reset: reset.saturating_sub(now),
        }
    }

    /// Whether forgetting the account would change nothing.
    pub(super) fn is_idle(&mut self, now: Duration) -> bool {
        self.advance(self.window.step(now), self.limit);
        self.total() == 0
    }

    /// How many steps an amount counts for.
    fn length(&self) -> u64 {
        self.window.span() + 1
    }

    fn mark(&mut self, slip: Slip) -> Option<&mut Mark> {
        if slip.era != self.era {
            None
        } else if slip.step == self.current.step {
            Some(&mut self.current)
        } else {
            let at = self
                .past
                .binary_search_by_key(&slip.step, |mark| mark.step)
                .ok()?;
            self.past.get_mut(at)
        }
    }

    /// When the oldest mark that holds anything expires.
    fn next_expiry(&self) -> Option<u64> {
        let mut marks = self.past.iter().chain([&self.current]);
        let oldest = marks.find(|mark| mark.sums.total() > 0)?;
        Some(self.window.expiry(oldest.step))
    }

    /// Makes `step` the current one, which is not before the present one.
    fn stand_in(&mut self, step: u64) {
        if step > self.current.step {
            let mark = Mark {
                step,
                sums: Sums::default(),
            };
            let left = mem::replace(&mut self.current, mark);
            if left.sums.total() > 0 {
                self.past.push_back(left);
            }
        }
    }

    /// Lets everything that expires in `step` do so, and charges there what is owed.
    fn expire(&mut self, step: u64) {
        let expired = |mark: &Mark, window: Window| window.expiry(mark.step) <= step;
        while self
            .past
            .front()
            .is_some_and(|mark| expired(mark, self.window))
        {
            if let Some(mark) = self.past.pop_front() {
                self.forget(mark.sums);
            }
        }
        if expired(&self.current, self.window) {
            let sums = mem::take(&mut self.current.sums);
            self.forget(sums);
        }
        self.stand_in(step);
        self.charge_owed();
    }

    fn forget(&mut self, sums: Sums) {
        self.sums.settled -= sums.settled;
        self.sums.open -= sums.open;
        self.sums.debt -= sums.debt;
    }

    /// Charges to the current mark what is owed, as far as there is room.
    fn charge_owed(&mut self) {
        let charged = self.owed.min(self.limit.saturating_sub(self.sums.total()));
        self.owed -= charged;
        self.current.sums.debt += charged;
        self.sums.debt += charged;
    }

    /// Passes over whole windows, `windows` at most, in each of which the limit's worth of what
    /// is owed takes the place of what expires; returns how many. The same as letting mark after
    /// mark expire, but takes no longer for a large debt or a long absence.
    fn repay(&mut self, windows: u64) -> u64 {
        let full = self.sums.total();
        if full == 0 || full != self.limit {
            return 0;
        }
        let windows = windows.min(self.owed / full);
        if windows > 0 {
            let steps = windows.saturating_mul(self.length());
            for mark in self.past.iter_mut().chain([&mut self.current]) {
                mark.step = mark.step.saturating_add(steps);
                mark.sums = Sums {
                    debt: mark.sums.total(),
                    ..Sums::default()
                };
            }
            self.sums = Sums {
                debt: full,
                ..Sums::default()
            };
            self.owed -= windows * full;
        }
        windows
    }

    /// Follows a clock that was set far back.
    fn step_back(&mut self, step: u64) {
        let [from, to] = [self.current.step, step].map(|step| self.window.start(step));
        if self.current.step - step > self.length() && from.saturating_sub(to) > LATE {
            self.past.clear();
            self.current = Mark {
                step,
                sums: self.sums,
            };
            self.era = self.era.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
