//! What one process may spend, and what becomes of it when it is not spent.

use crate::quota::book::{Book, Terms};
use crate::quota::purse::Purse;
use crate::quota::window::SECOND;
use crate::quota::{Period, Window, Zone};

const TERMS: Terms = Terms {
    window: Window::Fixed {
        every: Period::Day(Zone::UTC),
    },
    limit: 100,
};

/// Somebody is granted all there is, and before it comes to spend that it is given back for others:
/// it has to ask once more, and is not told that there is nothing left.
#[test]
fn what_is_given_back_before_it_is_spent_can_be_asked_for_again() {
    let now = 1_800_000_000 * SECOND;
    let (mut book, mut purse) = (Book::default(), Purse::new(TERMS, now));
    let entry = purse.entry(100, 100, 0, 10 * SECOND);
    purse.take(&book.enter(TERMS, now, &entry));
    assert_eq!((purse.free(), purse.room()), (100, 0));
    purse.give_back(0);
    assert_eq!((purse.free(), purse.room()), (0, 100));
    assert_eq!(purse.state().remaining, 100);
    let entry = purse.entry(100, 100, 0, 10 * SECOND);
    purse.take(&book.enter(TERMS, now, &entry));
    assert_eq!((purse.free(), purse.room()), (100, 0));
}
