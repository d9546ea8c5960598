//! The way from the end of a request to the disk: a bounded queue, emptied by a thread of its own. Who
//! puts a record in never waits; where there is no room, it is lost, counted and said.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};
use weir_telemetry::metrics::Usage;
use weir_telemetry::metrics::usage::Lost;

use super::Topic;
use crate::kafka::Outgoing;
use crate::spool::Refusal;

/// How many records may wait for the disk.
const MOST: usize = 16_384;
/// So many are given to the disk at once.
const TOGETHER: usize = 512;

/// The queue. Its thread begins with the first record.
#[derive(Default)]
pub(crate) struct Queue {
    orders: OnceLock<mpsc::Sender<Order>>,
    failing: Arc<AtomicBool>,
}

enum Order {
    Keep(Topic, Outgoing),
    /// To tell when all that came before is on disk or lost.
    Flush(oneshot::Sender<()>),
}

impl Queue {
    /// Puts a record in, if there is room.
    pub(super) fn put(&self, topic: &Topic, record: Outgoing) {
        let orders = self.orders.get_or_init(|| start(Arc::clone(&self.failing)));
        let order = Order::Keep(topic.clone(), record);
        offer(orders, order, &self.failing, &topic.figures);
    }

    /// Waits until all that was put in so far is on disk, or lost.
    pub(crate) async fn flush(&self) {
        let Some(orders) = self.orders.get() else {
            return;
        };
        let (done, flushed) = oneshot::channel();
        if orders.send(Order::Flush(done)).await.is_ok() {
            // An error says that the thread has ended, with nothing left.
            let _ = flushed.await;
        }
    }
}

fn offer(orders: &mpsc::Sender<Order>, order: Order, failing: &AtomicBool, figures: &Usage) {
    use mpsc::error::TrySendError as E;
    match orders.try_send(order) {
        Ok(()) => {}
        Err(E::Full(_)) => lose(failing, figures, Lost::QueueFull, &"the disk is too slow"),
        Err(E::Closed(_)) => lose(failing, figures, Lost::SpoolFailed, &"nobody writes them"),
    }
}

fn start(failing: Arc<AtomicBool>) -> mpsc::Sender<Order> {
    let (orders, inbox) = mpsc::channel(MOST);
    let started = std::thread::Builder::new()
        .name("weir-usage".to_owned())
        .spawn(
            move || match tokio::runtime::Builder::new_current_thread().build() {
                Ok(runtime) => runtime.block_on(keep(inbox, &failing)),
                Err(error) => log::error!("records of usage are not kept: {error}"),
            },
        );
    if let Err(error) = started {
        log::error!("records of usage are not kept: {error}");
    }
    orders
}

async fn keep(mut inbox: mpsc::Receiver<Order>, failing: &AtomicBool) {
    let mut orders = Vec::with_capacity(TOGETHER);
    while inbox.recv_many(&mut orders, TOGETHER).await > 0 {
        let (mut kept, mut flushed) = (Vec::new(), Vec::new());
        for order in orders.drain(..) {
            match order {
                // They are handed over in their order, and the disk takes them at once.
                Order::Keep(topic, record) => kept.push(async move {
                    let appended = topic.spool.append_all(vec![record]).await;
                    told(failing, &topic.figures, appended.map(drop));
                }),
                Order::Flush(done) => flushed.push(done),
            }
        }
        join_all(kept).await;
        for done in flushed {
            // Who asked may have given up.
            let _ = done.send(());
        }
    }
}

fn told(failing: &AtomicBool, figures: &Usage, appended: Result<(), Refusal>) {
    match appended {
        Ok(()) => {
            figures.kept();
            if failing.swap(false, Ordering::Relaxed) {
                log::info!("records of usage are kept again");
            }
        }
        Err(refusal) => {
            let reason = match refusal {
                Refusal::Full(_) | Refusal::NoSpace(_) => Lost::SpoolFull,
                Refusal::Failed(_) => Lost::SpoolFailed,
            };
            lose(failing, figures, reason, &refusal);
        }
    }
}

/// Counts a record that is lost, and says so once until one is kept again.
fn lose(failing: &AtomicBool, figures: &Usage, reason: Lost, why: &dyn std::fmt::Display) {
    figures.lost(reason);
    if !failing.swap(true, Ordering::Relaxed) {
        log::error!(
            "records of usage are lost: {why}; weir_usage_events_lost_total says how many, see \
             runbooks/usage_events_lost.md"
        );
    }
}

#[cfg(test)]
mod tests {
    use weir_telemetry::Metrics;

    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_said_once() {
        let (metrics, failing) = (Metrics::new(), AtomicBool::default());
        let figures = metrics.usage();
        let (orders, inbox) = mpsc::channel(2);
        let offer = || {
            let order = Order::Flush(oneshot::channel().0);
            offer(&orders, order, &failing, &figures);
        };
        (0..5).for_each(|_| offer());
        assert!(failing.load(Ordering::Relaxed), "so it is said once");
        drop(inbox);
        offer();
        told(&failing, &figures, Err(Refusal::Full(9)));
        told(&failing, &figures, Ok(()));
        assert!(!failing.load(Ordering::Relaxed), "it is said anew");
        let text = metrics.encode();
        for line in [
            "weir_usage_events_lost_total{reason=\"queue_full\"} 3\n",
            "weir_usage_events_lost_total{reason=\"spool_full\"} 1\n",
            "weir_usage_events_lost_total{reason=\"spool_failed\"} 1\n",
            "weir_usage_events_total 1\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
