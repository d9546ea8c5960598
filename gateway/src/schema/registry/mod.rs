//! A schema registry: schemas by subject and by id, each asked for once and kept.
//!
//! What an id or a numbered version stands for never changes. The latest version of a subject is asked
//! for anew now and then, by one request while the others go on with the last answer, and that answer
//! serves on while the registry cannot be asked.

mod answer;
mod ask;
mod shelf;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weir_telemetry::Code;
use weir_telemetry::code::Fault as Whose;

use super::{Codec, Fault, wire};
use crate::config::routes::schema::Subject;
use crate::config::schema_registries as config;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};
use crate::upstream::Upstream;
use shelf::{Shelf, Slot};

/// How long it is before a registry is asked again that had no such schema, or could not be asked
/// anew.
const AGAIN: Duration = Duration::from_secs(5);

/// What a registry is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// The schema with this id.
    Id(u32),
    /// A version of a subject.
    Version {
        /// The subject.
        subject: Arc<str>,
        /// Which; the latest, if `None`.
        version: Option<u32>,
        /// The message that is meant of a Protobuf schema.
        message: Option<Arc<str>>,
    },
}

impl Question {
    /// What `subject` asks of the values of a topic.
    pub(super) fn of(subject: &Subject, topic: &str) -> Self {
        let by_topic = || format!("{topic}-value").into();
        Self::Version {
            subject: subject.name.clone().unwrap_or_else(by_topic),
            version: subject.version,
            message: subject.message.clone(),
        }
    }

    /// Whether another time there may be another answer.
    fn is_of_the_day(&self) -> bool {
        matches!(self, Self::Version { version: None, .. })
    }
}

/// A schema of a registry.
#[derive(Debug)]
pub(crate) struct Registered {
    id: u32,
    codec: Codec,
}

impl Registered {
    /// The value of a record, in the wire format.
    pub(super) fn encode(&self, json: Bytes) -> Result<Bytes, Fault> {
        let indexes = match &self.codec {
            Codec::Protobuf(message) => Some(message.indexes()),
            Codec::Json(_) | Codec::Avro(_) => None,
        };
        Ok(wire::write(self.id, indexes, &self.codec.encode(json)?))
    }

    /// The JSON of what follows the id in a record.
    pub(super) fn decode(&self, rest: Bytes) -> Result<Bytes, Fault> {
        match &self.codec {
            Codec::Protobuf(message) => {
                let (indexes, record) = wire::read_indexes(rest)?;
                message.decode_at(&indexes, record)
            }
            codec => codec.decode(rest),
        }
    }
}

/// What a registry said.
#[derive(Debug, Clone)]
struct Known {
    /// The schema; or why there is none to be used, which is for operators.
    said: Result<Arc<Registered>, Arc<str>>,
    /// When to ask anew.
    renew: Option<Instant>,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.renew.is_none_or(|renew| Instant::now() < renew)
    }

    fn schema(&self) -> Result<Arc<Registered>, GatewayError> {
        self.said
            .clone()
            .map_err(|why| GatewayError::new(Code::SchemaUnusable).source(why))
    }
}

/// A registry, and what it said so far.
pub(crate) struct Registry {
    definition: Arc<config::Registry>,
    upstream: Arc<Upstream>,
    shelf: Shelf,
}

impl Registry {
    /// The registry of a definition; what `previous` knows is kept where it is the same one.
    pub(crate) fn build(
        definition: &Arc<config::Registry>,
        upstream: Arc<Upstream>,
        previous: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        match previous.filter(|p| *p.definition == **definition) {
            Some(same) => same.clone(),
            None => Arc::new(Self {
                definition: definition.clone(),
                upstream,
                shelf: Shelf::default(),
            }),
        }
    }

    /// The schema that a question asks for, if it was asked and that is still what there is to say.
    pub(super) fn known(
        &self,
        question: &Question,
    ) -> Option<Result<Arc<Registered>, GatewayError>> {
        let known = self.shelf.slot(question).known();
        Some(known.filter(|known| known.is_fresh())?.schema())
    }

    /// The schema that a question asks for.
    pub(crate) async fn schema(
        &self,
        question: &Question,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Arc<Registered>, GatewayError> {
        let slot = self.shelf.slot(question);
        let known = slot.known();
        if let Some(known) = known.as_ref().filter(|known| known.is_fresh()) {
            return known.schema();
        }
        let old = known.filter(|known| known.said.is_ok());
        let turn = match (slot.turn.try_lock(), &old) {
            (Ok(turn), _) => turn,
            (Err(_), Some(old)) => return old.schema(),
            (Err(_), None) => {
                let turn = tokio::time::timeout(self.definition.timeout, slot.turn.lock());
                turn.await
                    .map_err(|_| unavailable("somebody else waits for its answer for too long"))?
            }
        };
        // Whoever had the turn before may know.
        if let Some(known) = slot.known().filter(|known| known.is_fresh()) {
            return known.schema();
        }
        let schema = self.renew(question, &slot, old, request, down).await;
        drop(turn);
        schema
    }

    async fn renew(
        &self,
        question: &Question,
        slot: &Slot,
        old: Option<Arc<Known>>,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Arc<Registered>, GatewayError> {
        let after = |wait: Duration| Some(Instant::now() + wait);
        let known = match self.ask(question, request, down).await {
            Ok(Ok(schema)) => Known {
                said: Ok(Arc::new(schema)),
                renew: question
                    .is_of_the_day()
                    .then(|| Instant::now() + self.definition.refresh),
            },
            Ok(Err(why)) => Known {
                said: Err(why.into()),
                renew: after(AGAIN),
            },
            // A caller who leaves and a gateway that shuts down are no failures of the registry.
            Err(error) if matches!(error.code.fault(), Whose::Client) => return Err(error),
            Err(error) if error.code == Code::Draining => return Err(error),
            Err(error) => match old {
                None => return Err(unavailable(error)),
                Some(old) => {
                    let name = &self.definition.name;
                    log::warn!("schema registry {name} cannot be asked anew: {error}");
                    Known {
                        said: old.said.clone(),
                        renew: after(AGAIN.min(self.definition.refresh)),
                    }
                }
            },
        };
        let schema = known.schema();
        slot.learn(known);
        schema
    }
}

fn unavailable(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::SchemaRegistryUnavailable).source(why)
}
