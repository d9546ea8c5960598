//! Whether a side is still there: when it was heard last, and when it is asked.

use std::time::Instant;

use bytes::Bytes;

use crate::config::routes::websocket::Ping;

/// What is known of one side's life.
pub(super) struct Pulse {
    ping: Option<Ping>,
    heard: Instant,
    asked: Option<Instant>,
    /// Whether it cannot even be asked: it does not take what it was sent before.
    stalled: bool,
    count: u32,
}

/// What is to be done about a side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is to be asked.
    Ask,
    /// It was, and said nothing.
    Lost,
}

impl Pulse {
    /// At the start of a connection.
    pub(super) fn new(ping: Option<Ping>, now: Instant) -> Self {
        Pulse {
            ping,
            heard: now,
            asked: None,
            stalled: false,
            count: 0,
        }
    }

    /// It said something.
    pub(super) fn beat(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
    }

    /// It took something: a sign of life, but no answer.
    pub(super) fn took(&mut self, now: Instant) {
        if self.asked.is_none() || self.stalled {
            self.beat(now);
        }
    }

    /// It is being asked.
    pub(super) fn ask(&mut self, now: Instant) {
        self.asked = Some(now);
        self.stalled = false;
        self.count = self.count.wrapping_add(1);
    }

    /// It cannot be asked before it has taken what it was sent, which it has as long for.
    pub(super) fn stall(&mut self, now: Instant) {
        self.asked = Some(now);
        self.stalled = true;
    }

    /// What the latest question said: what an answer repeats.
    pub(super) fn word(&self) -> Bytes {
        format!("weir{:08x}", self.count).into_bytes().into()
    }

    /// Whether a pong answers the latest question.
    pub(super) fn is_answered_by(&self, pong: &[u8]) -> bool {
        self.count > 0 && pong == &self.word()[..]
    }

    /// When something is to be done next, if ever.
    pub(super) fn due(&self) -> Option<(Instant, Due)> {
        let ping = self.ping?;
        Some(match self.asked {
            Some(asked) => (asked + ping.timeout, Due::Lost),
            None => (self.heard + ping.after, Due::Ask),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_is_silent_is_asked_and_who_stays_so_is_lost() {
        let now = Instant::now();
        let (after, timeout) = (Duration::from_secs(30), Duration::from_secs(15));
        let mut pulse = Pulse::new(Some(Ping { after, timeout }), now);
        assert_eq!(pulse.due(), Some((now + after, Due::Ask)));
        pulse.ask(now + after);
        assert_eq!(pulse.due(), Some((now + after + timeout, Due::Lost)));
        assert!(pulse.is_answered_by(b"weir00000001") && !pulse.is_answered_by(b"weir"));
        // That the question was taken is no answer.
        pulse.took(now + after);
        assert_eq!(pulse.due(), Some((now + after + timeout, Due::Lost)));
        pulse.beat(now + timeout);
        assert_eq!(pulse.due(), Some((now + timeout + after, Due::Ask)));
        pulse.stall(now + timeout + after);
        pulse.took(now + after);
        assert_eq!(pulse.due(), Some((now + after + after, Due::Ask)));
        assert_eq!(Pulse::new(None, now).due(), None);
    }
}
