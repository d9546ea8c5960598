//! Who writes the records, at a constant rate, each with the moment it was written.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::sync::oneshot;

use super::super::topics::{PARTITIONS, client};
use super::note;
use crate::clock;
use crate::failure::Failure;

/// How long the broker may take to have the last.
const PATIENCE: Duration = Duration::from_secs(10);

/// How fast, and how many.
#[derive(Clone, Copy)]
pub struct Pace {
    /// The time from one record to the next.
    pub every: Duration,
    /// Records before it counts.
    pub before: u64,
    /// Records that count.
    pub records: u64,
}

/// Writes all, and says when those begin that count. The n-th goes to the partition n modulo their number.
pub fn write(
    broker: SocketAddr,
    topic: &str,
    pace: Pace,
    counts: oneshot::Sender<()>,
) -> Result<(), Failure> {
    let failed = "a record was not written";
    let producer: BaseProducer = client(broker)
        .set("linger.ms", "1")
        .create()
        .map_err(Failure::during(failed))?;
    let mut counts = Some(counts);
    let began = Instant::now();
    for number in 0..pace.before + pace.records {
        let due = pace.every * u32::try_from(number).unwrap_or(u32::MAX);
        thread::sleep(due.saturating_sub(began.elapsed()));
        if number == pace.before
            && let Some(counts) = counts.take()
        {
            // Who waits for it is gone only if the run has failed.
            counts.send(()).ok();
        }
        let at = u64::try_from(clock::nanoseconds()).unwrap_or(u64::MAX);
        let note = note::write(number, at);
        let partition = i32::try_from(number % PARTITIONS as u64).unwrap_or_default();
        let record: BaseRecord<'_, (), str> =
            BaseRecord::to(topic).partition(partition).payload(&note);
        let sent = producer.send(record).map_err(|(error, _)| error);
        sent.map_err(Failure::during(failed))?;
        producer.poll(Duration::ZERO);
    }
    let written = producer.flush(PATIENCE);
    written.map_err(Failure::during(failed))
}
