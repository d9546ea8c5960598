//! What an answer used: `UsageMetadata`, both ways.
//!
//! The dialect counts thoughts beside the candidates, and the prompts of its own tools beside the
//! prompt; a number that is zero may be left out, as always in protobuf's JSON.

use serde::{Deserialize, Serialize};

use crate::llm::Usage;

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    #[serde(default, alias = "prompt_token_count")]
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_count: Option<u64>,
    #[serde(default, alias = "candidates_token_count")]
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    #[serde(default, alias = "thoughts_token_count")]
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
    #[serde(default, alias = "cached_content_token_count")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    #[serde(default, alias = "tool_use_prompt_token_count")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(default, alias = "total_token_count")]
    #[serde(skip_serializing_if = "Option::is_none")]
    total_token_count: Option<u64>,
}

impl Wire {
    /// The report, if there is one: an object that counts neither prompt nor total is none.
    pub(super) fn read(self) -> Option<Usage> {
        let sum = |one: Option<u64>, other: Option<u64>| {
            one.unwrap_or(0).saturating_add(other.unwrap_or(0))
        };
        if self.prompt_token_count.is_none() && self.total_token_count.is_none() {
            return None;
        }
        let input = sum(self.prompt_token_count, self.tool_use_prompt_token_count);
        let output = sum(self.candidates_token_count, self.thoughts_token_count);
        let plain = Usage::new(input, output);
        Some(Usage {
            total: self.total_token_count.unwrap_or(plain.total),
            cached: self.cached_content_token_count,
            reasoning: self.thoughts_token_count,
            ..plain
        })
    }

    /// The report as the dialect makes it. Tokens written to a cache are part of the prompt.
    pub(super) fn of(usage: &Usage) -> Self {
        let thoughts = usage.reasoning.unwrap_or(0);
        Self {
            prompt_token_count: Some(usage.input),
            candidates_token_count: Some(usage.output.saturating_sub(thoughts)),
            thoughts_token_count: usage.reasoning,
            cached_content_token_count: usage.cached,
            tool_use_prompt_token_count: None,
            total_token_count: Some(usage.total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<Wire>(json)
            .expect("it is one")
            .read()
    }

    #[test]
    fn thoughts_are_output_and_tools_prompts_are_input() {
        let usage = read(
            r#"{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,
                "cachedContentTokenCount":4,"toolUsePromptTokenCount":3,"totalTokenCount":25,
                "promptTokensDetails":[]}"#,
        )
        .expect("a report");
        assert_eq!((usage.input, usage.output, usage.total), (13, 12, 25));
        assert_eq!((usage.cached, usage.reasoning), (Some(4), Some(7)));
        assert_eq!(Wire::of(&usage).read(), Some(usage));
    }

    #[test]
    fn what_is_left_out_is_zero_and_nothing_is_no_report() {
        assert_eq!(read(r#"{"promptTokenCount":3}"#), Some(Usage::new(3, 0)));
        let snake = r#"{"prompt_token_count":3,"candidates_token_count":1}"#;
        assert_eq!(read(snake), Some(Usage::new(3, 1)));
        assert_eq!(read(r#"{"trafficType":"ON_DEMAND"}"#), None);
    }
}
