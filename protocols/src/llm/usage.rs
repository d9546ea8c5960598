//! What an answer used.

/// Tokens used, as the provider reports them. An explicit zero is a value; a missing number is
/// not made one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, all of them: those read from and written to a cache included.
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// The provider's total or, where it gives none, the sum.
    pub total: u64,
    /// Those of the prompt that came from the provider's cache, if it says.
    pub cached: Option<u64>,
    /// Those of the prompt that went into the provider's cache, if it says.
    pub cache_written: Option<u64>,
    /// Those of the answer spent on reasoning, if it says.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// A report of the two that every provider makes.
    pub const fn new(input: u64, output: u64) -> Self {
        Self {
            input,
            output,
            total: input.saturating_add(output),
            cached: None,
            cache_written: None,
            reasoning: None,
        }
    }

    /// The tokens of the prompt that no cache had to do with, as Anthropic and Bedrock count them.
    pub fn input_uncached(&self) -> u64 {
        let cached = self.cached.unwrap_or(0);
        let written = self.cache_written.unwrap_or(0);
        self.input.saturating_sub(cached).saturating_sub(written)
    }
}
