//! Measures how long a future keeps us waiting, and nothing when it does not.
//!
//! Most writes and many reads are done at the first try; asking the clock about those would cost
//! more than they do.

use std::pin::Pin;
use std::time::{Duration, Instant};

/// Runs `future` and adds the time from its first «not yet» to its end to `total`. It is pinned by
/// its caller, because it would be copied wherever it is moved to.
pub(crate) async fn waiting<F: Future>(total: &mut Duration, mut future: Pin<&mut F>) -> F::Output {
    let mut since = None;
    let output = std::future::poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            since.get_or_insert_with(Instant::now);
        }
        polled
    })
    .await;
    if let Some(since) = since {
        *total += since.elapsed();
    }
    output
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn what_is_ready_costs_no_time_and_what_is_not_some() {
        let mut total = Duration::ZERO;
        assert_eq!(waiting(&mut total, pin!(async { 7 })).await, 7);
        assert_eq!(total, Duration::ZERO);
        waiting(&mut total, pin!(tokio::task::yield_now())).await;
        assert!(total > Duration::ZERO);
    }
}
