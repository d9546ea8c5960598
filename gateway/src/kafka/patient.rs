//! A producer that never gives up: what it was given stays in its queue, in its order, until a broker has
//! it or says that it never will. Nobody waits at the other end, so there is no time in which to answer.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::oneshot;
use weir_telemetry::Code;

use super::outgoing::Outgoing;
use super::sender::{Place, Sender};
use super::watch::Watch;
use crate::config::kafka_clusters::Cluster;

/// What a cluster's own properties may say otherwise.
const DEFAULTS: [(&str, &str); 3] = [
    ("enable.sparse.connections", "false"),
    ("reconnect.backoff.max.ms", "1000"),
    // A topic that no broker knows may be one that was only just created, or brokers that only just
    // started: what is refused for that takes a person to be sent again.
    ("topic.metadata.propagation.max.ms", "30000"),
];

/// What the brokers said in the end.
pub(crate) enum Answer {
    /// All replicas have it.
    Acknowledged,
    /// None will ever take it, and why.
    Refused(Code, String),
    /// The producer ended, and whether they have it is not known.
    Unknown(String),
}

/// A producer that never gives up.
pub(crate) struct Patient {
    cluster: Cluster,
    /// None, if no other could be made.
    sender: Option<Sender<oneshot::Sender<Place>>>,
}

impl Patient {
    /// Starts one. It connects in the background; an unreachable broker is no error.
    pub(crate) fn start(cluster: &Cluster) -> Result<Self, String> {
        Ok(Self {
            sender: Some(start(cluster)?),
            cluster: cluster.clone(),
        })
    }

    /// Takes a record and never blocks; what becomes of it is told later. `None`: there is no room for it
    /// now.
    pub(crate) fn send(
        &self,
        record: &Outgoing,
    ) -> Result<Option<impl Future<Output = Answer> + Send + use<>>, Answer> {
        let Some(sender) = &self.sender else {
            return Err(Answer::Unknown("no producer could be started".to_owned()));
        };
        let (tell, told) = oneshot::channel();
        match sender.send(record, Box::new(tell)) {
            Ok(()) => Ok(Some(async move {
                match told.await {
                    Ok(Ok(_)) => Answer::Acknowledged,
                    Ok(Err(error)) => answer(&error),
                    Err(_) => Answer::Unknown("the producer was stopped".to_owned()),
                }
            })),
            Err((error, _)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => Ok(None),
                _ => Err(answer(&error)),
            },
        }
    }

    /// Begins anew with an empty queue: of what is on its way it is told soon that nothing is known.
    pub(crate) fn renew(&mut self) -> Result<(), String> {
        // Before there is another.
        self.sender = None;
        self.sender = Some(start(&self.cluster)?);
        Ok(())
    }
}

fn start(cluster: &Cluster) -> Result<Sender<oneshot::Sender<Place>>, String> {
    let mut config = super::client(cluster, &DEFAULTS);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", "0");
    Sender::start(&config, Watch::of(cluster))
        .map_err(|e| format!("kafka_clusters \"{}\": {e}", cluster.name))
}

/// What an error says of a record. Only what is the record's own fault is an answer: with anything else,
/// as credentials that expired, it may still be taken.
fn answer(error: &KafkaError) -> Answer {
    use RDKafkaErrorCode as E;
    let code = match error.rdkafka_error_code() {
        Some(E::MessageSizeTooLarge | E::InvalidMessageSize) => Code::KafkaRecordTooLarge,
        Some(
            E::UnknownTopicOrPartition | E::UnknownTopic | E::UnknownPartition | E::InvalidTopic,
        ) => Code::KafkaTopicUnknown,
        Some(E::TopicAuthorizationFailed) => Code::KafkaAccessRefused,
        Some(E::PolicyViolation | E::InvalidRecord | E::InvalidMessage) => {
            Code::KafkaRecordRejected
        }
        _ => return Answer::Unknown(error.to_string()),
    };
    Answer::Refused(code, error.to_string())
}
