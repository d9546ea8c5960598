//! `usage`, in both directions. Anthropic counts the prompt's tokens in three parts: those read from
//! its cache, those written to it, and `input_tokens`, which are the rest.

use serde::{Deserialize, Serialize};

use crate::llm::Usage;

/// The numbers of one answer, as said so far. In a stream they are cumulative, and a later report
/// leaves out what has not changed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Details {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

impl Report {
    /// Takes over what `later` says.
    pub(super) fn update(&mut self, later: Self) {
        let later_wins = |old: &mut Option<u64>, new: Option<u64>| *old = new.or(*old);
        later_wins(&mut self.input_tokens, later.input_tokens);
        later_wins(&mut self.output_tokens, later.output_tokens);
        later_wins(
            &mut self.cache_read_input_tokens,
            later.cache_read_input_tokens,
        );
        later_wins(
            &mut self.cache_creation_input_tokens,
            later.cache_creation_input_tokens,
        );
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    /// The same, counted as everywhere else. `None` unless both numbers that every report has are
    /// there: a missing number is not made zero.
    pub(super) fn usage(&self) -> Option<Usage> {
        let cached = self.cache_read_input_tokens;
        let cache_written = self.cache_creation_input_tokens;
        let input = self
            .input_tokens?
            .saturating_add(cached.unwrap_or(0))
            .saturating_add(cache_written.unwrap_or(0));
        Some(Usage {
            cached,
            cache_written,
            reasoning: self
                .output_tokens_details
                .and_then(|details| details.thinking_tokens),
            ..Usage::new(input, self.output_tokens?)
        })
    }
}

/// The numbers as they are written.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Written {
    input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<Details>,
}

impl From<Usage> for Written {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_uncached(),
            cache_creation_input_tokens: usage.cache_written,
            cache_read_input_tokens: usage.cached,
            output_tokens: usage.output,
            output_tokens_details: usage.reasoning.map(|tokens| Details {
                thinking_tokens: Some(tokens),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(json: &str) -> Report {
        serde_json::from_str(json).expect("a report")
    }

    #[test]
    fn the_prompt_is_the_sum_of_its_three_parts_and_is_taken_apart_again() {
        let json = concat!(
            r#"{"input_tokens":10,"cache_creation_input_tokens":200,"#,
            r#""cache_read_input_tokens":3000,"output_tokens":7,"#,
            r#""output_tokens_details":{"thinking_tokens":5}}"#
        );
        let usage = report(json).usage().expect("both numbers are there");
        assert_eq!((usage.input, usage.output, usage.total), (3210, 7, 3217));
        assert_eq!(usage.cached, Some(3000));
        assert_eq!(usage.cache_written, Some(200));
        assert_eq!(usage.reasoning, Some(5));
        let written = serde_json::to_string(&Written::from(usage)).expect("numbers");
        assert_eq!(written, json);
    }

    #[test]
    fn later_numbers_replace_earlier_ones_and_missing_ones_do_not() {
        let mut all =
            report(r#"{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":1}"#);
        all.update(report(r#"{"output_tokens":15,"input_tokens":null}"#));
        let usage = all.usage().expect("both numbers are there");
        assert_eq!((usage.input, usage.output), (14, 15));
        assert_eq!(report(r#"{"output_tokens":15}"#).usage(), None);
        assert_eq!(report(r#"{"input_tokens":15}"#).usage(), None);
    }
}
