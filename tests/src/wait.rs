//! Waiting for something to become true, with a generous deadline and an explanation.
//!
//! It knows nothing of what is waited for: the deadline is only there so that a broken test ends,
//! and no test may draw a conclusion from how long a wait took.

use std::fmt::Display;
use std::future::Future;
use std::panic::Location;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far beyond what a loaded machine needs.
pub const DEADLINE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(10);

/// Calls `probe` until it gives a value, and returns that.
///
/// # Panics
/// After [`DEADLINE`], naming `what` and the caller's line.
#[track_caller]
pub fn until<T, F>(what: impl Display, probe: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    within(DEADLINE, what, probe)
}

/// [`until`] with a deadline of its own, for what is slower than most (a JVM).
///
/// # Panics
/// After `deadline`, naming `what` and the caller's line.
#[track_caller]
pub fn within<T, F>(
    deadline: Duration,
    what: impl Display,
    mut probe: impl FnMut() -> F,
) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let caller = Location::caller();
    async move {
        let started = Instant::now();
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            assert!(
                started.elapsed() < deadline,
                "waited {} s in vain for {what} (asked at {caller})",
                deadline.as_secs()
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// [`until`] for a plain condition.
///
/// # Panics
/// After [`DEADLINE`], naming `what` and the caller's line.
#[track_caller]
pub fn until_true(
    what: impl Display,
    mut condition: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    until(what, move || std::future::ready(condition().then_some(())))
}

/// Awaits `future`, which must end before [`DEADLINE`].
///
/// # Panics
/// After [`DEADLINE`], naming `what` and the caller's line.
#[track_caller]
pub fn for_end<T>(what: impl Display, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        match tokio::time::timeout(DEADLINE, future).await {
            Ok(value) => value,
            Err(_) => panic!(
                "waited {} s in vain for {what} (asked at {caller})",
                DEADLINE.as_secs()
            ),
        }
    }
}
