//! Records, made of what a route says and what a request brought.
//!
//! Knows what a caller may get wrong in that. Knows no broker.

use std::sync::Arc;

use bytes::Bytes;
use weir_protocols::rfc3339;
use weir_telemetry::Code;

use crate::action::template::Values;
use crate::config::kafka_identity::Operation;
use crate::config::routes::record as config;
use crate::config::template::Template;
use crate::error::GatewayError;
use crate::kafka::{Access, Headers, Outgoing};
use crate::proxy::{Downstream, Request};

/// What a request's body says of a record.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::action) struct Part {
    pub(in crate::action) value: Option<Bytes>,
    /// What an event is to be ordered by, if the route does not say.
    pub(in crate::action) key: Option<Bytes>,
    /// Those of an event.
    pub(in crate::action) headers: Headers,
}

impl From<Bytes> for Part {
    /// A value and nothing else.
    fn from(value: Bytes) -> Self {
        Self {
            value: Some(value),
            key: None,
            headers: Vec::new(),
        }
    }
}

/// Makes the records of one request.
pub(in crate::action) struct Maker<'a> {
    config: &'a config::Record,
    access: &'a Access,
    request: &'a Request,
    down: &'a Downstream,
    /// What every record of the request carries.
    trace: Headers,
}

impl<'a> Maker<'a> {
    /// The span of this id is what the records say they come from.
    pub(in crate::action) fn new(
        config: &'a config::Record,
        access: &'a Access,
        request: &'a Request,
        down: &'a Downstream,
        span_id: [u8; 8],
    ) -> Self {
        let context = &request.record.trace;
        let parent = context.traceparent_of(span_id).to_string();
        let mut trace: Headers = vec![("traceparent".into(), Some(parent.into()))];
        if let Some(state) = &context.state {
            trace.push(("tracestate".into(), Some(state.to_string().into())));
        }
        Self {
            config,
            access,
            request,
            down,
            trace,
        }
    }

    /// The record that is made of this part of the body.
    pub(in crate::action) fn record(&self, part: Part) -> Result<Outgoing, GatewayError> {
        let body = part.value.clone().unwrap_or_default();
        self.record_of(part, &body)
    }

    /// The same, of a part that the route's templates see as this JSON.
    pub(in crate::action) fn record_of(
        &self,
        part: Part,
        body: &[u8],
    ) -> Result<Outgoing, GatewayError> {
        let values = Values {
            body,
            ..Values::of(self.request, self.down.head())
        };
        let key = given(&values, self.config.key.as_ref());
        Ok(Outgoing {
            topic: self.topic(&values)?,
            partition: self.partition(&values)?,
            key: key.map(Bytes::from).or(part.key),
            headers: self.headers(&values, part.headers),
            timestamp: self.timestamp(&values)?,
            value: part.value,
        })
    }

    fn topic(&self, values: &Values<'_>) -> Result<Arc<str>, GatewayError> {
        let rendered = values.render(&self.config.topic.name);
        let topic = rendered.map_err(|missing| {
            invalid(format!(
                "This route makes the topic of {missing}, and the request has none."
            ))
        })?;
        if !self.config.topic.allows(&topic) {
            return Err(GatewayError::public(
                Code::KafkaTopicUnknown,
                "This route publishes to no topic of that name.",
            ));
        }
        self.access.may(Operation::Write, &topic)?;
        Ok(topic.into())
    }

    fn partition(&self, values: &Values<'_>) -> Result<Option<i32>, GatewayError> {
        let Some(text) = given(values, self.config.partition.as_ref()) else {
            return Ok(None);
        };
        // A parser of numbers takes signs.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(partition) if digits => Ok(Some(partition)),
            _ => Err(not_made_of(
                "partition",
                self.config.partition.as_ref(),
                "a number from 0",
            )),
        }
    }

    fn timestamp(&self, values: &Values<'_>) -> Result<Option<i64>, GatewayError> {
        let Some(text) = given(values, self.config.timestamp.as_ref()) else {
            return Ok(None);
        };
        let since_1970 = match text.parse() {
            Ok(milliseconds) => Some(milliseconds),
            Err(_) => rfc3339::milliseconds(&text),
        };
        match since_1970 {
            // To the client, 0 is that none was given.
            Some(milliseconds @ 1..) => Ok(Some(milliseconds)),
            _ => Err(not_made_of(
                "timestamp",
                self.config.timestamp.as_ref(),
                "a moment after 1970, as 2026-04-05T17:31:00Z, or in milliseconds since then",
            )),
        }
    }

    /// An event's headers are its own: the route adds to them.
    fn headers(&self, values: &Values<'_>, of_event: Headers) -> Headers {
        let mut headers = self.trace.clone();
        let (trace, own) = (headers.len(), of_event.len());
        headers.extend(of_event);
        for (name, value) in &self.config.headers {
            let taken = headers[trace..trace + own]
                .iter()
                .any(|(own, _)| own == name);
            if let Some(value) = values.render(value).ok().filter(|_| !taken) {
                headers.push((name.clone(), Some(value.into())));
            }
        }
        headers
    }
}

/// What is made of values that the request does not have, or of empty ones, is not given.
fn given(values: &Values<'_>, template: Option<&Template>) -> Option<String> {
    let text = values.render(template?).ok();
    text.filter(|text| !text.is_empty())
}

/// What the caller sent cannot be that part of a record.
fn not_made_of(part: &str, template: Option<&Template>, wanted: &str) -> GatewayError {
    let variables: Vec<String> = template
        .into_iter()
        .flat_map(Template::variables)
        .map(ToString::to_string)
        .collect();
    invalid(format!(
        "This route makes the record's {part} of {}; send {wanted}.",
        variables.join(" and ")
    ))
}

fn invalid(public: String) -> GatewayError {
    GatewayError::public(Code::RequestBodyInvalid, public)
}
