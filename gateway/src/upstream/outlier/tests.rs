//! Ejection, its growth, and its ceiling.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn outliers(n: usize, failures: u32, max_ejected_percent: u8) -> Outliers {
    Outliers::new(
        n,
        Settings {
            failures,
            eject_for: 10 * SECOND,
            max_ejected_percent,
        },
    )
}

#[test]
fn failures_in_a_row_eject_and_time_brings_back() {
    let outliers = outliers(2, 3, 50);
    let now = Instant::now();
    assert_eq!(outliers.failure(0, now), None);
    assert_eq!(outliers.failure(0, now), None);
    assert!(!outliers.is_ejected(0, now));
    let until = now + 10 * SECOND;
    assert_eq!(outliers.failure(0, now), Some(Ejected { until }));
    assert!(outliers.is_ejected(0, until - Duration::from_nanos(1)));
    assert!(!outliers.is_ejected(0, until));
    assert!(!outliers.is_ejected(1, now));
}

#[test]
fn a_success_forgives() {
    let outliers = outliers(2, 2, 50);
    let now = Instant::now();
    for _ in 0..10 {
        assert_eq!(outliers.failure(0, now), None);
        outliers.success(0);
    }
}

#[test]
fn failures_while_out_do_not_count() {
    let outliers = outliers(2, 2, 50);
    let now = Instant::now();
    outliers.failure(0, now);
    let Ejected { until } = outliers.failure(0, now).expect("ejected");
    for _ in 0..10 {
        assert_eq!(outliers.failure(0, now + SECOND), None);
    }
    assert!(!outliers.is_ejected(0, until));
    assert_eq!(outliers.failure(0, until), None);
    assert!(outliers.failure(0, until).is_some());
}

#[test]
fn repeated_ejections_last_longer_up_to_ten_times() {
    let outliers = outliers(2, 1, 50);
    let mut now = Instant::now();
    for times in [1, 2, 4, 8, 10, 10, 10] {
        let Ejected { until } = outliers.failure(0, now).expect("ejected");
        assert_eq!(until - now, times * 10 * SECOND);
        now = until + SECOND;
    }
}

#[test]
fn who_stays_in_long_enough_starts_afresh() {
    let outliers = outliers(2, 1, 50);
    let now = Instant::now();
    let first = outliers.failure(0, now).expect("ejected").until;
    let just_too_soon = first + 100 * SECOND - Duration::from_nanos(1);
    let second = outliers.failure(0, just_too_soon).expect("ejected").until;
    assert_eq!(second - just_too_soon, 20 * SECOND);
    let long_after = second + 100 * SECOND;
    let third = outliers.failure(0, long_after).expect("ejected").until;
    assert_eq!(third - long_after, 10 * SECOND);
}

#[test]
fn the_ceiling_holds_for_every_size_and_percentage() {
    for n in 0..=12 {
        for percent in 0..=100 {
            let outliers = outliers(n, 1, percent);
            let now = Instant::now();
            let ejected = (0..n).filter(|&i| outliers.failure(i, now).is_some());
            let ejected = ejected.count();
            let share = n * usize::from(percent) / 100;
            let expected = if n < 2 || percent == 0 {
                0
            } else {
                share.max(1)
            };
            assert_eq!(ejected, expected, "{n} endpoints, {percent} %");
            assert_eq!(outliers.ejected(now), expected);
        }
    }
}

#[test]
fn a_failure_after_room_was_made_ejects_at_once() {
    let outliers = outliers(3, 2, 34);
    let now = Instant::now();
    outliers.failure(0, now);
    let until = outliers.failure(0, now).expect("ejected").until;
    assert_eq!(outliers.failure(1, now), None);
    assert_eq!(outliers.failure(1, now), None); // the ceiling
    assert!(outliers.failure(1, until).is_some());
}

#[test]
fn absurd_settings_do_not_panic() {
    let now = Instant::now();
    for eject_for in [Duration::ZERO, Duration::MAX] {
        let settings = Settings {
            failures: 0,
            eject_for,
            max_ejected_percent: u8::MAX,
        };
        let outliers = Outliers::new(2, settings);
        assert!(outliers.failure(0, now).is_some());
        assert_eq!(outliers.is_ejected(0, now), !eject_for.is_zero());
    }
}

#[test]
fn threads_together_never_break_the_ceiling() {
    for _ in 0..50 {
        let outliers = outliers(8, 1, 50);
        let now = Instant::now();
        let ejected = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (outliers, ejected) = (&outliers, &ejected);
                scope.spawn(move || {
                    for i in (0..8).map(|step| (start * 2 + step) % 8) {
                        let out = outliers.failure(i, now).is_some();
                        ejected.fetch_add(out.into(), Ordering::Relaxed);
                        assert!(outliers.ejected(now) <= 4);
                    }
                });
            }
        });
        assert_eq!(ejected.into_inner(), 4);
    }
}
