//! What a number of tokens comes to in every unit that counts them.

use weir_protocols::llm;

use crate::policy::quota::Usage;
use crate::price::{Price, Tokens};
use crate::quota::{Amounts, Provenance, Unit};

/// The most that so large a prompt and answer can come to.
pub(super) fn bound(price: Option<&Price>, prompt: u64, output: u64) -> Amounts {
    let dearest = price.map_or(0, |price| {
        let of = |cached_input, reasoning| {
            price.cost(&Tokens {
                input: prompt,
                cached_input,
                output,
                reasoning,
            })
        };
        of(0, 0)
            .max(of(prompt, 0))
            .max(of(0, output))
            .max(of(prompt, output))
    });
    amounts(prompt, output, prompt, output, dearest)
}

/// What of `all` is more than `some`, unit by unit.
pub(super) fn beyond(all: &Amounts, some: &Amounts) -> Amounts {
    each(all, some, u64::saturating_sub)
}

/// Both together, unit by unit.
pub(super) fn sum(one: &Amounts, other: &Amounts) -> Amounts {
    each(one, other, u64::saturating_add)
}

/// The larger of both, unit by unit.
pub(super) fn most(one: &Amounts, other: &Amounts) -> Amounts {
    each(one, other, u64::max)
}

fn each(one: &Amounts, other: &Amounts, of: impl Fn(u64, u64) -> u64) -> Amounts {
    let units = Unit::ALL.into_iter();
    units.fold(Amounts::default(), |all, unit| {
        all.with(unit, of(one.get(unit), other.get(unit)))
    })
}

/// What a prompt and an answer come to of which nobody said more than their tokens.
pub(super) fn of(price: Option<&Price>, prompt: u64, output: u64, provenance: Provenance) -> Usage {
    let tokens = Tokens {
        input: prompt,
        output,
        ..Tokens::default()
    };
    let cost = price.map_or(0, |price| price.cost(&tokens));
    Usage {
        amounts: amounts(prompt, output, 0, 0, cost),
        provenance,
    }
}

/// What the provider said was used comes to.
pub(super) fn told(price: Option<&Price>, usage: &llm::Usage) -> Usage {
    let tokens = Tokens {
        input: usage.input,
        cached_input: usage.cached.unwrap_or(0),
        output: usage.output,
        reasoning: usage.reasoning.unwrap_or(0),
    };
    let cost = price.map_or(0, |price| price.cost(&tokens));
    let Tokens {
        input,
        cached_input,
        output,
        reasoning,
    } = tokens;
    Usage {
        amounts: amounts(input, output, cached_input, reasoning, cost)
            .with(Unit::Tokens, usage.total),
        provenance: Provenance::Provider,
    }
}

fn amounts(input: u64, output: u64, cached: u64, reasoning: u64, cost: u64) -> Amounts {
    Amounts::default()
        .with(Unit::Tokens, input.saturating_add(output))
        .with(Unit::InputTokens, input)
        .with(Unit::OutputTokens, output)
        .with(Unit::CachedTokens, cached)
        .with(Unit::ReasoningTokens, reasoning)
        .with(Unit::Money, cost)
}

/// The most output that fits into what is left of a quota beside the prompt; `None` where the
/// answer does not matter to it.
pub(super) fn output_within(
    price: Option<&Price>,
    unit: Unit,
    left: u64,
    prompt: u64,
) -> Option<u64> {
    match unit {
        Unit::Tokens => Some(left.saturating_sub(prompt)),
        Unit::OutputTokens | Unit::ReasoningTokens => Some(left),
        Unit::Money => {
            let price = price?;
            let left = left.saturating_sub(bound(Some(price), prompt, 0).get(Unit::Money));
            let each = price.output.max(price.reasoning.unwrap_or(0));
            if each == 0 {
                return Some(u64::MAX);
            }
            // The cost is rounded up once, so this never comes to more than what is left.
            let tokens = u128::from(left) * 1_000_000 / u128::from(each);
            Some(u64::try_from(tokens).unwrap_or(u64::MAX))
        }
        Unit::Requests
        | Unit::ConcurrentRequests
        | Unit::InputTokens
        | Unit::CachedTokens
        | Unit::KafkaBytes
        | Unit::WebsocketMessages
        | Unit::GraphqlCost => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        input: 2_500_000_000,
        cached_input: Some(1_250_000_000),
        output: 10_000_000_000,
        reasoning: None,
    };

    #[test]
    fn what_fits_into_what_is_left_costs_no_more_than_that() {
        for left in [0, 1, 9_999, 10_000, 10_001, 25_000, 123_456_789] {
            for unit in [Unit::Tokens, Unit::OutputTokens, Unit::Money] {
                for prompt in [0, 1, 3] {
                    let output = output_within(Some(&PRICE), unit, left, prompt).expect("it flows");
                    let least = bound(Some(&PRICE), prompt, 0).get(unit);
                    let most = bound(Some(&PRICE), prompt, output).get(unit);
                    let more = bound(Some(&PRICE), prompt, output + 1).get(unit);
                    assert!(most <= left.max(least), "{unit} {left} {prompt}: {most}");
                    assert!(
                        more > left || left < least,
                        "{unit} {left} {prompt}: {more}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_provider_is_taken_at_its_word() {
        let usage = llm::Usage {
            input: 100,
            output: 20,
            total: 125,
            cached: Some(40),
            cache_written: None,
            reasoning: None,
        };
        let told = told(Some(&PRICE), &usage);
        let get = |unit| told.amounts.get(unit);
        assert_eq!(get(Unit::Tokens), 125, "its total, not the sum");
        assert_eq!((get(Unit::InputTokens), get(Unit::OutputTokens)), (100, 20));
        assert_eq!(
            (get(Unit::CachedTokens), get(Unit::ReasoningTokens)),
            (40, 0)
        );
        // 60 × 2.5 + 40 × 1.25 + 20 × 10 microdollars
        assert_eq!(get(Unit::Money), 400_000);
        assert_eq!(told.provenance, Provenance::Provider);
    }

    #[test]
    fn a_bound_is_the_dearest_that_can_happen() {
        let dear = Price {
            reasoning: Some(50_000_000_000),
            ..PRICE
        };
        let most = bound(Some(&dear), 10, 10);
        assert_eq!(most.get(Unit::Money), 10 * 2_500 + 10 * 50_000);
        assert_eq!(
            (most.get(Unit::Tokens), most.get(Unit::CachedTokens)),
            (20, 10)
        );
    }
}
