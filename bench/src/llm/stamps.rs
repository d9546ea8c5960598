//! Finds in a stream the times at which its events were written, and says how long each was on its
//! way. What else is in the events it does not read.

use crate::answer::STAMP;
use crate::wire::find;

const BEFORE: &[u8] = br#""content":""#;

/// A stream as it is read.
#[derive(Default)]
pub struct Stamps {
    tail: Vec<u8>,
    /// Nanoseconds from each event's writing to its reading.
    pub delays: Vec<u128>,
}

impl Stamps {
    /// Takes bytes that were read at `now`, in nanoseconds of the clock the stamps are of.
    pub fn take(&mut self, bytes: &[u8], now: u128) {
        self.tail.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(at) = find(&self.tail[done..], BEFORE) {
            let start = done + at + BEFORE.len();
            let Some(stamp) = self.tail.get(start..start + STAMP) else {
                // the rest of it is still to come
                self.tail.drain(..done + at);
                return;
            };
            let written = std::str::from_utf8(stamp)
                .ok()
                .and_then(|text| text.parse::<u128>().ok());
            // The first event has the member, and no content.
            self.delays
                .extend(written.map(|written| now.saturating_sub(written)));
            done = start;
        }
        let kept = self.tail.len().saturating_sub(BEFORE.len() - 1).max(done);
        self.tail.drain(..kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer;

    #[test]
    fn stamps_are_found_however_a_stream_is_cut() {
        let mut stream = answer::events(false).swap_remove(0);
        stream.extend(answer::stamped(1_000));
        stream.extend(answer::stamped(2_500));
        for step in [1, 2, 7, 11, 100, 10_000] {
            let mut stamps = Stamps::default();
            for piece in stream.chunks(step) {
                stamps.take(piece, 3_000);
            }
            assert_eq!(stamps.delays, [2_000, 500], "in steps of {step}");
        }
    }
}
