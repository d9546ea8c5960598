//! Many threads on one ledger: exact counts, no deadlock, nothing lost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use super::*;
use crate::quota::{Period, Zone};

const THREADS: u64 = 8;
const DAY: Window = Window::Fixed {
    every: Period::Day(Zone::UTC),
};

#[test]
fn a_limit_is_admitted_exactly() {
    let (ledger, admitted) = (Ledger::memory(), AtomicU64::new(0));
    let q = quota("q", 10_000, DAY, &[]);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    if let Ok(reservation) = ledger.reserve(&[claim(&q, "a", 1)], at(0)) {
                        let _ = reservation.settle(|_, _| used(1));
                        admitted.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 10_000);
}

/// Each thread names the shared quotas in an order of its own beside one of its own. What is
/// refused by one must not have been taken, even for a moment, from another: the wide quota
/// holds exactly what the tight one lets through, so anybody who took from it and gave back
/// would make somebody else's rightful claim fail.
#[test]
fn all_or_nothing_under_contention() {
    const LIMIT: u64 = 4_000;
    let ledger = Ledger::memory();
    let (tight, wide) = (
        quota("tight", LIMIT, DAY, &[]),
        quota("wide", LIMIT, DAY, &[By::Team]),
    );
    let own = quota("own", u64::MAX, DAY, &[By::Consumer]);
    let admitted: u64 = thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| {
            let (ledger, tight, wide, own) = (&ledger, &tight, &wide, &own);
            scope.spawn(move || {
                let name = thread.to_string();
                let mut claims = [
                    claim(tight, &name, 1),
                    claim(wide, &name, 1),
                    claim(own, &name, 1),
                ];
                claims.rotate_left(thread as usize % 3);
                if thread % 2 == 0 {
                    claims.swap(0, 2);
                }
                let mut mine = 0;
                for attempt in 0..2_000 {
                    if let Ok(reservation) = ledger.reserve(&claims, at(0)) {
                        mine += 1;
                        if attempt % 2 == 0 {
                            let _ = reservation.settle(|_, _| used(1));
                        } else {
                            drop(reservation);
                        }
                    }
                }
                assert_eq!(
                    u64::MAX - ledger.state(own, &subject(&name), at(0)).remaining,
                    mine
                );
                mine
            })
        });
        threads
            .collect::<Vec<_>>()
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .sum()
    });
    assert_eq!(admitted, LIMIT);
    for shared in [&tight, &wide] {
        assert_eq!(ledger.state(shared, &subject("any"), at(0)).remaining, 0);
    }
}

/// Sweeping while others reserve must never part a reservation from the account it charges.
#[test]
fn sweeps_lose_nothing_that_is_held() {
    let ledger = Ledger::memory();
    let hot = quota("hot", u64::MAX, DAY, &[By::Consumer]);
    let churn = quota(
        "churn",
        1,
        Window::Sliding {
            every: Duration::from_secs(1),
        },
        &[By::Consumer],
    );
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (ledger, hot, churn) = (&ledger, &hot, &churn);
            scope.spawn(move || {
                for round in 0..5_000 {
                    let stranger = format!("{thread}-{round}");
                    let claims = [claim(churn, &stranger, 1), claim(hot, "all", 2)];
                    let reservation = ledger.reserve(&claims, at(round)).expect("room");
                    let _ = reservation.settle(|_, _| used(1));
                }
            });
        }
    });
    assert_eq!(
        ledger.state(&hot, &subject("all"), at(0)).remaining,
        u64::MAX - THREADS * 5_000
    );
    assert!(ledger.keys() < 15_000, "{} keys", ledger.keys());
}
