//! How a topic is read from its end on: all partitions, each as soon as it can be. It blocks.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::{self, Broken, PATIENCE};
use super::positions::{Positions, UNKNOWN};
use super::record::Record;
use super::watch::Watch;
use crate::config::kafka_clusters::Cluster;

/// How often a topic is looked at for partitions that were added.
const REFRESH: Duration = Duration::from_secs(60);
/// The same while one is known whose end is not.
const HURRY: Duration = Duration::from_secs(1);
/// So many records are taken at once.
const MOST: usize = 1000;

/// The consumer of one topic.
pub(super) struct End {
    client: BaseConsumer<Watch>,
    topic: Box<str>,
    /// Where partitions were begun; [`UNKNOWN`] where one is not read yet.
    begun: Positions,
    looked: Instant,
}

impl End {
    /// Finds the ends of all partitions, and begins there.
    pub(super) fn start(cluster: &Cluster, topic: &str) -> Result<Self, Broken> {
        // Where retention overtook reading, nobody is to believe that nothing is missing.
        let client = consumer::open(cluster, topic, &[("auto.offset.reset", "error")])?;
        let mut begun = Positions::default();
        for span in consumer::spans(&client, topic)? {
            let end = span.offsets.map_or(UNKNOWN, |(_, end)| end);
            begun.set(span.partition, end);
        }
        let end = Self {
            client,
            topic: topic.into(),
            begun,
            looked: Instant::now(),
        };
        let all = (0..).zip(end.begun.offsets().iter().copied());
        end.assign(all.filter(|(_, offset)| *offset != UNKNOWN))?;
        Ok(end)
    }

    /// Where partitions were begun.
    pub(super) const fn positions(&self) -> &Positions {
        &self.begun
    }

    /// The name that the cluster has for itself.
    pub(super) fn cluster_id(&self) -> Result<String, Broken> {
        let id = self.client.client().fetch_cluster_id(PATIENCE);
        id.ok_or(Broken::Unavailable)
    }

    fn assign(&self, partitions: impl Iterator<Item = (i32, i64)>) -> Result<(), Broken> {
        let mut list = TopicPartitionList::new();
        let broken = |error| consumer::fault(&self.topic, &error);
        for (partition, offset) in partitions {
            let added = list.add_partition_offset(&self.topic, partition, Offset::Offset(offset));
            added.map_err(broken)?;
        }
        self.client.incremental_assign(&list).map_err(broken)
    }

    /// The records that come, if any comes within that time.
    pub(super) fn next(&self, within: Duration) -> Result<Vec<Record>, Broken> {
        let mut records = Vec::new();
        let mut patience = within;
        while records.len() < MOST {
            match self.client.poll(patience) {
                None => break,
                Some(Ok(message)) => records.push(Record::of(&message)),
                Some(Err(error)) => {
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) {
                        log::warn!("kafka: {}: {error}", self.topic);
                        return Err(Broken::Fatal);
                    }
                    if let Some(broken) = consumer::lasting(&self.topic, &error) {
                        return Err(broken);
                    }
                }
            }
            patience = Duration::ZERO;
        }
        Ok(records)
    }

    /// Partitions that are read from now on, and where each begins: one that was added from its
    /// beginning, as all that is in it is new; and one whose end was not known from there.
    pub(super) fn more(&mut self) -> Result<Vec<(i32, i64)>, Broken> {
        let waits = self.begun.offsets().contains(&UNKNOWN);
        let pace = if waits { HURRY } else { REFRESH };
        if self.looked.elapsed() < pace {
            return Ok(Vec::new());
        }
        let mut more = Vec::new();
        // Who cannot say it now is asked again.
        for (partition, is_led) in
            consumer::partitions(&self.client, &self.topic).unwrap_or_default()
        {
            let index = usize::try_from(partition).unwrap_or(usize::MAX);
            match self.begun.offsets().get(index) {
                None => more.push((partition, 0)),
                Some(&UNKNOWN) if is_led => {
                    let found = self.client.fetch_watermarks(&self.topic, partition, HURRY);
                    more.extend(found.map(|(_, end)| (partition, end)));
                }
                Some(_) => {}
            }
        }
        self.assign(more.iter().copied())?;
        for &(partition, offset) in &more {
            self.begun.set(partition, offset);
        }
        self.looked = Instant::now();
        Ok(more)
    }
}
