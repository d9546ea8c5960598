//! In what words a subscriber is told what comes: as server-sent events, or as messages of gRPC. Who has more
//! to tell than one of them can say ends with it.

use super::message::Messenger;
use super::say::Speaker;
use super::shown::Shown;
use crate::error::GatewayError;
use crate::kafka::{Gap, Positions};

/// What a subscriber hears.
#[derive(Clone)]
pub(super) enum Voice {
    Events(Speaker),
    Messages(Messenger),
}

impl Voice {
    /// Tells of a record, after which its subscriber is at `at`.
    ///
    /// # Errors
    /// Where it cannot be told in these words.
    pub(super) fn record(
        &self,
        out: &mut Vec<u8>,
        shown: &Shown,
        at: &Positions,
    ) -> Result<(), GatewayError> {
        match self {
            Self::Events(speaker) => {
                speaker.event(out, shown, at);
                Ok(())
            }
            Self::Messages(messenger) => messenger.record(out, shown, at),
        }
    }

    /// Tells what is missing.
    ///
    /// # Errors
    /// As [`Voice::record`].
    pub(super) fn gaps(
        &self,
        out: &mut Vec<u8>,
        gaps: &[Gap],
        at: &Positions,
    ) -> Result<(), GatewayError> {
        match self {
            Self::Events(speaker) => {
                speaker.gaps(out, gaps, at);
                Ok(())
            }
            Self::Messages(messenger) => messenger.gaps(out, gaps, at),
        }
    }

    /// Tells why nothing more comes; over gRPC, trailers say it.
    pub(super) fn failure(&self, out: &mut Vec<u8>, problem: &[u8]) {
        if let Self::Events(speaker) = self {
            speaker.failure(out, problem);
        }
    }

    /// Where a subscriber is that was told all before `at`, as it may come again with it.
    pub(super) fn cursor(&self, at: &Positions) -> String {
        match self {
            Self::Events(speaker) => speaker.seal.write(at),
            Self::Messages(messenger) => messenger.seal.write(at),
        }
    }

    /// Tells a subscriber where it is, if there are words for that alone.
    pub(super) fn here(&self, out: &mut Vec<u8>, at: &Positions) {
        match self {
            Self::Events(speaker) => speaker.here(out, at),
            Self::Messages(messenger) => messenger.here(out, at),
        }
    }
}
