//! What a quota counts. Amounts are `u64` whatever the unit; this module knows no prices and
//! no tokenizers.

use std::fmt;

/// The unit of a quota's amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests let through; each is one.
    Requests,
    /// Requests in progress; each is one until it ends.
    ConcurrentRequests,
    /// Language model tokens, input and output together.
    Tokens,
    /// Tokens of the prompt, cached ones included.
    InputTokens,
    /// Tokens of the answer, reasoning included.
    OutputTokens,
    /// Tokens of the prompt that the provider had in its cache.
    CachedTokens,
    /// Tokens of the answer that the model only thought.
    ReasoningTokens,
    /// Money, in billionths of a US dollar.
    Money,
    /// Bytes of Kafka records: key, value and headers.
    KafkaBytes,
    /// Messages that callers send on WebSocket connections.
    WebsocketMessages,
    /// What GraphQL operations cost.
    GraphqlCost,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 11] = [
        Self::Requests,
        Self::ConcurrentRequests,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::CachedTokens,
        Self::ReasoningTokens,
        Self::Money,
        Self::KafkaBytes,
        Self::WebsocketMessages,
        Self::GraphqlCost,
    ];

    /// Whether how much a call uses of it depends on how many tokens it has.
    #[must_use]
    pub const fn depends_on_tokens(self) -> bool {
        match self {
            Self::Requests
            | Self::ConcurrentRequests
            | Self::KafkaBytes
            | Self::GraphqlCost
            | Self::WebsocketMessages => false,
            Self::Tokens
            | Self::InputTokens
            | Self::OutputTokens
            | Self::CachedTokens
            | Self::ReasoningTokens
            | Self::Money => true,
        }
    }

    /// Whether the answer of a model uses it up as it flows.
    pub const fn flows(self) -> bool {
        matches!(
            self,
            Self::Tokens | Self::OutputTokens | Self::ReasoningTokens | Self::Money
        )
    }

    /// The name used in configuration, headers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ConcurrentRequests => "concurrent_requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::CachedTokens => "cached_tokens",
            Self::ReasoningTokens => "reasoning_tokens",
            Self::Money => "money",
            Self::KafkaBytes => "kafka_bytes",
            Self::WebsocketMessages => "websocket_messages",
            Self::GraphqlCost => "graphql_cost",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount of every unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts([u64; Unit::ALL.len()]);

impl Amounts {
    /// The amount of `unit`; zero if it was never set.
    pub const fn get(&self, unit: Unit) -> u64 {
        self.0[unit as usize]
    }

    /// With so much of `unit`.
    #[must_use]
    pub const fn with(mut self, unit: Unit, amount: u64) -> Self {
        self.0[unit as usize] = amount;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Amounts, Unit};

    #[test]
    fn each_unit_has_an_amount_of_its_own() {
        let mut amounts = Amounts::default();
        for (index, unit) in Unit::ALL.into_iter().enumerate() {
            amounts = amounts.with(unit, index as u64 + 1);
        }
        for (index, unit) in Unit::ALL.into_iter().enumerate() {
            assert_eq!(amounts.get(unit), index as u64 + 1, "{unit}");
        }
    }
}
