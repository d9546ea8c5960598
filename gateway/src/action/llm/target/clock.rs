//! The process's own clock, as atomics hold it.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since the process first asked; never 0.
pub(super) fn now() -> u64 {
    millis(BEGAN.elapsed()).saturating_add(1)
}

/// A time in milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
