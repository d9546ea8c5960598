//! The deadlines of one exchange: whose turn it is, how long that may last, and what it is called
//! when it lasts too long.
//!
//! It sleeps and names; what becomes of the exchange is decided by [`super::exchange`].

use std::pin::Pin;
use std::time::Instant;

use tokio::time::Sleep;
use weir_telemetry::Code;

use super::Timeouts;

/// Whom an exchange waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The caller, for more of the request. How long it may be silent is the listener's to say.
    Caller,
    /// The endpoint, for the head of its answer.
    Head,
    /// The endpoint, for more of its answer.
    Body,
}

/// A wait that has lasted too long.
#[derive(Debug)]
pub(super) struct Overdue {
    /// What that is called.
    pub(super) code: Code,
    /// Which limit it was, for operators.
    pub(super) detail: String,
}

/// The clock of one exchange.
pub(super) struct Clock {
    timeouts: Timeouts,
    deadline: Instant,
    progress: Instant,
    /// Whether the last wait was broken off for the caller's sake, and is to go on.
    interrupted: bool,
    /// Moved only when it fires too early or would fire too late: moving it for every chunk would
    /// cost more than the chunk.
    timer: Pin<Box<Sleep>>,
}

impl Clock {
    /// Starts counting at `now`; at `deadline` the exchange must be over.
    pub(super) fn begin(timeouts: Timeouts, deadline: Instant, now: Instant) -> Self {
        let first = deadline.min(now + timeouts.first_byte);
        let timer = Box::pin(tokio::time::sleep_until(first.into()));
        Clock {
            timeouts,
            deadline,
            progress: now,
            interrupted: false,
            timer,
        }
    }

    /// Something moved: the wait begins anew.
    pub(super) fn progress(&mut self, now: Instant) {
        self.interrupted = false;
        self.progress = now;
    }

    /// When something last moved.
    pub(super) const fn progressed(&self) -> Instant {
        self.progress
    }

    /// It is waited again. What went by since the last time was the caller's, and the endpoint is
    /// given its due anew; unless that wait was interrupted, which changes nothing for it.
    pub(super) fn wait(&mut self, now: Instant) {
        if !self.interrupted {
            self.progress = now;
        }
    }

    /// The wait is broken off, and goes on with the next.
    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// What is overdue even though the endpoint has more to say: one that always has would never
    /// let [`Clock::overdue`] be asked.
    pub(super) fn check(&self, now: Instant, phase: Phase) -> Option<Overdue> {
        (now >= self.deadline).then(|| self.name(phase))
    }

    /// Waits until what `phase` waits for is overdue, or until `until`: `None`. May be dropped while
    /// pending.
    pub(super) async fn overdue(
        &mut self,
        phase: Phase,
        until: Option<Instant>,
    ) -> Option<Overdue> {
        let due = self.due(phase);
        let next = until.map_or(due, |until| until.min(due));
        if next < self.timer.deadline().into_std() {
            self.timer.as_mut().reset(next.into());
        }
        loop {
            self.timer.as_mut().await;
            if Instant::now() >= next {
                return (next == due).then(|| self.name(phase));
            }
            self.timer.as_mut().reset(next.into());
        }
    }

    fn due(&self, phase: Phase) -> Instant {
        match phase {
            Phase::Caller => self.deadline,
            Phase::Head => self.deadline.min(self.progress + self.timeouts.first_byte),
            Phase::Body => self.deadline.min(self.progress + self.timeouts.stream_idle),
        }
    }

    fn name(&self, phase: Phase) -> Overdue {
        let (code, detail) = match phase {
            Phase::Caller => (
                Code::RequestBodyTimeout,
                "the request's body was not complete at its total deadline".to_owned(),
            ),
            _ if self.due(phase) == self.deadline => (
                Code::RequestDeadlineExceeded,
                "the request's total deadline has passed".to_owned(),
            ),
            Phase::Head => (
                Code::HttpResponseTimeout,
                format!("no first byte in {:?}", self.timeouts.first_byte),
            ),
            Phase::Body => (
                Code::ResponseStalled,
                format!("silent for {:?}", self.timeouts.stream_idle),
            ),
        };
        Overdue { code, detail }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn clock(total: u64) -> (Clock, Instant) {
        let timeouts = Timeouts {
            connect: seconds(1),
            first_byte: seconds(30),
            stream_idle: seconds(2),
            total: seconds(total),
            pool_idle: seconds(1),
        };
        let now = Instant::now();
        (Clock::begin(timeouts, now + seconds(total), now), now)
    }

    #[tokio::test]
    async fn each_wait_has_its_own_limit_and_the_total_bounds_them_all() {
        let (mut clock, now) = clock(300);
        assert_eq!(clock.due(Phase::Head), now + seconds(30));
        assert_eq!(clock.due(Phase::Body), now + seconds(2));
        assert_eq!(clock.due(Phase::Caller), now + seconds(300));
        clock.progress(now + seconds(299));
        assert_eq!(clock.due(Phase::Body), now + seconds(300));
    }

    #[tokio::test]
    async fn what_is_overdue_is_named_after_whom_it_waited_for() {
        let (clock, now) = clock(300);
        assert_eq!(clock.name(Phase::Head).code, Code::HttpResponseTimeout);
        assert_eq!(clock.name(Phase::Body).code, Code::ResponseStalled);
        assert!(clock.check(now + seconds(299), Phase::Body).is_none());

        let (clock, now) = self::clock(1);
        let late = |phase| {
            clock
                .check(now + seconds(1), phase)
                .map(|overdue| overdue.code)
        };
        assert_eq!(late(Phase::Head), Some(Code::RequestDeadlineExceeded));
        assert_eq!(late(Phase::Body), Some(Code::RequestDeadlineExceeded));
        assert_eq!(late(Phase::Caller), Some(Code::RequestBodyTimeout));
    }

    #[tokio::test]
    async fn a_shorter_wait_that_follows_a_longer_one_ends_in_time() {
        let (mut clock, now) = clock(300);
        clock.progress(now - seconds(2));
        // The timer still stands at the first byte's thirty seconds.
        let overdue = clock.overdue(Phase::Body, None).await;
        assert_eq!(
            overdue.map(|overdue| overdue.code),
            Some(Code::ResponseStalled)
        );
    }

    #[tokio::test]
    async fn a_wait_that_is_interrupted_goes_on() {
        let (mut clock, now) = clock(300);
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(clock.overdue(Phase::Body, Some(soon)).await.is_none());
        clock.interrupt();
        clock.wait(now + seconds(1));
        assert_eq!(clock.due(Phase::Body), now + seconds(2));
        clock.progress(now + seconds(1));
        clock.wait(now + seconds(5));
        assert_eq!(clock.due(Phase::Body), now + seconds(7));
    }

    #[tokio::test]
    async fn what_is_overdue_already_is_not_put_off() {
        let (mut clock, now) = clock(300);
        clock.progress(now - seconds(3));
        let later = clock.due(Phase::Body) + seconds(1);
        let overdue = clock.overdue(Phase::Body, Some(later)).await;
        assert_eq!(
            overdue.map(|overdue| overdue.code),
            Some(Code::ResponseStalled)
        );
    }
}
