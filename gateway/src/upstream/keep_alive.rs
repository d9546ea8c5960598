//! For how long an endpoint leaves an idle connection open, so that none is used at the very moment at which
//! it is closed: what it says in `Keep-Alive: timeout=…`, else what is learnt from watching it.
//!
//! It knows ages of idle connections; no connection, and no clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// So many connections must have been closed after as long before that is believed.
const ENOUGH: usize = 3;
/// So many are remembered.
const MOST: usize = 8;
/// What is found within that time was found at one moment: an endpoint that ends closes all of them.
const MOMENT: Duration = Duration::from_millis(100);
/// By how much clocks and networks may disagree.
const SLACK: Duration = Duration::from_millis(50);
/// How much sooner than the endpoint closes it a connection is left alone: a tenth of that time, within these.
const MARGIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Stands for a time that is not known.
const NONE: u64 = u64::MAX;

/// Where a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The endpoint says it.
    Said,
    /// It was seen.
    Learnt,
}

impl Source {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Said => "said",
            Self::Learnt => "learnt",
        }
    }
}

/// How long an endpoint leaves idle connections open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeout {
    /// At least as long.
    pub(crate) after: Duration,
    pub(crate) source: Source,
}

impl Timeout {
    /// How old an idle connection may be that is used.
    fn limit(self) -> Duration {
        let (least, most) = MARGIN;
        let margin = (self.after / 10).clamp(least, most);
        self.after.saturating_sub(margin)
    }
}

/// A connection that the endpoint closed: after it was seen open, and before it was seen closed, at these ages.
#[derive(Debug, Clone, Copy)]
struct Close {
    after: Duration,
    before: Duration,
    seen: Instant,
}

/// What is known of one endpoint.
pub(super) struct KeepAlive {
    /// In nanoseconds; looked at before each use of a connection.
    limit: AtomicU64,
    /// What was said last, in seconds; looked at after each use.
    said: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    said: Option<Duration>,
    /// The latest last.
    closes: VecDeque<Close>,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            limit: AtomicU64::new(NONE),
            said: AtomicU64::new(NONE),
            seen: Mutex::default(),
        }
    }
}

impl KeepAlive {
    /// From which age on an idle connection is not used any more.
    pub(super) fn limit(&self) -> Duration {
        Duration::from_nanos(self.limit.load(Ordering::Relaxed))
    }

    /// What the endpoint does, as far as is known.
    pub(super) fn timeout(&self) -> Option<Timeout> {
        self.seen.lock().timeout()
    }

    /// The endpoint says for how long it leaves connections open, or does not say it any more.
    pub(super) fn said(&self, timeout: Option<Duration>) {
        let seconds = timeout.map_or(NONE, |it| it.as_secs());
        if self.said.swap(seconds, Ordering::Relaxed) != seconds {
            self.learn(|seen| seen.said = timeout);
        }
    }

    /// It closed a connection that had last been seen open at an age of `after`, before that of `before`.
    pub(super) fn closed(&self, after: Duration, before: Duration, now: Instant) {
        self.learn(|seen| seen.closed(after, before, now));
    }

    /// A connection that lay idle for so long was still open.
    pub(super) fn open(&self, age: Duration) {
        self.learn(|seen| seen.closes.retain(|close| close.before + SLACK >= age));
    }

    fn learn(&self, what: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.lock();
        what(&mut seen);
        let limit = seen.timeout().map_or(NONE, |timeout| {
            u64::try_from(timeout.limit().as_nanos()).unwrap_or(NONE)
        });
        self.limit.store(limit, Ordering::Relaxed);
    }
}

impl Seen {
    fn closed(&mut self, after: Duration, before: Duration, now: Instant) {
        let last = self.closes.back().map(|close| close.seen);
        if last.is_some_and(|last| now.saturating_duration_since(last) < MOMENT) {
            return;
        }
        if self.closes.len() == MOST {
            self.closes.pop_front();
        }
        self.closes.push_back(Close {
            after,
            before,
            seen: now,
        });
    }

    fn timeout(&self) -> Option<Timeout> {
        let said = self.said.map(|after| Timeout {
            after,
            source: Source::Said,
        });
        said.or_else(|| self.learnt())
    }

    /// The time after which all of the latest closes may have happened.
    fn learnt(&self) -> Option<Timeout> {
        let (mut after, mut before) = (Duration::ZERO, Duration::MAX);
        let agree = self.closes.iter().rev().take_while(|close| {
            let both = (after.max(close.after), before.min(close.before));
            let agrees = both.0 <= both.1.saturating_add(SLACK);
            if agrees {
                (after, before) = both;
            }
            agrees
        });
        (agree.count() >= ENOUGH).then_some(Timeout {
            after,
            source: Source::Learnt,
        })
    }
}

/// What `Keep-Alive` says of the time a connection is left open (RFC 2068, 19.7.1.1).
pub(super) fn timeout_of(value: &http::HeaderValue) -> Option<Duration> {
    let parameters = value.to_str().ok()?.split(',');
    let named = parameters.filter_map(|parameter| parameter.split_once('='));
    let mut timeouts = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"));
    let (_, seconds) = timeouts.next()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
