//! The values of a topic's records, by the schema that a route names: made of JSON, and made JSON.

use std::sync::Arc;

use bytes::Bytes;
use weir_telemetry::Code;

use super::registry::{Question, Registered, Registry};
use super::{Codec, Fault};
use crate::config::routes::schema::Subject;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};

/// What the values of records are.
pub(crate) enum Values {
    /// What a file says; nothing stands before them.
    File(Arc<Codec>),
    /// What a registry says, each with the id of its schema before it.
    Registry(Arc<Registry>, Subject),
}

/// A value of a record, and what it was written by.
pub(crate) enum Written {
    /// What a file says.
    File(Arc<Codec>, Bytes),
    /// What a registry says; without the id.
    Registry(Arc<Registered>, Bytes),
}

impl Written {
    /// Its JSON.
    pub(crate) fn json(self) -> Result<Bytes, Fault> {
        match self {
            Self::File(codec, value) => codec.decode(value),
            Self::Registry(schema, rest) => schema.decode(rest),
        }
    }
}

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It does not fit its schema.
    Fault(Fault),
    /// There is no schema to hold it against.
    NoSchema(GatewayError),
}

impl Values {
    /// The value of a record of `topic` that a caller sent as `json`.
    ///
    /// With a registry, `request` may wait for it: the call is among its attempts.
    pub(crate) async fn encode(
        &self,
        topic: &str,
        json: Bytes,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Bytes, Trouble> {
        match self {
            Self::File(codec) => Ok(codec.encode(json)?),
            Self::Registry(registry, subject) => {
                let question = Question::of(subject, topic);
                let found = registry.schema(&question, request, down).await?;
                Ok(found.encode(json)?)
            }
        }
    }

    /// The JSON of a record's value, as whoever reads the topic wants it. The schema is that of its
    /// id, which may not be the one that [`Values::encode`] goes by.
    pub(crate) async fn decode(
        &self,
        value: Bytes,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Bytes, Trouble> {
        Ok(self.written(value, request, down).await?.json()?)
    }

    /// What a record's value was written by.
    pub(crate) async fn written(
        &self,
        value: Bytes,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Written, Trouble> {
        match self {
            Self::File(codec) => Ok(Written::File(codec.clone(), value)),
            Self::Registry(registry, _) => {
                let (id, rest) = super::wire::read(value)?;
                let found = registry.schema(&Question::Id(id), request, down).await?;
                Ok(Written::Registry(found, rest))
            }
        }
    }

    /// The same, if no registry has to be asked.
    pub(crate) fn known(&self, value: Bytes) -> Option<Result<Written, Trouble>> {
        match self {
            Self::File(codec) => Some(Ok(Written::File(codec.clone(), value))),
            Self::Registry(registry, _) => match super::wire::read(value) {
                Ok((id, rest)) => {
                    let found = registry.known(&Question::Id(id))?;
                    let written = found.map(|found| Written::Registry(found, rest));
                    Some(written.map_err(Into::into))
                }
                Err(fault) => Some(Err(fault.into())),
            },
        }
    }
}

/// The value of a record that a caller sent as `body`: what `values` makes of it, or the body itself.
pub(crate) async fn encode(
    values: Option<&Values>,
    topic: &str,
    body: Bytes,
    request: &mut Request,
    down: &mut Downstream,
) -> Result<Bytes, GatewayError> {
    match values {
        Some(values) => Ok(values.encode(topic, body, request, down).await?),
        None => Ok(body),
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<GatewayError> for Trouble {
    fn from(error: GatewayError) -> Self {
        Self::NoSchema(error)
    }
}

impl From<Trouble> for GatewayError {
    /// What a caller is told who sent the value.
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NoSchema(error) => error,
            Trouble::Fault(fault) => {
                let text = format!("The record does not fit its schema: {fault}.");
                let error = GatewayError::public(Code::KafkaRecordInvalid, text);
                match fault.place.is_empty() {
                    true => error,
                    false => error.param(fault.told()),
                }
            }
        }
    }
}
