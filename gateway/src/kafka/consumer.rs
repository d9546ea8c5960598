//! A topic as one who reads it finds it: its partitions, where they begin and end, and why it cannot be
//! read. Nobody joins a group, and nothing is committed. Everything here blocks.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use weir_telemetry::Code;

use super::watch::Watch;
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// How long brokers may take to say where a topic begins and ends.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The least that any of its partitions gets of that.
const LEAST: Duration = Duration::from_millis(200);

/// How long a new client has to ask for a token.
const BREATH: Duration = Duration::from_millis(50);
/// How long a client is asked before it is looked whether it was let in.
const GLANCE: Duration = Duration::from_millis(500);

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
    /// There is none of that name.
    Unknown,
    /// The gateway's credentials may not read it, or are not taken.
    Refused,
    /// The caller's own principal may not read it.
    Denied,
    /// No broker says anything of it.
    Unavailable,
    /// The client cannot go on.
    Fatal,
}

impl Broken {
    /// The same, of one who has such credentials: what brokers refuse a caller's own principal is between
    /// those two.
    pub(super) fn of(self, cluster: &Cluster) -> Self {
        match self {
            Self::Denied if !cluster.is_callers => Self::Refused,
            other => other,
        }
    }
}

impl From<Broken> for GatewayError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Unknown => Self::public(
                Code::KafkaTopicUnknown,
                "What this is fed by does not exist; ask whoever runs the gateway.",
            ),
            Broken::Refused => {
                Self::new(Code::KafkaAccessRefused).source("the log says what the brokers said")
            }
            Broken::Denied => {
                Self::new(Code::KafkaTopicDenied).source("by the brokers, which know the caller")
            }
            Broken::Unavailable => {
                Self::new(Code::KafkaUnavailable).source("no broker said where the topic ends")
            }
            Broken::Fatal => {
                Self::new(Code::KafkaUnavailable).source("the consumer broke; the log says why")
            }
        }
    }
}

/// Where a partition begins, and where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) partition: i32,
    /// Of its first record, and of the one that comes next; none, if nobody could say.
    pub(super) offsets: Option<(i64, i64)>,
}

/// A client that reads partitions by hand; `properties` are not to be overridden.
pub(super) fn open(
    cluster: &Cluster,
    topic: &str,
    properties: &[(&str, &str)],
) -> Result<BaseConsumer<Watch>, Broken> {
    let mut config = super::client(cluster, &DEFAULTS);
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    let client: BaseConsumer<Watch> = config
        .create_with_context(Watch::of(cluster))
        .map_err(|error| fault(topic, &error))?;
    if cluster.token_file.is_some() {
        // It asks for one where it is polled, and waits for it everywhere.
        client.poll(BREATH);
    }
    Ok(client)
}

/// The partitions of a topic, those that have no leader included.
pub(super) fn partitions(
    client: &BaseConsumer<Watch>,
    topic: &str,
) -> Result<Vec<(i32, bool)>, Broken> {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE);
    let metadata = metadata.map_err(|error| fault(topic, &error))?;
    let found = metadata.topics().first().ok_or(Broken::Unknown)?;
    if let Some(error) = found.error() {
        return Err(fault(topic, &KafkaError::MetadataFetch(error.into())));
    }
    let partitions = found.partitions().iter();
    let mut partitions: Vec<_> = partitions.map(|p| (p.id(), p.leader() >= 0)).collect();
    partitions.sort_unstable();
    Ok(partitions)
}

/// Waits until a broker takes the credentials of a client, which is not assigned anything yet.
fn let_in(client: &BaseConsumer<Watch>, topic: &str) -> Result<(), Broken> {
    let until = Instant::now() + PATIENCE;
    while let Err(error) = client.fetch_metadata(Some(topic), GLANCE) {
        // It tells what it knows where it is polled.
        while client.poll(Duration::ZERO).is_some() {}
        if client.context().refused().is_some() {
            return Err(Broken::Refused);
        }
        if Instant::now() >= until {
            return Err(fault(topic, &error));
        }
    }
    Ok(())
}

/// Where the partitions of a topic begin and end; at least one says so. What a client was assigned is to be
/// assigned anew.
pub(super) fn spans(client: &BaseConsumer<Watch>, topic: &str) -> Result<Vec<Span>, Broken> {
    let_in(client, topic)?;
    let partitions = partitions(client, topic)?;
    let until = Instant::now() + PATIENCE;
    let span = |(partition, is_led): (i32, bool)| {
        let left = until.saturating_duration_since(Instant::now()).max(LEAST);
        let asked = is_led.then(|| client.fetch_watermarks(topic, partition, left));
        let offsets = asked.and_then(|asked| {
            asked
                .inspect_err(|error| {
                    log::warn!("kafka: no end of {topic}/{partition}: {error}");
                })
                .ok()
        });
        Span { partition, offsets }
    };
    let spans: Vec<_> = partitions.into_iter().map(span).collect();
    match spans.iter().any(|span| span.offsets.is_some()) {
        true => Ok(spans),
        false => Err(Broken::Unavailable),
    }
}

/// Why reading on is of no use; none, where the client tries again by itself.
pub(super) fn lasting(topic: &str, error: &KafkaError) -> Option<Broken> {
    use RDKafkaErrorCode as E;
    let lasting = [
        E::UnknownTopic,
        E::UnknownTopicOrPartition,
        E::UnknownPartition,
        E::TopicAuthorizationFailed,
        E::Fatal,
    ];
    let code = error.rdkafka_error_code()?;
    lasting.contains(&code).then(|| fault(topic, error))
}

pub(super) fn fault(topic: &str, error: &KafkaError) -> Broken {
    use RDKafkaErrorCode as E;
    log::warn!("kafka: the topic \"{topic}\" cannot be read: {error}");
    match error.rdkafka_error_code() {
        Some(
            E::UnknownTopic | E::UnknownTopicOrPartition | E::UnknownPartition | E::InvalidTopic,
        ) => Broken::Unknown,
        Some(E::TopicAuthorizationFailed) => Broken::Denied,
        Some(E::Authentication | E::SaslAuthenticationFailed) => Broken::Refused,
        Some(E::Fatal) => Broken::Fatal,
        _ => Broken::Unavailable,
    }
}
