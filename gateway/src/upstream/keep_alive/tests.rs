//! Peers that close idle connections after a time of theirs, and those that do so for other reasons.

use proptest::prelude::*;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Sees connections closed between these ages, one each second.
fn watched(closes: &[(u64, u64)]) -> KeepAlive {
    let keep_alive = KeepAlive::default();
    let begin = Instant::now();
    for (second, (after, before)) in (0..).zip(closes) {
        let now = begin + Duration::from_secs(second);
        keep_alive.closed(ms(*after), ms(*before), now);
    }
    keep_alive
}

#[test]
fn what_happens_three_times_is_a_habit_and_connections_are_left_alone_before() {
    let twice = watched(&[(4_300, 5_300), (4_900, 5_100)]);
    assert_eq!(twice.timeout(), None);
    assert_eq!(twice.limit(), Duration::from_nanos(u64::MAX));
    let thrice = watched(&[(4_300, 5_300), (4_900, 5_100), (4_100, 5_010)]);
    let timeout = Timeout {
        after: ms(4_900),
        source: Source::Learnt,
    };
    assert_eq!(thrice.timeout(), Some(timeout));
    assert_eq!(thrice.limit(), ms(4_410));
}

#[test]
fn what_happens_at_any_age_is_none() {
    let restarts = watched(&[(100, 1_100), (7_000, 8_000), (3_000, 4_000), (0, 900)]);
    assert_eq!(restarts.timeout(), None);
}

#[test]
fn what_happens_at_one_moment_happens_once() {
    let keep_alive = KeepAlive::default();
    let now = Instant::now();
    for millis in 0..10 {
        keep_alive.closed(ms(4_000), ms(5_000), now + ms(millis));
    }
    assert_eq!(keep_alive.timeout(), None);
}

#[test]
fn one_that_lives_longer_disproves_it() {
    let keep_alive = watched(&[(4_300, 5_300), (4_900, 5_100), (4_100, 5_010)]);
    keep_alive.open(ms(4_950));
    assert!(keep_alive.timeout().is_some());
    keep_alive.open(ms(7_000));
    assert_eq!(keep_alive.timeout(), None);
}

#[test]
fn a_new_habit_takes_the_place_of_an_old_one() {
    let keep_alive = watched(&[
        (59_000, 60_000),
        (59_100, 60_100),
        (59_200, 60_200),
        (4_000, 5_000),
        (4_100, 5_100),
    ]);
    assert_eq!(keep_alive.timeout(), None);
    let now = Instant::now() + Duration::from_secs(60);
    keep_alive.closed(ms(4_200), ms(5_200), now);
    assert_eq!(keep_alive.timeout().map(|it| it.after), Some(ms(4_200)));
}

#[test]
fn what_it_says_is_believed_at_once() {
    let keep_alive = KeepAlive::default();
    keep_alive.said(Some(Duration::from_secs(5)));
    assert_eq!(keep_alive.limit(), ms(4_500));
    keep_alive.said(Some(Duration::from_secs(75)));
    assert_eq!(keep_alive.limit(), Duration::from_secs(74));
    keep_alive.said(None);
    assert_eq!(keep_alive.timeout(), None);
}

#[test]
fn its_header_is_read() {
    for (value, expected) in [
        ("timeout=5", Some(5)),
        ("max=100, Timeout = 15", Some(15)),
        ("timeout=5, max=1000", Some(5)),
        ("300", None),
        ("timeout=soon", None),
        ("timeout=-1", None),
        ("", None),
    ] {
        let value = http::HeaderValue::from_static(value);
        assert_eq!(timeout_of(&value), expected.map(Duration::from_secs));
    }
}

proptest! {
    /// Whatever the phase in which it is looked: no connection is used that the endpoint has closed.
    #[test]
    fn a_fixed_timeout_is_learnt_and_never_exceeded(
        timeout in 200..120_000_u64,
        phases in prop::collection::vec(0..1_000_u64, ENOUGH..20),
    ) {
        let seen: Vec<(u64, u64)> = phases
            .iter()
            .map(|phase| {
                // It is looked each second, at ages that begin with the phase.
                let looks_before = timeout.saturating_sub(*phase).div_ceil(1_000);
                let before = phase + looks_before * 1_000;
                (before.saturating_sub(1_000), before)
            })
            .collect();
        let keep_alive = watched(&seen);
        prop_assert!(keep_alive.timeout().is_some());
        prop_assert!(keep_alive.limit() < ms(timeout));
    }
}
