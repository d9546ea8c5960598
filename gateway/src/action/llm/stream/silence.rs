//! When the caller of a silent stream is to be told that it lives on. It writes nothing, and does not
//! know why a stream is silent: the provider may be saying what is not for the caller.

use std::time::{Duration, Instant};

use bytes::Bytes;

/// How long a caller has been told nothing.
pub(super) struct Silence {
    after: Option<Duration>,
    since: Instant,
    ping: Bytes,
}

impl Silence {
    /// Of a stream whose caller is to be sent `ping` when it was sent nothing for so long; never,
    /// if that is not said.
    pub(super) fn new(after: Option<Duration>, ping: Bytes) -> Self {
        Self {
            after,
            since: Instant::now(),
            ping,
        }
    }

    /// The caller was just sent something.
    pub(super) fn broken(&mut self) {
        if self.after.is_some() {
            self.since = Instant::now();
        }
    }

    /// When it will have lasted too long.
    pub(super) fn until(&self) -> Option<Instant> {
        self.after.map(|after| self.since + after)
    }

    /// What the caller is sent then.
    pub(super) fn ping(&self) -> Bytes {
        self.ping.clone()
    }
}
