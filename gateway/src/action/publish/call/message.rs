//! What a message is as a record: its value, and what templates look into. Knows no topic.

use bytes::Bytes;
use prost::Message as _;
use weir_protocols::grpc::status::Code as Status;
use weir_protocols::grpc::transcode::response::Options;
use weir_telemetry::Code;

use crate::action::record::Part;
use crate::config::routes::method::publish::{Call, Takes, Value};
use crate::error::GatewayError;
use crate::grpc_events::PublishRequest;
use crate::large;

/// The parts of the record, and the JSON of it.
pub(super) fn read(call: &Call, message: Bytes) -> Result<(Part, Bytes), GatewayError> {
    match call.takes {
        Takes::Own => {
            let said = PublishRequest::decode(message);
            let part = Part::from(said.map_err(|fault| unread(call, fault))?);
            let seen = part.value.clone().unwrap_or_default();
            Ok((part, seen))
        }
        Takes::Message {
            value,
            by_schema,
            looked_into,
        } => {
            let as_json = value == Value::Json || looked_into;
            let seen = match as_json {
                true => json(call, message.clone(), by_schema)?,
                false if call.method.input.is(message.clone()) => Bytes::new(),
                false => return Err(unread(call, "its bytes are none")),
            };
            let value = match value {
                Value::Protobuf => message,
                Value::Json => seen.clone(),
            };
            Ok((Part::from(value), seen))
        }
    }
}

impl From<PublishRequest> for Part {
    fn from(said: PublishRequest) -> Self {
        let headers = said.headers.into_iter();
        Self {
            value: said.value,
            key: said.key,
            headers: headers
                .map(|header| (header.name.into(), header.value))
                .collect(),
        }
    }
}

/// The message as JSON, whose fields are called as the `.proto` has them. A schema may want all of them, and
/// numbers where they are numbers.
fn json(call: &Call, message: Bytes, by_schema: bool) -> Result<Bytes, GatewayError> {
    let options = Options {
        preserve_field_names: true,
        always_print_defaults: by_schema,
        longs_as_numbers: by_schema,
        ..Options::default()
    };
    let written = large::work(message.len(), || call.method.input.write(message, options));
    written.map(Into::into).map_err(|fault| unread(call, fault))
}

fn unread(call: &Call, why: impl std::fmt::Display) -> GatewayError {
    let text = format!("A message is no {}.", call.method.input.name());
    GatewayError::public(Code::RequestBodyInvalid, text)
        .rpc(Status::InvalidArgument)
        .source(why)
}
