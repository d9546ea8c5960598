//! The clock that all processes of this machine share, so that one may stamp what another reads.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock (`CLOCK_MONOTONIC`).
pub fn nanoseconds() -> u128 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    Duration::from(now).as_nanos()
}
