//! CloudEvents that a request brings, as records carry them.
//!
//! What is meant to be an event and is none is refused, and never published as something else.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use weir_protocols::cloudevents::http::Mode;
use weir_protocols::cloudevents::{Event, Fault, http as binding, json, kafka};
use weir_telemetry::Code;

use super::content::{Content, oversized};
use crate::action::record::Part;
use crate::config::routes::publish::{Batch, CloudEvents, EventMode};
use crate::error::GatewayError;

/// The events of a request; `None` if it brings none, and need not.
pub(super) fn read(
    config: CloudEvents,
    batch: Option<&Batch>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Option<Content>, GatewayError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let mode = binding::mode(media_type, headers.keys()).map_err(|fault| unfit(&fault))?;
    let part = |event: Result<Event, Fault>, sent: Option<Bytes>| match event {
        Ok(event) => Ok(part(config.mode, &event, sent)),
        Err(fault) => Err(unfit(&fault)),
    };
    match (mode, batch) {
        (None, _) if config.require => {
            let public = "This route takes CloudEvents only: send the attributes as `ce-` fields, or an event as application/cloudevents+json.";
            Err(GatewayError::public(Code::RequestBodyInvalid, public))
        }
        (None, _) => Ok(None),
        (Some(Mode::Binary), _) => {
            let fields = headers.iter();
            let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
            part(binding::read(fields, body.clone()), None).map(|part| Some(Content::One(part)))
        }
        (Some(Mode::Structured), _) => {
            let event = part(json::read(body), Some(body.clone()));
            event.map(|part| Some(Content::One(part)))
        }
        (Some(Mode::Batch), None) => {
            let public = "This route takes one event at a time.";
            Err(GatewayError::public(Code::MediaTypeUnsupported, public))
        }
        (Some(Mode::Batch), Some(batch)) => {
            let events = json::read_batch(body, batch.max_records);
            let events = events.map_err(|fault| match fault {
                Fault::TooMany(most) => oversized(most),
                fault => unfit(&fault),
            })?;
            let parts = events
                .into_iter()
                .map(|(sent, event)| part(event, Some(sent)));
            Ok(Some(Content::Batch(parts.collect())))
        }
    }
}

/// What a record carries of an event; `sent` is its JSON, if it came as that.
fn part(mode: EventMode, event: &Event, sent: Option<Bytes>) -> Part {
    let record = match mode {
        EventMode::Binary => kafka::binary(event),
        EventMode::Structured => kafka::structured(event, sent),
    };
    let headers = record.headers.into_iter();
    Part {
        key: record.key,
        headers: headers
            .map(|(name, value)| (name.into(), Some(value)))
            .collect(),
        value: record.value,
    }
}

fn unfit(fault: &Fault) -> GatewayError {
    GatewayError::public(
        Code::RequestBodyInvalid,
        format!("This is no CloudEvent: {fault}."),
    )
}
