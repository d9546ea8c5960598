//! What an answer used, as `Converse` and `ConverseStream` report it (`TokenUsage`).

use serde::Deserialize;

use crate::llm;

/// `usage`. Its `inputTokens` are those that no cache had to do with (Amazon Bedrock User Guide,
/// "Prompt caching": all of the input is the sum of the three).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
}

impl Usage {
    /// The same in canonical terms; `None` if it lacks what every report has.
    pub(super) fn canonical(&self) -> Option<llm::Usage> {
        let cached = self.cache_read_input_tokens;
        let cache_written = self.cache_write_input_tokens;
        let input = self
            .input_tokens?
            .saturating_add(cached.unwrap_or(0))
            .saturating_add(cache_written.unwrap_or(0));
        let usage = llm::Usage::new(input, self.output_tokens?);
        Some(llm::Usage {
            total: self.total_tokens.unwrap_or(usage.total),
            cached,
            cache_written,
            ..usage
        })
    }
}
