//! How a topic is read from its end: all partitions, without a group, and nothing is committed. It blocks.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use weir_telemetry::Code;

use super::ring::Record;
use super::watch::Watch;
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// How long a broker may take to say where a topic ends.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a topic is looked at for partitions that were added.
const REFRESH: Duration = Duration::from_secs(60);

/// What a cluster's own properties may say otherwise.
const DEFAULTS: [(&str, &str); 4] = [
    // The client demands one. Nobody joins it, as partitions are assigned by hand.
    ("group.id", "weir"),
    ("reconnect.backoff.max.ms", "1000"),
    // What waits in a client is not bounded by anybody's reading.
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.message.max.bytes", "1048576"),
];

/// Why a topic cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// There is none of that name, or it is not for us.
    Unknown,
    /// No broker says anything of it.
    Unavailable,
    /// The client cannot go on.
    Fatal,
}

impl From<Broken> for GatewayError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Unknown => Self::public(
                Code::KafkaTopicUnknown,
                "What this is fed by does not exist; ask whoever runs the gateway.",
            ),
            Broken::Unavailable => {
                Self::new(Code::KafkaUnavailable).source("no broker said where the topic ends")
            }
            Broken::Fatal => {
                Self::new(Code::KafkaUnavailable).source("the consumer broke; the log says why")
            }
        }
    }
}

/// The consumer of one topic.
pub(super) struct Consumer {
    inner: BaseConsumer<Watch>,
    topic: Box<str>,
    looked: std::cell::Cell<Instant>,
}

impl Consumer {
    /// Finds the ends of all partitions, and begins there.
    pub(super) fn start(cluster: &Cluster, topic: &str) -> Result<Self, Broken> {
        let mut config = super::client(cluster, &DEFAULTS);
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            // Where retention overtook reading, what is left is read.
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false");
        let inner = config.create_with_context(Watch::default());
        let inner: BaseConsumer<Watch> = inner.map_err(|error| fault(topic, &error))?;
        let consumer = Self {
            inner,
            topic: topic.into(),
            looked: Instant::now().into(),
        };
        let mut assignment = TopicPartitionList::new();
        for partition in consumer.partitions()? {
            let ends = consumer.inner.fetch_watermarks(topic, partition, PATIENCE);
            let (_, end) = ends.map_err(|error| fault(topic, &error))?;
            let added = assignment.add_partition_offset(topic, partition, Offset::Offset(end));
            added.map_err(|error| fault(topic, &error))?;
        }
        let assigned = consumer.inner.assign(&assignment);
        assigned.map_err(|error| fault(topic, &error))?;
        Ok(consumer)
    }

    fn partitions(&self) -> Result<Vec<i32>, Broken> {
        let metadata = self.inner.fetch_metadata(Some(&self.topic), PATIENCE);
        let metadata = metadata.map_err(|error| fault(&self.topic, &error))?;
        let topic = metadata.topics().first().ok_or(Broken::Unknown)?;
        if let Some(error) = topic.error() {
            return Err(fault(&self.topic, &KafkaError::MetadataFetch(error.into())));
        }
        let partitions = topic.partitions().iter();
        Ok(partitions.map(|partition| partition.id()).collect())
    }

    /// The next record, if one comes within that time.
    pub(super) fn next(&self, within: Duration) -> Result<Option<Record>, Broken> {
        if self.looked.get().elapsed() >= REFRESH {
            self.looked.set(Instant::now());
            self.look_for_more();
        }
        match self.inner.poll(within) {
            None => Ok(None),
            Some(Ok(message)) => Ok(Some(Record {
                partition: message.partition(),
                offset: message.offset(),
                value: message.payload().map(Into::into),
            })),
            Some(Err(error)) if is_lasting(&error) => Err(fault(&self.topic, &error)),
            // The client tries again by itself.
            Some(Err(_)) => Ok(None),
        }
    }

    /// Takes in partitions that were added, from their beginning: all that is in them is new.
    fn look_for_more(&self) {
        let (Ok(partitions), Ok(assigned)) = (self.partitions(), self.inner.assignment()) else {
            return;
        };
        let mut added = TopicPartitionList::new();
        for partition in partitions {
            if assigned.find_partition(&self.topic, partition).is_none() {
                // Only an offset that cannot be is refused.
                let _ = added.add_partition_offset(&self.topic, partition, Offset::Beginning);
            }
        }
        if added.count() > 0
            && let Err(error) = self.inner.incremental_assign(&added)
        {
            log::warn!(
                "kafka: new partitions of \"{}\" are not read: {error}",
                self.topic
            );
        }
    }
}

/// Whether reading on is of no use.
fn is_lasting(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as E;
    let lasting = [
        E::UnknownTopic,
        E::UnknownTopicOrPartition,
        E::UnknownPartition,
        E::TopicAuthorizationFailed,
        E::Fatal,
    ];
    error
        .rdkafka_error_code()
        .is_some_and(|code| lasting.contains(&code))
}

fn fault(topic: &str, error: &KafkaError) -> Broken {
    use RDKafkaErrorCode as E;
    log::warn!("kafka: the topic \"{topic}\" cannot be read: {error}");
    match error.rdkafka_error_code() {
        Some(
            E::UnknownTopic
            | E::UnknownTopicOrPartition
            | E::UnknownPartition
            | E::InvalidTopic
            | E::TopicAuthorizationFailed,
        ) => Broken::Unknown,
        Some(E::Fatal) => Broken::Fatal,
        _ => Broken::Unavailable,
    }
}
