//! What records of use come to is what the ledger itself counted.

use proptest::prelude::*;

use super::*;
use crate::quota::book::{Amendment, Book, Standing, Terms};
use crate::quota::{Part, Period};

/// One call: so many seconds after the last, of so much, of which so much was used.
#[derive(Debug, Clone)]
struct Call {
    after: u64,
    bound: u64,
    used: u64,
    /// How many others begin before it is over.
    open_for: usize,
}

fn calls(overlapping: bool) -> impl Strategy<Value = Vec<Call>> {
    let call = (0..40_u64, 1..60_u64, 0..90_u64, 0..4_usize);
    let call = call.prop_map(move |(after, bound, used, open_for)| Call {
        after,
        bound,
        // Debt is paid as soon as there is room, which others may have reserved: records do not
        // tell of that.
        used: if overlapping { used.min(bound) } else { used },
        open_for: if overlapping { open_for } else { 0 },
    });
    prop::collection::vec(call, 1..60)
}

fn windows() -> impl Strategy<Value = Window> {
    prop_oneof![
        Just(Window::Fixed {
            every: Period::Minute
        }),
        Just(Window::Sliding {
            every: Duration::from_secs(60)
        }),
        Just(Window::token_bucket(100, Duration::from_secs(60), 150)),
    ]
}

/// What was told of settlements, and when each was made.
type Told = Vec<(u64, Part)>;

/// Makes the calls; what is told of them, the book of the one who made them, and the time then.
fn make(quota: &Arc<Quota>, calls: &[Call]) -> (Told, Book, SystemTime) {
    let ledger = Ledger::memory();
    let (mut now, mut told, mut open) = (at(0), Vec::new(), Vec::new());
    let mut settle = |now: SystemTime, reservation: Reservation, amount: u64| {
        for settled in reservation.settle(|_, _| used(amount)) {
            told.extend(settled.parts.iter().map(|part| (since_epoch(now), *part)));
        }
    };
    for call in calls {
        now += Duration::from_secs(call.after);
        if let Ok(reservation) = ledger.reserve(&[claim(quota, "a", call.bound)], now) {
            open.push((call.open_for, reservation, call.used));
        }
        let (over, rest): (Vec<_>, Vec<_>) = open.drain(..).partition(|(left, ..)| *left == 0);
        over.into_iter()
            .for_each(|(_, held, used)| settle(now, held, used));
        open = rest;
        open.iter_mut().for_each(|(left, ..)| *left -= 1);
    }
    open.into_iter()
        .for_each(|(_, held, used)| settle(now, held, used));
    let cell = ledger.0.open(&claim(quota, "a", 0), || now);
    let book = cell.lock().own_book(terms(quota), since_epoch(now));
    (told, book.expect("it is in memory"), now)
}

fn terms(quota: &Quota) -> Terms {
    Terms {
        window: quota.window,
        limit: quota.limit.default,
    }
}

/// A book that knows nothing but these records.
fn recounted(quota: &Quota, told: &[(u64, Part)]) -> Amendment {
    let mut book = Box::<Book>::default();
    for (at, part) in told {
        book.recount(terms(quota), *at, part);
    }
    Amendment::Recount(book)
}

fn standing(quota: &Quota, book: &mut Book, now: SystemTime) -> Standing {
    let (terms, now) = (terms(quota), since_epoch(now));
    book.advance(terms, now);
    book.standing(terms, now)
}

fn figures(standing: &Standing) -> [u64; 3] {
    [standing.settled, standing.reserved, standing.debt]
}

/// What counts. Of a bucket that is how full it is: what has drained is forgotten sooner or later.
fn counts(quota: &Quota, standing: &Standing) -> [u64; 3] {
    match quota.window {
        Window::TokenBucket { .. } => [standing.room, 0, 0],
        _ => figures(standing),
    }
}

/// A store that lost everything learns it from the records; one that lost nothing learns nothing;
/// and what is learnt twice is not counted twice.
fn check(window: Window, calls: &[Call]) -> Result<(), TestCaseError> {
    let quota = quota("recounted", 100, window, &[]);
    let (told, mut kept, now) = make(&quota, calls);
    let expected = counts(&quota, &standing(&quota, &mut kept, now));
    let micros = since_epoch(now);
    let all = recounted(&quota, &told);
    let mut lost = Book::default();
    for _ in 0..2 {
        lost.amend(terms(&quota), micros, &all);
        prop_assert_eq!(counts(&quota, &standing(&quota, &mut lost, now)), expected);
    }
    for known in [&all, &recounted(&quota, &told[told.len() / 2..])] {
        kept.amend(terms(&quota), micros, known);
        prop_assert_eq!(counts(&quota, &standing(&quota, &mut kept, now)), expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn use_and_debt_are_counted_as_they_were(window in windows(), calls in calls(false)) {
        check(window, &calls)?;
    }

    #[test]
    fn calls_that_overlap_are_counted_as_they_were(window in windows(), calls in calls(true)) {
        check(window, &calls)?;
    }

    /// One of two holders is gone and its share is lost; the other is alive and reserves.
    #[test]
    fn a_living_holder_is_left_alone(lost in calls(true), alive in calls(true)) {
        let window = Window::Fixed { every: Period::Day(crate::quota::Zone::UTC) };
        let quota = quota("recounted-beside", 1_000_000, window, &[]);
        let (of_lost, mut gone, end) = make(&quota, &lost);
        let (of_alive, mut book, now) = make(&quota, &alive);
        let now = now.max(end);
        let used = |book: &mut Book| figures(&standing(&quota, book, now));
        let expected = used(&mut gone)[0] + used(&mut book)[0];
        let told: Told = of_lost.into_iter().chain(of_alive).collect();
        for _ in 0..2 {
            book.amend(terms(&quota), since_epoch(now), &recounted(&quota, &told));
            prop_assert_eq!(used(&mut book), [expected, 0, 0]);
        }
    }
}

#[test]
fn what_is_reserved_stays_and_what_is_held_is_not_counted() {
    let day = Window::Fixed {
        every: Period::Day(crate::quota::Zone::UTC),
    };
    let day = quota("recounted-held", 100, day, &[]);
    let ledger = Ledger::memory();
    let held = ledger
        .reserve(&[claim(&day, "a", 30)], at(0))
        .expect("room");
    let cell = ledger.0.open(&claim(&day, "a", 0), || at(0));
    let book = cell.lock().own_book(terms(&day), since_epoch(at(0)));
    let mut book = book.expect("it is in memory");
    let part = Part {
        holder: 7,
        since: day.window.start(day.window.step(since_epoch(at(0)))),
        settled: 20,
        debt: 0,
    };
    let told = [(since_epoch(at(0)), part)];
    book.amend(terms(&day), since_epoch(at(0)), &recounted(&day, &told));
    assert_eq!(figures(&standing(&day, &mut book, at(0))), [20, 30, 0]);
    held.release();
    let busy = quota("recounted-busy", 100, Window::Held, &[]);
    let mut book = Book::default();
    book.amend(terms(&busy), since_epoch(at(0)), &recounted(&busy, &told));
    assert_eq!(figures(&standing(&busy, &mut book, at(0))), [0, 0, 0]);
}
