//! Reserve, settle, release, drop and refuse, one caller at a time.

use super::*;
use crate::quota::{Period, Refusal, Zone};

const HOUR: Window = Window::Fixed {
    every: Period::Hour,
};
const SLIDING: Window = Window::Sliding {
    every: Duration::from_secs(60),
};

fn remaining(ledger: &Ledger, quota: &Arc<Quota>, consumer: &str, now: u64) -> u64 {
    ledger.state(quota, &subject(consumer), at(now)).remaining
}

fn refused(ledger: &Ledger, claims: &[Claim<'_>], now: u64) -> Refusal {
    ledger
        .reserve(claims, at(now))
        .expect_err("there is no room")
}

#[test]
fn settling_replaces_the_bound_and_says_what_came_of_it() {
    let ledger = Ledger::memory();
    let (q, r) = (
        quota("q", 100, HOUR, &[By::Team]),
        quota("r", 10, HOUR, &[By::Consumer]),
    );
    let claims = [claim(&q, "ci", 60), claim(&r, "ci", 1)];
    let reservation = ledger.reserve(&claims, at(0)).expect("room");
    let left: Vec<_> = reservation
        .states()
        .map(|hold| (hold.quota.name.to_string(), hold.state.remaining))
        .collect();
    assert_eq!(left, [("q".to_owned(), 40), ("r".to_owned(), 9)]);
    let settled = reservation.settle(|quota, _| used(if &*quota.name == "q" { 75 } else { 1 }));
    let told: Vec<_> = settled
        .iter()
        .map(|s| (&*s.quota.name, s.bound, s.used.amount, s.overrun))
        .collect();
    assert_eq!(told, [("q", 60, 75, 15), ("r", 1, 1, 0)]);
    assert_eq!(remaining(&ledger, &q, "ci", 0), 25);
    assert_eq!(ledger.state(&q, &subject("ci"), at(0)).debt, 15);
    assert_eq!(remaining(&ledger, &q, "another of the team", 0), 25);
    assert_eq!(remaining(&ledger, &r, "another of the team", 0), 10);
}

#[test]
fn a_dropped_reservation_pays_in_full_and_a_released_one_nothing() {
    let ledger = Ledger::memory();
    let q = quota("q", 100, HOUR, &[]);
    let reserved = || ledger.state(&q, &subject("a"), at(0)).reserved;
    let reservation = ledger.reserve(&[claim(&q, "a", 30)], at(0)).expect("room");
    assert_eq!(reserved(), 30);
    drop(reservation);
    assert_eq!(reserved(), 0);
    assert_eq!(remaining(&ledger, &q, "a", 0), 70);
    ledger
        .reserve(&[claim(&q, "a", 30)], at(0))
        .expect("room")
        .settle(|_, _| used(0));
    assert_eq!(remaining(&ledger, &q, "a", 0), 70);
}

#[test]
fn a_reservation_outlives_the_ledger_and_a_panic_amid_settling() {
    let ledger = Ledger::memory();
    let (q, r) = (quota("q", 100, HOUR, &[]), quota("r", 100, HOUR, &[]));
    let claims = [claim(&q, "a", 30), claim(&r, "a", 30)];
    let reservation = ledger.reserve(&claims, at(0)).expect("room");
    let settling = std::panic::AssertUnwindSafe(|| reservation.settle(|_, _| panic!("a bug")));
    assert!(std::panic::catch_unwind(settling).is_err());
    assert_eq!(remaining(&ledger, &q, "a", 0), 70);
    assert_eq!(remaining(&ledger, &r, "a", 0), 70);
    let reservation = ledger.reserve(&claims, at(0)).expect("room");
    drop(ledger);
    assert_eq!(reservation.settle(|_, _| used(40))[1].overrun, 10);
}

#[test]
fn a_refused_claim_leaves_no_trace_in_the_others() {
    let ledger = Ledger::memory();
    let (wide, tight) = (quota("wide", 100, HOUR, &[]), quota("tight", 5, HOUR, &[]));
    for order in [[0, 1], [1, 0]] {
        let claims = [claim(&wide, "a", 50), claim(&tight, "a", 6)];
        let refusal = refused(&ledger, &order.map(|index| claims[index]), 0);
        assert_eq!(&*refusal.quota.name, "tight");
        assert_eq!(
            (refusal.limit, refusal.remaining, refusal.requested),
            (5, 5, 6)
        );
        assert!(refusal.never);
        assert_eq!(remaining(&ledger, &wide, "a", 0), 100);
        assert_eq!(remaining(&ledger, &tight, "a", 0), 5);
    }
}

#[test]
fn claims_on_one_count_add_up() {
    let ledger = Ledger::memory();
    let q = quota("q", 100, HOUR, &[]);
    let refusal = refused(&ledger, &[claim(&q, "a", 60), claim(&q, "b", 60)], 0);
    assert_eq!((refusal.requested, refusal.never), (120, true));
    let both = [claim(&q, "a", 60), claim(&q, "b", 40)];
    let reservation = ledger.reserve(&both, at(0)).expect("room");
    assert!(reservation.states().all(|hold| hold.state.remaining == 0));
    let _ = reservation.settle(|_, _| used(40));
    assert_eq!(remaining(&ledger, &q, "a", 0), 20);
    let most = [claim(&q, "a", u64::MAX), claim(&q, "b", u64::MAX)];
    assert!(refused(&ledger, &most, 0).never);
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let ledger = Ledger::memory();
    let (hourly, sliding) = (quota("h", 100, HOUR, &[]), quota("s", 100, SLIDING, &[]));
    let take = |quota, bound, now| {
        ledger
            .reserve(&[claim(quota, "a", bound)], at(now))
            .expect("room")
            .settle(|_, _| used(bound))
    };
    take(&hourly, 100, 0);
    take(&sliding, 70, 600);
    take(&sliding, 30, 620);
    let wait = |claims: &[Claim<'_>]| {
        let refusal = refused(&ledger, claims, 630);
        assert!(!refusal.never);
        (
            refusal.quota.name.to_string(),
            refusal.retry_after.as_secs(),
        )
    };
    assert_eq!(wait(&[claim(&sliding, "a", 70)]), ("s".to_owned(), 31));
    assert_eq!(wait(&[claim(&sliding, "a", 71)]), ("s".to_owned(), 51));
    // of two that refuse, the one that takes longer
    let both = [claim(&sliding, "a", 1), claim(&hourly, "a", 1)];
    for order in [[0, 1], [1, 0]] {
        let claims = order.map(|index| both[index]);
        assert_eq!(wait(&claims), ("h".to_owned(), 3_600 - 630));
    }
    // and it is true
    assert!(
        ledger
            .reserve(&[claim(&sliding, "a", 71)], at(630 + 50))
            .is_err()
    );
    assert!(
        ledger
            .reserve(&[claim(&sliding, "a", 71)], at(630 + 51))
            .is_ok()
    );
}

#[test]
fn a_refusal_reads_well() {
    let ledger = Ledger::memory();
    let q = quota("team-tokens", 100, HOUR, &[]);
    drop(ledger.reserve(&[claim(&q, "a", 90)], at(0)));
    let refusal = refused(&ledger, &[claim(&q, "a", 20)], 3_565);
    let text = "quota team-tokens: 20 tokens asked, 10 of 100 left; retry in 35s";
    assert_eq!(refusal.to_string(), text);
    assert!(
        refused(&ledger, &[claim(&q, "a", 101)], 0)
            .to_string()
            .ends_with("cannot help")
    );
}

#[test]
fn debt_is_carried_over_a_month_that_ends_in_a_leap_day() {
    let ledger = Ledger::memory();
    let q = quota(
        "q",
        100,
        Window::Fixed {
            every: Period::Month(Zone::UTC),
        },
        &[],
    );
    let leap_day = UNIX_EPOCH + Duration::from_secs(1_709_251_199);
    let reservation = ledger
        .reserve(&[claim(&q, "a", 100)], leap_day)
        .expect("room");
    let _ = reservation.settle(|_, _| used(130));
    let refusal = ledger
        .reserve(&[claim(&q, "a", 71)], leap_day)
        .expect_err("full");
    let april = Duration::from_secs(1 + 31 * 86_400);
    assert_eq!(
        refusal.retry_after, april,
        "in March there will be room for 70"
    );
    let march = leap_day + Duration::from_secs(1);
    let state = ledger.state(&q, &subject("a"), march);
    assert_eq!((state.remaining, state.debt), (70, 30));
    assert!(ledger.reserve(&[claim(&q, "a", 70)], march).is_ok());
}

#[test]
fn counts_outlive_a_reload() {
    let ledger = Ledger::memory();
    let before = quota("q", 100, HOUR, &[By::Consumer]);
    drop(ledger.reserve(&[claim(&before, "a", 80)], at(0)));
    let raised = quota("q", 200, HOUR, &[By::Consumer]);
    assert_eq!(remaining(&ledger, &raised, "a", 0), 120);
    let lowered = quota("q", 50, HOUR, &[By::Consumer]);
    let refusal = refused(&ledger, &[claim(&lowered, "a", 1)], 0);
    assert_eq!(
        (refusal.limit, refusal.remaining, refusal.never),
        (50, 0, false)
    );
    let otherwise = quota("q", 100, SLIDING, &[By::Consumer]);
    assert_eq!(
        remaining(&ledger, &otherwise, "a", 0),
        100,
        "another window is another count"
    );
}

#[test]
fn the_state_of_a_stranger_is_a_whole_limit_and_keeps_nothing() {
    let ledger = Ledger::memory();
    let q = quota("q", 100, HOUR, &[By::Consumer]);
    let state = ledger.state(&q, &subject("nobody"), at(600));
    assert_eq!((state.limit, state.remaining, state.debt), (100, 100, 0));
    assert_eq!(state.reset, Duration::from_secs(3_000));
    assert_eq!(ledger.keys(), 0);
}

#[test]
fn nothing_claimed_is_granted() {
    let reservation = Ledger::memory()
        .reserve(&[], at(0))
        .expect("nothing to refuse");
    assert_eq!(reservation.states().len(), 0);
    assert!(reservation.settle(|_, _| used(1)).is_empty());
}

#[test]
fn idle_keys_are_forgotten_and_held_ones_are_not() {
    let ledger = Ledger::memory();
    let q = quota(
        "q",
        1,
        Window::Fixed {
            every: Period::Minute,
        },
        &[By::ClientAddress],
    );
    let ask = |address: u32, now| {
        let subject = client(address.to_be_bytes().into());
        ledger
            .reserve(
                &[Claim {
                    quota: &q,
                    subject,
                    bound: 1,
                }],
                at(now),
            )
            .expect("room")
    };
    let held = ask(u32::MAX, 0);
    let _ = ask(u32::MAX - 1, 0).settle(|_, _| used(3_600));
    for minute in 0..50 {
        for address in 0..2_000 {
            let _ = ask(minute * 2_000 + address, u64::from(minute) * 60).settle(|_, _| used(1));
        }
    }
    assert!(
        ledger.keys() < 3 * 2_000 + 64 * 64,
        "{} keys",
        ledger.keys()
    );
    let now = 49 * 60;
    let debtor = client((u32::MAX - 1).to_be_bytes().into());
    assert_eq!(ledger.state(&q, &debtor, at(now)).debt, 3_600 - 49);
    // the overrun of a held reservation still finds its account, 49 windows later
    let _ = held.settle(|_, _| used(100));
    let late = client(u32::MAX.to_be_bytes().into());
    assert!(ledger.state(&q, &late, at(now)).debt > 0);
}

#[test]
fn beyond_so_many_keys_new_ones_share_a_count_until_others_are_over() {
    let ledger = Ledger(crate::quota::Ledger::of_at_most(64 * 10));
    let minute = Window::Fixed {
        every: Period::Minute,
    };
    let q = quota("q", 10, minute, &[By::Consumer]);
    let ask = |name: &str, now| {
        let reserved = ledger.reserve(&[claim(&q, name, 1)], at(now));
        reserved.map(|reserved| drop(reserved.settle(|_, _| used(1))))
    };
    let served = (0..10_000).filter(|n| ask(&n.to_string(), 0).is_ok());
    let served = served.count();
    assert!((500..=650).contains(&served), "{served}");
    assert!(ledger.keys() <= 64 * 10 + 1, "{} keys", ledger.keys());
    // Those who have a count keep it.
    for _ in 1..10 {
        ask("0", 1).expect("nine of ten are left");
    }
    ask("0", 1).expect_err("it is spent");
    // A minute later there is room for others.
    for _ in 0..10 {
        ask("new", 61).expect("it has a count of its own");
    }
    ask("another", 61).expect("it has one too");
}

#[test]
fn refused_strangers_are_forgotten() {
    let ledger = Ledger::memory();
    let q = quota("q", 1, HOUR, &[By::Consumer]);
    for stranger in 0..100_000 {
        let name = stranger.to_string();
        let _ = refused(&ledger, &[claim(&q, &name, 2)], 0);
    }
    assert!(ledger.keys() <= 64 * 64, "{} keys", ledger.keys());
}
