//! What a number of tokens costs at a price.
//!
//! Exact integer arithmetic, rounded up once at the end. Knows neither models nor dates.

/// A million: prices are per so many tokens.
const PER: u128 = 1_000_000;

/// The prices of a model, each in nano-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Price {
    /// Of prompt tokens.
    pub input: u64,
    /// Of prompt tokens that the provider had in its cache; as `input`, if none.
    pub cached_input: Option<u64>,
    /// Of completion tokens.
    pub output: u64,
    /// Of completion tokens spent on reasoning; as `output`, if none.
    pub reasoning: Option<u64>,
}

/// How many tokens a call used, as OpenAI's `usage` counts them: the cached are among the input,
/// and those of reasoning among the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tokens {
    /// All prompt tokens.
    pub input: u64,
    /// The prompt tokens that the provider had in its cache.
    pub cached_input: u64,
    /// All completion tokens.
    pub output: u64,
    /// The completion tokens spent on reasoning.
    pub reasoning: u64,
}

impl Price {
    /// What `tokens` cost, in nano-dollars: the exact sum, rounded up to the next nano-dollar,
    /// and `u64::MAX` where that is more than fits.
    ///
    /// No token is charged twice. A part that exceeds its whole, which no honest provider
    /// reports, counts as the whole. For whole counts that hold their parts, a call never costs
    /// more than the parts it is split into.
    pub fn cost(&self, tokens: &Tokens) -> u64 {
        let of = |count: u64, price: u64| u128::from(count) * u128::from(price);
        let cached = tokens.cached_input.min(tokens.input);
        let reasoning = tokens.reasoning.min(tokens.output);
        let parts = [
            of(tokens.input - cached, self.input),
            of(cached, self.cached_input.unwrap_or(self.input)),
            of(tokens.output - reasoning, self.output),
            of(reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        // The sum may pass even 128 bits; what does is beyond 64 bits after the division as well.
        let millionths = parts.into_iter().fold(0, u128::saturating_add);
        u64::try_from(millionths.div_ceil(PER)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// gpt-4o: $2.50, $1.25 cached and $10 per million.
    const PRICE: Price = Price {
        input: 2_500_000_000,
        cached_input: Some(1_250_000_000),
        output: 10_000_000_000,
        reasoning: None,
    };

    fn tokens(input: u64, cached_input: u64, output: u64, reasoning: u64) -> Tokens {
        Tokens {
            input,
            cached_input,
            output,
            reasoning,
        }
    }

    #[test]
    fn known_calls() {
        for (counts, cost) in [
            (tokens(0, 0, 0, 0), 0),
            (tokens(1_000_000, 0, 0, 0), 2_500_000_000),
            (tokens(1_000_000, 1_000_000, 0, 0), 1_250_000_000),
            (tokens(1_000_000, 400_000, 0, 0), 2_000_000_000),
            (tokens(0, 0, 1_000_000, 0), 10_000_000_000),
            (tokens(0, 0, 1_000_000, 900_000), 10_000_000_000),
            (tokens(1, 0, 1, 0), 12_500),
            // parts beyond their wholes
            (tokens(1, 7, 0, 0), 1_250),
            (tokens(0, 7, 0, 7), 0),
        ] {
            assert_eq!(PRICE.cost(&counts), cost, "{counts:?}");
        }
    }

    #[test]
    fn reasoning_may_have_a_price_of_its_own() {
        let price = Price {
            reasoning: Some(3_000_000_000),
            ..PRICE
        };
        assert_eq!(price.cost(&tokens(0, 0, 1_000_000, 500_000)), 6_500_000_000);
    }

    #[test]
    fn a_fraction_of_a_nano_dollar_is_rounded_up_once() {
        let price = Price {
            input: 1,
            cached_input: None,
            output: 1,
            reasoning: None,
        };
        assert_eq!(price.cost(&tokens(1, 0, 1, 0)), 1);
        assert_eq!(price.cost(&tokens(500_000, 0, 500_000, 0)), 1);
        assert_eq!(price.cost(&tokens(500_000, 0, 500_001, 0)), 2);
    }

    #[test]
    fn what_does_not_fit_is_the_most_there_is() {
        let price = Price {
            input: u64::MAX,
            cached_input: None,
            output: u64::MAX,
            reasoning: None,
        };
        assert_eq!(price.cost(&tokens(u64::MAX, 0, u64::MAX, 0)), u64::MAX);
        // a sum that would come round to little in 128 bits
        assert_eq!(price.cost(&tokens(u64::MAX, 0, 3, 0)), u64::MAX);
        assert_eq!(price.cost(&tokens(1_000_001, 0, 0, 0)), u64::MAX);
        assert_eq!(price.cost(&tokens(1_000_000, 0, 0, 0)), u64::MAX);
        assert_eq!(
            price.cost(&tokens(999_999, 0, 0, 0)),
            u64::MAX - u64::MAX / 1_000_000
        );
    }

    /// Small and huge alike.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..5, 0_u64..50_000_000_000, any::<u64>()]
    }

    fn prices() -> impl Strategy<Value = Price> {
        let maybe = || proptest::option::of(number());
        (number(), maybe(), number(), maybe()).prop_map(
            |(input, cached_input, output, reasoning)| Price {
                input,
                cached_input,
                output,
                reasoning,
            },
        )
    }

    /// Prices as they are: the cache is a discount, reasoning none.
    fn usual() -> impl Strategy<Value = Price> {
        prices().prop_map(|price| Price {
            cached_input: price.cached_input.map(|cached| cached.min(price.input)),
            reasoning: price.reasoning.map(|reasoning| reasoning.max(price.output)),
            ..price
        })
    }

    /// Counts that hold their parts, and of which two can be added.
    fn counts() -> impl Strategy<Value = Tokens> {
        let half = || number().prop_map(|number| number / 2);
        (half(), half(), half(), half())
            .prop_map(|(a, b, c, d)| tokens(a.max(b), a.min(b), c.max(d), c.min(d)))
    }

    proptest! {
        /// Against a sum in another arrangement, whole and remainder apart.
        #[test]
        fn never_below_the_exact_sum_nor_a_nano_dollar_above(
            price in prices(),
            counts in counts(),
        ) {
            let parts = [
                (counts.input - counts.cached_input, price.input),
                (counts.cached_input, price.cached_input.unwrap_or(price.input)),
                (counts.output - counts.reasoning, price.output),
                (counts.reasoning, price.reasoning.unwrap_or(price.output)),
            ];
            let (mut whole, mut millionths) = (0_u128, 0_u128);
            for (count, price) in parts {
                let product = u128::from(count) * u128::from(price);
                whole += product / PER;
                millionths += product % PER;
            }
            whole += millionths / PER;
            millionths %= PER;
            let cost = u128::from(price.cost(&counts));
            if whole > u128::from(u64::MAX) {
                prop_assert_eq!(cost, u128::from(u64::MAX));
            } else if cost < u128::from(u64::MAX) {
                prop_assert_eq!(cost, whole + u128::from(millionths > 0));
            }
        }

        #[test]
        fn more_tokens_never_cost_less(
            price in usual(),
            counts in counts(),
            more in number(),
        ) {
            let cost = price.cost(&counts);
            let input = Tokens { input: counts.input.saturating_add(more), ..counts };
            let output = Tokens { output: counts.output.saturating_add(more), ..counts };
            let reasoning = Tokens { reasoning: counts.reasoning.saturating_add(more), ..counts };
            let cached = Tokens { cached_input: counts.cached_input.saturating_add(more), ..counts };
            prop_assert!(price.cost(&input) >= cost);
            prop_assert!(price.cost(&output) >= cost);
            prop_assert!(price.cost(&reasoning) >= cost);
            // what was cached is cheaper than what was not
            prop_assert!(price.cost(&cached) <= cost);
        }

        #[test]
        fn a_sum_costs_no_more_than_its_parts(
            price in prices(),
            one in counts(),
            other in counts(),
        ) {
            let sum = tokens(
                one.input + other.input,
                one.cached_input + other.cached_input,
                one.output + other.output,
                one.reasoning + other.reasoning,
            );
            let apart = price.cost(&one).saturating_add(price.cost(&other));
            prop_assert!(price.cost(&sum) <= apart);
            prop_assert!(price.cost(&sum) >= apart.saturating_sub(1) || apart == u64::MAX);
        }
    }
}
