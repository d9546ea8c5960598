//! What a book will come to if nobody enters anything: when there is room, and when it is blank.

use super::bucket::time_to_drain;
use super::{Book, Terms};
use crate::quota::window::{Micros, SECOND, Window};

/// Nobody knows when a request ends; its caller may ask again after this.
const HELD: Micros = SECOND;

/// The first moment at which `amount` is sure to fit.
pub(super) fn fits_at(book: &Book, terms: Terms, now: Micros, amount: u64) -> Option<Micros> {
    let capacity = terms.capacity();
    if amount > capacity {
        return None;
    }
    match terms.window {
        Window::Held => Some(now.saturating_add(HELD)),
        Window::TokenBucket { .. } => bucket_at(book, terms, now, capacity - amount),
        Window::Fixed { .. } | Window::Sliding { .. } => {
            let step = step_of(book, terms, |book| {
                let counted = book.booked().saturating_add(book.owed);
                counted
                    .checked_add(amount)
                    .is_some_and(|total| total <= capacity)
            })?;
            Some(terms.window.start(step))
        }
    }
}

/// When nothing counts any more.
pub(super) fn empty_at(book: &Book, terms: Terms, now: Micros) -> Micros {
    let empty = match terms.window {
        Window::Held => Some(now),
        Window::TokenBucket { .. } => bucket_at(book, terms, now, 0),
        Window::Fixed { .. } | Window::Sliding { .. } if book.is_blank() => Some(now),
        Window::Fixed { .. } | Window::Sliding { .. } => {
            step_of(book, terms, Book::is_blank).map(|step| terms.window.start(step))
        }
    };
    empty.unwrap_or(Micros::MAX)
}

/// When a bucket holds `left` or less, and everything taken ahead of use was put in.
fn bucket_at(book: &Book, terms: Terms, now: Micros, left: u64) -> Option<Micros> {
    let last = book.by_step().last().map_or(0, |(step, _)| *step);
    let all_in = now.max(
        last.saturating_add(1)
            .saturating_mul(terms.window.granule()),
    );
    let level = book.level(terms, now);
    if level <= left {
        return Some(now);
    }
    let over = book.level(terms, all_in).saturating_sub(left);
    all_in.checked_add(time_to_drain(terms, over)?)
}

/// The step in which a window's book is as wanted.
fn step_of(book: &Book, terms: Terms, wanted: impl Fn(&Book) -> bool) -> Option<u64> {
    let mut future = book.clone();
    while !wanted(&future) {
        // Without a mark that could expire, a debt under a limit of zero is all there is.
        let expiry = future.next_expiry(terms.window)?;
        // All but the last of it at a stroke, to find the very step in which that is paid.
        let windows = future.owed.saturating_sub(1) / terms.limit.max(1);
        if future.repay(terms, windows) == 0 {
            future.expire(terms, expiry);
        }
    }
    Some(future.step)
}
