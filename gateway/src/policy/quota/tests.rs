//! What is charged, in numbers; how it is asked for and told is tested end to end.

use std::time::Duration;

use super::refuse::spoken;
use super::settle::used;
use super::tell::seconds_up;
use crate::quota::{Amounts, Provenance, Unit, Used};

const fn charged(amount: u64, provenance: Provenance) -> Used {
    Used { amount, provenance }
}

fn tokens(amount: u64, provenance: Provenance) -> Option<super::Usage> {
    Some(super::Usage {
        amounts: Amounts::default().with(Unit::Tokens, amount),
        provenance,
    })
}

#[test]
fn what_the_provider_says_counts_even_beyond_the_bound() {
    for told in [120, 80, 0] {
        let usage = tokens(told, Provenance::Provider);
        let expected = charged(told, Provenance::Provider);
        assert_eq!(used(Unit::Tokens, usage, 100), expected);
    }
}

#[test]
fn a_guess_makes_no_debt() {
    for (guess, expected) in [(120, 100), (80, 80)] {
        let usage = tokens(guess, Provenance::Estimated);
        let expected = charged(expected, Provenance::Estimated);
        assert_eq!(used(Unit::Tokens, usage, 100), expected);
    }
}

#[test]
fn a_silence_costs_what_was_reserved() {
    let expected = charged(100, Provenance::Estimated);
    assert_eq!(used(Unit::Tokens, None, 100), expected);
}

#[test]
fn a_request_is_one_and_in_progress_no_more() {
    let usage = tokens(5, Provenance::Provider);
    assert_eq!(used(Unit::Requests, usage, 1).amount, 1);
    assert_eq!(used(Unit::ConcurrentRequests, usage, 1).amount, 0);
}

#[test]
fn seconds_are_rounded_up() {
    assert_eq!(seconds_up(Duration::from_millis(1)), 1);
    assert_eq!(seconds_up(Duration::from_secs(2)), 2);
    assert_eq!(seconds_up(Duration::ZERO), 0);
}

#[test]
fn amounts_are_spoken_in_their_unit() {
    assert_eq!(spoken(Unit::Money, 1_500_000_000), "$1.5");
    assert_eq!(spoken(Unit::InputTokens, 7), "7");
}
