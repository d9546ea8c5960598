//! The breaker's phases, its counts under threads, and its window.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn by_rate() -> Arc<Breaker> {
    Breaker::new(Settings {
        max_in_flight: None,
        error_percent: Some(50),
        minimum_requests: 4,
        window: 10 * SECOND,
        open_for: 5 * SECOND,
    })
}

fn by_count(max_in_flight: u32) -> Arc<Breaker> {
    Breaker::new(Settings {
        max_in_flight: Some(max_in_flight),
        error_percent: None,
        minimum_requests: 0,
        window: SECOND,
        open_for: SECOND,
    })
}

fn enter(breaker: &Arc<Breaker>, now: Instant) -> Permit {
    let entered = breaker.try_enter(now);
    entered.unwrap_or_else(|refused| panic!("{refused:?}"))
}

fn refusal(breaker: &Arc<Breaker>, now: Instant) -> Option<Refused> {
    breaker.try_enter(now).err()
}

/// A breaker that opened at the returned time.
fn opened() -> (Arc<Breaker>, Instant) {
    let (breaker, now) = (by_rate(), Instant::now());
    for _ in 0..3 {
        assert_eq!(enter(&breaker, now).failure(now), None);
    }
    assert_eq!(enter(&breaker, now).failure(now), Some(Change::Opened));
    (breaker, now)
}

#[test]
fn at_most_so_many_are_in_flight() {
    let (breaker, now) = (by_count(2), Instant::now());
    let mut first = enter(&breaker, now);
    let second = enter(&breaker, now);
    assert_eq!(refusal(&breaker, now), Some(Refused::InFlight));
    assert_eq!(breaker.in_flight(), 2);
    // a verdict is not the end of the call
    first.success(now);
    assert_eq!(refusal(&breaker, now), Some(Refused::InFlight));
    drop(first);
    let third = enter(&breaker, now);
    assert_eq!(refusal(&breaker, now), Some(Refused::InFlight));
    drop(second);
    drop(third);
    assert_eq!(breaker.in_flight(), 0);
    assert!(!breaker.is_open(now));
}

#[test]
fn in_flight_never_exceeds_the_maximum_under_threads_and_returns_to_zero() {
    for max in 1..=5 {
        let (breaker, now) = (by_count(max), Instant::now());
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (breaker, inside) = (&breaker, &inside);
                scope.spawn(move || {
                    for call in thread..thread + 500 {
                        let Ok(mut permit) = breaker.try_enter(now) else {
                            std::thread::yield_now();
                            continue;
                        };
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < max);
                        assert!(breaker.in_flight() <= max);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        let change = match call % 3 {
                            0 => None,
                            1 => permit.success(now),
                            _ => permit.failure(now),
                        };
                        assert_eq!(change, None);
                    }
                });
            }
        });
        assert_eq!(breaker.in_flight(), 0);
    }
}

#[test]
fn the_error_rate_opens_it() {
    let (breaker, now) = opened();
    assert!(breaker.is_open(now));
    let refused = refusal(&breaker, now + 2 * SECOND);
    let retry_after = 3 * SECOND;
    assert_eq!(refused, Some(Refused::Open { retry_after }));
    assert_eq!(breaker.in_flight(), 0);
}

#[test]
fn it_opens_at_the_share_and_not_below() {
    for failures in 0..=10 {
        let (breaker, now) = (by_rate(), Instant::now());
        for _ in failures..10 {
            enter(&breaker, now).success(now);
        }
        let changes = (0..failures).filter_map(|_| enter(&breaker, now).failure(now));
        let opened = changes.take(1).count() == 1;
        assert_eq!(opened, failures >= 5, "{failures} of 10 failed");
        assert_eq!(breaker.is_open(now), opened);
    }
}

#[test]
fn too_few_verdicts_are_not_judged() {
    let (breaker, now) = (by_rate(), Instant::now());
    for _ in 0..3 {
        assert_eq!(enter(&breaker, now).failure(now), None);
    }
    for _ in 0..20 {
        drop(enter(&breaker, now)); // no verdict
    }
    assert!(!breaker.is_open(now));
}

#[test]
fn old_verdicts_are_forgotten() {
    let (breaker, start) = (by_rate(), Instant::now());
    for step in 0..100 {
        // one failure every four seconds: never four within ten
        let now = start + step * 4 * SECOND;
        assert_eq!(enter(&breaker, now).failure(now), None);
    }
    // left-over buckets that come round again hold nothing
    let later = start + 1_000_000 * SECOND;
    assert_eq!(enter(&breaker, later).failure(later), None);
}

#[test]
fn verdicts_add_up_over_the_whole_window() {
    let (breaker, start) = (by_rate(), Instant::now());
    let mut changes = Vec::new();
    for step in 0..4 {
        let now = start + step * 2 * SECOND;
        changes.push(enter(&breaker, now).failure(now));
    }
    assert_eq!(changes, [None, None, None, Some(Change::Opened)]);
}

#[test]
fn one_probe_is_let_through_and_its_success_closes() {
    let (breaker, start) = opened();
    let now = start + 5 * SECOND;
    assert!(!breaker.is_open(now));
    let mut probe = enter(&breaker, now);
    assert!(breaker.is_open(now));
    assert!(matches!(refusal(&breaker, now), Some(Refused::Open { .. })));
    assert_eq!(probe.success(now), Some(Change::Closed));
    assert!(!breaker.is_open(now));
    // and what opened it is forgotten
    assert_eq!(enter(&breaker, now).failure(now), None);
}

#[test]
fn a_failed_probe_opens_for_the_full_time_again() {
    let (breaker, start) = opened();
    let now = start + 6 * SECOND;
    let mut probe = enter(&breaker, now);
    assert_eq!(probe.failure(now + SECOND), Some(Change::Opened));
    let refused = refusal(&breaker, now + SECOND);
    let retry_after = 5 * SECOND;
    assert_eq!(refused, Some(Refused::Open { retry_after }));
    let mut next = enter(&breaker, now + 6 * SECOND);
    assert_eq!(next.success(now + 6 * SECOND), Some(Change::Closed));
}

#[test]
fn a_probe_without_verdict_hands_its_turn_on() {
    let (breaker, start) = opened();
    let now = start + 5 * SECOND;
    drop(enter(&breaker, now));
    assert!(!breaker.is_open(now));
    let mut probe = enter(&breaker, now);
    assert!(breaker.try_enter(now).is_err());
    assert_eq!(probe.success(now), Some(Change::Closed));
}

#[test]
fn the_first_verdict_counts() {
    let (breaker, now) = (by_rate(), Instant::now());
    let mut call = enter(&breaker, now);
    call.success(now);
    for _ in 0..20 {
        assert_eq!(call.failure(now), None);
    }
    assert!(!breaker.is_open(now));

    let (breaker, start) = opened();
    let now = start + 5 * SECOND;
    let mut probe = enter(&breaker, now);
    assert_eq!(probe.success(now), Some(Change::Closed));
    assert_eq!(probe.failure(now), None);
    drop(probe);
    assert!(!breaker.is_open(now));
}

#[test]
fn a_full_house_does_not_use_up_the_probe() {
    let breaker = Breaker::new(Settings {
        max_in_flight: Some(2),
        error_percent: Some(1),
        minimum_requests: 1,
        window: SECOND,
        open_for: SECOND,
    });
    let start = Instant::now();
    let slow = enter(&breaker, start);
    let mut failed = enter(&breaker, start);
    assert_eq!(failed.failure(start), Some(Change::Opened));
    let now = start + SECOND;
    // both calls from before still hold their places
    assert_eq!(refusal(&breaker, now), Some(Refused::InFlight));
    drop(failed);
    assert_eq!(enter(&breaker, now).success(now), Some(Change::Closed));
    drop(slow);
    assert_eq!(breaker.in_flight(), 0);
}

#[test]
fn verdicts_of_calls_from_before_it_opened_change_nothing() {
    let (breaker, start) = (by_rate(), Instant::now());
    let slow: Vec<_> = (0..20).map(|_| enter(&breaker, start)).collect();
    for _ in 0..4 {
        enter(&breaker, start).failure(start);
    }
    assert!(breaker.is_open(start));
    let mut slow = slow.into_iter();
    // while open, a late success must not close it
    assert_eq!(slow.next().and_then(|mut call| call.success(start)), None);
    assert!(breaker.is_open(start));
    let now = start + 5 * SECOND;
    assert_eq!(enter(&breaker, now).success(now), Some(Change::Closed));
    for mut call in slow {
        assert_eq!(call.failure(now), None);
    }
    // nor are they held against the calls of today
    assert_eq!(enter(&breaker, now).failure(now), None);
    assert!(!breaker.is_open(now));
    assert_eq!(breaker.in_flight(), 0);
}

#[test]
fn threads_agree_on_one_probe() {
    for _ in 0..50 {
        let (breaker, start) = opened();
        let now = start + 5 * SECOND;
        let permits: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| breaker.try_enter(now).ok()))
                .collect();
            let joined = threads.into_iter().map(|t| t.join().expect("no panic"));
            joined.flatten().collect()
        });
        assert_eq!(permits.len(), 1);
    }
}

#[test]
fn absurd_settings_do_not_panic() {
    for (window, open_for) in [
        (Duration::ZERO, Duration::ZERO),
        (Duration::MAX, Duration::MAX),
    ] {
        let breaker = Breaker::new(Settings {
            max_in_flight: Some(u32::MAX),
            error_percent: Some(0),
            minimum_requests: 0,
            window,
            open_for,
        });
        let now = Instant::now();
        assert_eq!(enter(&breaker, now).failure(now), Some(Change::Opened));
        assert_eq!(breaker.is_open(now), !open_for.is_zero());
    }
}
