//! A sum of tokens, of which some are known and some are yet to be counted.

use super::encoding::Counter;

/// Texts to count, and what comes to them.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// Each is counted by itself.
    pub(super) texts: Vec<String>,
    /// Tokens.
    pub(super) fixed: u64,
}

impl Sum {
    /// Its tokens. `None` if `wanted` says no before the end.
    pub(super) fn count(&self, counter: &mut Counter, wanted: &dyn Fn() -> bool) -> Option<u64> {
        let counts = self.texts.iter().map(|text| counter.count(text, wanted));
        counts
            .sum::<Option<u64>>()
            .map(|tokens| tokens + self.fixed)
    }
}
