//! One account, step by step.

use std::time::Duration;

use super::*;
use crate::quota::window::{Period, SECOND, Window};

const MINUTE: Window = Window::Fixed {
    every: Period::Minute,
};
/// Steps of one second.
const SLIDING: Window = Window::Sliding {
    every: Duration::from_secs(60),
};

/// An account with a book of its own, at the start of a step.
struct One {
    account: Account,
    terms: Terms,
    now: Micros,
}

impl One {
    fn new(window: Window, limit: u64, step: u64) -> Self {
        let (terms, now) = (Terms { window, limit }, window.start(step));
        let account = Account {
            purse: Purse::new(terms, now),
            keeper: Keeper::Own(Book::default()),
            spenders: None,
        };
        let mut one = Self {
            account,
            terms,
            now,
        };
        one.standing();
        one
    }

    fn advance(&mut self, step: u64, limit: u64) {
        self.terms.limit = limit;
        self.now = self.terms.window.start(step);
        self.account.advance(self.terms, self.now);
    }

    fn fits(&mut self, amount: u64) -> bool {
        self.account.fits(self.terms, self.now, amount)
    }

    fn fits_at(&mut self, amount: u64) -> Option<Micros> {
        self.standing();
        self.account.fits_at(self.terms, self.now, amount)
    }

    fn reserve(&mut self, amount: u64) -> Ticket {
        self.fits(amount);
        self.account.purse.reserve(amount, None)
    }

    fn settle(&mut self, ticket: Ticket, used: u64) -> u64 {
        self.account.close(ticket, used)
    }

    fn standing(&mut self) -> Standing {
        let standing = self.account.standing(self.terms, self.now);
        standing.expect("the book is its own")
    }

    fn total(&mut self) -> u64 {
        let Standing {
            settled,
            reserved,
            debt,
            ..
        } = self.standing();
        settled + reserved + debt
    }

    fn is_idle(&mut self, step: u64) -> bool {
        self.account.is_idle(self.terms.window.start(step))
    }
}

fn account(window: Window, limit: u64) -> One {
    One::new(window, limit, 1_000)
}

fn use_up(account: &mut One, bound: u64, used: u64) -> u64 {
    let ticket = account.reserve(bound);
    account.settle(ticket, used)
}

fn debt(account: &mut One) -> u64 {
    account.standing().debt
}

#[test]
fn what_was_not_used_comes_back_and_what_was_used_stays() {
    let mut a = account(MINUTE, 100);
    let slip = a.reserve(80);
    assert!(a.fits(20) && !a.fits(21));
    assert_eq!(a.settle(slip, 30), 0);
    assert!(a.fits(70) && !a.fits(71));
    a.advance(1_001, 100);
    assert!(a.fits(100));
}

#[test]
fn an_overrun_within_the_limit_is_paid_in_its_own_window() {
    let mut a = account(MINUTE, 100);
    assert_eq!(use_up(&mut a, 50, 80), 30);
    assert_eq!((a.total(), debt(&mut a)), (80, 30));
    a.advance(1_001, 100);
    assert_eq!((a.total(), debt(&mut a)), (0, 0));
}

#[test]
fn an_overrun_beyond_the_limit_is_paid_by_the_windows_after_it() {
    let mut a = account(MINUTE, 100);
    assert_eq!(use_up(&mut a, 100, 330), 230);
    assert_eq!((a.total(), debt(&mut a)), (330, 230));
    for (step, total) in [(1_001, 230), (1_002, 130), (1_003, 30), (1_004, 0)] {
        assert_eq!(a.fits_at(70), Some(MINUTE.start(1_003)));
        a.advance(step, 100);
        assert_eq!((a.total(), debt(&mut a)), (total, total), "step {step}");
        if total <= 30 {
            break;
        }
    }
    assert!(a.fits(70) && !a.fits(71));
}

#[test]
fn a_long_absence_repays_window_by_window() {
    let mut a = account(MINUTE, 10);
    use_up(&mut a, 10, 10_000_000_005);
    a.advance(100_001_000, 10);
    assert_eq!(a.total(), 9_000_000_005);
    assert_eq!(a.fits_at(10), Some(MINUTE.start(1_000_001_001)));
    a.advance(1_000_001_000, 10);
    assert_eq!(a.total(), 5);
}

#[test]
fn a_late_settlement_is_charged_to_the_window_that_reserved_it() {
    let mut a = account(MINUTE, 100);
    let slip = a.reserve(100);
    a.advance(1_001, 100);
    assert!(a.fits(100), "the new window is untouched");
    let _ = a.reserve(60);
    assert_eq!(a.settle(slip, 40), 0);
    assert!(
        a.fits(40) && !a.fits(41),
        "nothing is refunded to the new window"
    );

    let mut a = account(MINUTE, 100);
    let slip = a.reserve(100);
    a.advance(1_001, 100);
    assert_eq!(a.settle(slip, 130), 30);
    assert_eq!(
        (a.total(), debt(&mut a)),
        (30, 30),
        "but the overrun is owed"
    );
}

#[test]
fn a_sliding_window_gives_back_in_the_order_it_took() {
    let mut a = account(SLIDING, 100);
    use_up(&mut a, 60, 60);
    a.advance(1_030, 100);
    use_up(&mut a, 40, 40);
    assert_eq!(a.fits_at(60), Some(SLIDING.start(1_061)));
    assert_eq!(a.fits_at(61), Some(SLIDING.start(1_091)));
    a.advance(1_060, 100);
    assert!(!a.fits(1));
    a.advance(1_061, 100);
    assert!(a.fits(60) && !a.fits(61));
    a.advance(1_091, 100);
    assert!(a.fits(100));
}

#[test]
fn a_sliding_settlement_finds_its_mark_among_others() {
    let mut a = account(SLIDING, 100);
    let first = a.reserve(30);
    a.advance(1_010, 100);
    let second = a.reserve(30);
    a.advance(1_020, 100);
    use_up(&mut a, 40, 40);
    a.settle(first, 0);
    assert!(a.fits(30) && !a.fits(31));
    a.settle(second, 10);
    assert!(a.fits(50) && !a.fits(51));
    assert_eq!(a.standing().reset, SLIDING.start(1_020) + 51 * SECOND);
}

#[test]
fn sliding_debt_waits_its_turn() {
    let mut a = account(SLIDING, 100);
    use_up(&mut a, 50, 50);
    a.advance(1_030, 100);
    use_up(&mut a, 50, 120);
    assert_eq!((a.total(), debt(&mut a)), (170, 70));
    // 50 expire at 1061 and 50 of the debt take their place for a whole window
    a.advance(1_061, 100);
    assert_eq!((a.total(), debt(&mut a)), (120, 70));
    a.advance(1_091, 100);
    assert_eq!((a.total(), debt(&mut a)), (70, 70));
    a.advance(1_122, 100);
    assert_eq!((a.total(), debt(&mut a)), (20, 20));
    a.advance(1_152, 100);
    assert_eq!((a.total(), debt(&mut a)), (0, 0));
}

#[test]
fn a_large_sliding_debt_is_passed_over_exactly() {
    let build = || {
        let mut a = account(SLIDING, 100);
        use_up(&mut a, 30, 30);
        a.advance(1_007, 100);
        use_up(&mut a, 70, 100_000);
        a
    };
    let (mut slow, mut quick) = (build(), build());
    for step in 1_008..40_000 {
        slow.advance(step, 100);
    }
    quick.advance(39_999, 100);
    assert!(slow.total() > 100);
    assert_eq!(slow.total(), quick.total());
    assert_eq!(slow.fits_at(50), quick.fits_at(50));
    assert_eq!(slow.fits_at(50), build().fits_at(50));
}

#[test]
fn a_debt_of_whole_windows_is_paid_when_its_last_mark_expires() {
    let mut a = account(SLIDING, 60);
    use_up(&mut a, 24, 180);
    a.advance(1_001, 60);
    assert_eq!(a.fits_at(0), Some(SLIDING.start(1_122)));
    assert_eq!(a.fits_at(1), Some(SLIDING.start(1_183)));
}

#[test]
fn a_changed_limit_applies_at_once() {
    let mut a = account(MINUTE, 100);
    use_up(&mut a, 90, 90);
    a.advance(1_000, 50);
    assert_eq!(a.standing().room, 0);
    a.advance(1_000, 200);
    assert_eq!(a.standing().room, 110);
}

#[test]
fn a_limit_of_zero_never_admits_nor_repays() {
    let mut a = account(MINUTE, 100);
    use_up(&mut a, 100, 150);
    a.advance(9_000_000_000, 0);
    assert_eq!((a.total(), a.fits_at(0), a.fits_at(1)), (50, None, None));
}

#[test]
fn absurd_amounts_neither_panic_nor_wrap() {
    for window in [MINUTE, SLIDING] {
        let mut a = account(window, u64::MAX);
        use_up(&mut a, u64::MAX, u64::MAX);
        use_up(&mut a, 0, u64::MAX);
        use_up(&mut a, 0, u64::MAX);
        assert!(!a.fits(1));
        a.advance(u64::MAX / 2, u64::MAX);
        assert!(!a.fits(u64::MAX) || a.total() == 0);
        let mut a = account(window, 1);
        use_up(&mut a, 1, u64::MAX);
        assert!(a.fits_at(1).is_some());
    }
}

#[test]
fn an_earlier_time_changes_nothing() {
    for window in [MINUTE, SLIDING] {
        let mut a = account(window, 100);
        let slip = a.reserve(100);
        for earlier in [999, 995, 950] {
            a.advance(earlier, 100);
            assert!(!a.fits(1), "step {earlier}");
        }
        a.advance(1_000, 100);
        assert!(!a.fits(1));
        a.settle(slip, 20);
        assert!(a.fits(80) && !a.fits(81));
    }
}

#[test]
fn a_clock_set_far_back_does_not_lock_the_account() {
    for window in [MINUTE, SLIDING] {
        let mut a = One::new(window, 100, 10_000);
        let slip = a.reserve(60);
        a.advance(500, 100);
        assert!(a.fits(40) && !a.fits(41), "what counted still counts");
        a.settle(slip, 10);
        assert!(!a.fits(41), "a slip of another time gives nothing back");
        a.advance(500 + window.length(), 100);
        assert!(a.fits(100), "for one window");
    }
}

#[test]
fn a_slip_of_another_time_takes_nothing_from_those_of_this_one() {
    for window in [MINUTE, SLIDING] {
        let mut a = One::new(window, 100, 10_000);
        let slip = a.reserve(60);
        a.advance(500, 100);
        a.advance(10_000, 100);
        let _ = a.reserve(100);
        a.settle(slip, 0);
        assert!(!a.fits(1), "same step, another era");
    }
}

#[test]
fn only_what_counts_keeps_an_account() {
    let mut a = account(MINUTE, 100);
    assert!(a.is_idle(1_000));
    use_up(&mut a, 100, 150);
    assert!(!a.is_idle(1_000));
    assert!(!a.is_idle(1_001), "debt is due");
    assert!(a.is_idle(1_002));
}

#[test]
fn what_was_let_through_beyond_the_limit_makes_no_room_when_it_is_not_used() {
    for window in [MINUTE, SLIDING, Window::Held] {
        let mut a = One::new(window, 10, 1_000);
        let within = a.reserve(4);
        let beyond = a.reserve(50);
        a.settle(beyond, 0);
        assert!(a.fits(6) && !a.fits(7), "{window:?}");
        a.settle(within, 0);
        assert!(!a.fits(11), "{window:?}");
    }
}

#[test]
fn amounts_that_no_number_holds_are_counted_as_the_greatest() {
    let mut a = One::new(MINUTE, 10, 1_000);
    let tickets = [u64::MAX, u64::MAX - 1].map(|amount| a.reserve(amount));
    assert!(!a.fits(1));
    for ticket in tickets {
        a.settle(ticket, 0);
    }
    assert!(!a.fits(11));
}
