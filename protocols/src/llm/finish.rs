//! Why an answer ended.

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model had said all.
    Stop,
    /// It came to a text at which it was to end.
    StopSequence,
    /// It came to a limit on its length.
    Length,
    /// It calls tools and waits for what they return.
    ToolCalls,
    /// The provider held it back for what it says.
    Filtered,
    /// The model declined.
    Refusal,
    /// The provider interrupted a long turn; sent back as it is, it goes on.
    Paused,
    /// What it wrote was no valid call of a tool.
    MalformedCall,
    /// For a reason that no dialect here has a word for.
    Other,
}

impl Finish {
    /// Whether the model itself came to the end.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Stop | Self::StopSequence | Self::ToolCalls)
    }
}
