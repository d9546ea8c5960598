//! What takes records: a cluster, or a test's idea of one.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use weir_telemetry::Code;

use super::HEADER;
use crate::error::GatewayError;
use crate::kafka::{Answer, Marks, Outgoing, Patient, Session};

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A broker acknowledged it.
    Delivered,
    /// It never will be taken, and why.
    Refused(Code, String),
    /// Not known: it has to be sent again.
    Again(String),
}

/// What came of trying to hand a record over.
pub(crate) enum Sent {
    /// It is on its way.
    Taken(Delivery),
    /// There is no room now.
    Busy,
    /// It came to nothing.
    Not(Outcome),
}

/// A record on its way.
pub(crate) type Delivery = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Takes records, and keeps the order of those of one partition as long as none has to be sent again.
pub(crate) trait Sink: Send + 'static {
    /// Takes a record; never blocks.
    fn send(&mut self, record: &Outgoing) -> Sent;

    /// Begins anew after something had to be sent again: what is still on its way comes to nothing, soon.
    fn renew(&mut self) -> Result<(), String>;

    /// By which it is seen what was taken.
    fn eyes(&self) -> Arc<dyn Look>;
}

/// Why it cannot be seen what was taken.
#[derive(Debug)]
pub(crate) enum Unseen {
    /// Nobody answers now.
    Unavailable(String),
    /// It never will be.
    Never(String),
}

/// What was found, by the ids that the records carry.
pub(crate) type Looking<'a> =
    Pin<Box<dyn Future<Output = Result<HashSet<Bytes>, Unseen>> + Send + 'a>>;

/// Sees what is in topics.
pub(crate) trait Look: Send + Sync {
    /// Looks for records with these ids that are no older than `since`, in milliseconds since 1970.
    fn look(&self, topic: Arc<str>, since: i64, ids: Vec<Bytes>) -> Looking<'_>;
}

/// A cluster as spools use it.
pub(crate) struct Cluster {
    producer: Patient,
    session: Arc<Session>,
}

impl Cluster {
    /// Sends by the one, and looks by the other.
    pub(crate) fn new(producer: Patient, session: Arc<Session>) -> Self {
        Self { producer, session }
    }
}

impl Look for Session {
    fn look(&self, topic: Arc<str>, since: i64, ids: Vec<Bytes>) -> Looking<'_> {
        Box::pin(async move {
            let marks = Marks {
                header: HEADER,
                values: ids.clone(),
                transaction: false,
            };
            let found = match self.since(&topic, since).await {
                Ok(from) => self.find(&topic, from, marks).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(places) => {
                    let found = ids.into_iter().zip(places);
                    Ok(found.filter_map(|(id, at)| at.map(|_| id)).collect())
                }
                Err(error) => unseen(error),
            }
        })
    }
}

fn unseen(error: GatewayError) -> Result<HashSet<Bytes>, Unseen> {
    match error.code {
        // Nothing is in a topic that is not there.
        Code::KafkaTopicUnknown => Ok(HashSet::new()),
        Code::KafkaUnavailable => Err(Unseen::Unavailable(error.to_string())),
        _ => Err(Unseen::Never(error.to_string())),
    }
}

impl Sink for Cluster {
    fn send(&mut self, record: &Outgoing) -> Sent {
        match self.producer.send(record) {
            Ok(Some(delivery)) => Sent::Taken(Box::pin(async { delivery.await.into() })),
            Ok(None) => Sent::Busy,
            Err(answer) => Sent::Not(answer.into()),
        }
    }

    fn renew(&mut self) -> Result<(), String> {
        self.producer.renew()
    }

    fn eyes(&self) -> Arc<dyn Look> {
        self.session.clone()
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Acknowledged => Self::Delivered,
            Answer::Refused(code, why) => Self::Refused(code, why),
            Answer::Unknown(why) => Self::Again(why),
        }
    }
}
