//! What a record holds of a remote procedure call. Its method is in the record, and
//! which protocols number and name statuses so is not known here.

/// A remote procedure call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rpc {
    /// How it ended, once it has.
    pub status: Option<RpcStatus>,
    /// Messages that came from the caller; the last need not be whole.
    pub request_messages: u64,
    /// Messages that went to it, likewise.
    pub response_messages: u64,
}

/// How a call ended: a code of gRPC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RpcStatus {
    /// Its number, below [`RpcStatus::COUNT`].
    pub number: u8,
    /// Its name, as in `NOT_FOUND`.
    pub name: &'static str,
}

impl RpcStatus {
    /// How many there are.
    pub const COUNT: usize = 17;

    /// Whether it speaks of the server, and not of what it was asked (OpenTelemetry's conventions
    /// for gRPC): UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
    pub const fn is_error(self) -> bool {
        matches!(self.number, 2 | 4 | 12..=15)
    }
}
