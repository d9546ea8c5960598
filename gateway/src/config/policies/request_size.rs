//! `request_size`, checked.

/// Refuses bodies that are too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The largest request body in bytes; at least 1.
    pub max: u64,
}
