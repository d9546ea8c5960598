//! What is charged, in numbers; how it is asked for and told is tested end to end.

use super::*;

fn used(amount: u64, provenance: Provenance) -> Used {
    Used { amount, provenance }
}

#[test]
fn what_the_provider_says_counts_even_beyond_the_bound() {
    let told = used(120, Provenance::Provider);
    assert_eq!(tokens_within(Some(told), 100), told);
    let nothing = used(0, Provenance::Provider);
    assert_eq!(
        tokens_within(Some(nothing), 100),
        nothing,
        "an explicit zero is no missing value"
    );
}

#[test]
fn a_guess_makes_no_debt() {
    let guess = |amount| Some(used(amount, Provenance::Estimated));
    assert_eq!(
        tokens_within(guess(120), 100),
        used(100, Provenance::Estimated)
    );
    assert_eq!(
        tokens_within(guess(80), 100),
        used(80, Provenance::Estimated)
    );
}

#[test]
fn a_silence_costs_what_was_reserved() {
    assert_eq!(tokens_within(None, 100), used(100, Provenance::Estimated));
}

#[test]
fn seconds_are_rounded_up() {
    assert_eq!(seconds_up(Duration::from_millis(1)), 1);
    assert_eq!(seconds_up(Duration::from_secs(2)), 2);
    assert_eq!(seconds_up(Duration::ZERO), 0);
}
