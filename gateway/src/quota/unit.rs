//! What a quota counts. Amounts are `u64` whatever the unit; this module knows no prices and
//! no tokenizers.

use std::fmt;

/// The unit of a quota's amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests let through; each is one.
    Requests,
    /// Language model tokens, input and output together.
    Tokens,
}

impl Unit {
    /// The name used in configuration and in headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Unit;

    #[test]
    fn names_are_those_of_the_configuration() {
        assert_eq!(Unit::Requests.to_string(), "requests");
        assert_eq!(Unit::Tokens.to_string(), "tokens");
    }
}
