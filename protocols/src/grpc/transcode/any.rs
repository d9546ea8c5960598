//! Messages packed into messages: where they can be, what they are, and how deep. A decoder bounds how
//! deep a message nests, but begins anew in each `google.protobuf.Any`; whoever walks through all of
//! them needs a bound of its own.

use std::collections::HashSet;

use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value};
use serde_json::Value as Json;

/// More than this many are packed by who attacks, or by mistake.
const MOST: usize = 8;

pub(super) const ANY: &str = "google.protobuf.Any";

/// Whether a message may be packed somewhere in a message of this type.
pub(super) fn is_within(message: &MessageDescriptor) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![message.clone()];
    while let Some(message) = open.pop() {
        if message.full_name() == ANY {
            return true;
        }
        if !seen.insert(message.full_name().to_owned()) {
            continue;
        }
        let kinds = message.fields().map(|field| field.kind());
        open.extend(kinds.filter_map(|kind| match kind {
            Kind::Message(message) => Some(message),
            _ => None,
        }));
        let kinds = message.extensions().map(|extension| extension.kind());
        open.extend(kinds.filter_map(|kind| match kind {
            Kind::Message(message) => Some(message),
            _ => None,
        }));
    }
    false
}

/// Whose members `json` has, which is to be a message of this type: where one is packed, that one's.
pub(super) fn written(message: MessageDescriptor, json: Option<&Json>) -> MessageDescriptor {
    if message.full_name() != ANY {
        return message;
    }
    let url = json.and_then(|json| json.get("@type")?.as_str());
    let name = url.and_then(|url| url.rsplit_once('/'));
    let packed = name.and_then(|(_, name)| message.parent_pool().get_message_by_name(name));
    packed.unwrap_or(message)
}

/// Whether messages are packed in each other no deeper than can be walked.
pub(super) fn is_bounded(message: &DynamicMessage) -> bool {
    bounded(message, MOST)
}

fn bounded(message: &DynamicMessage, left: usize) -> bool {
    if message.descriptor().full_name() == ANY {
        return match packed(message) {
            Some(packed) => left > 0 && bounded(&packed, left - 1),
            // It is told elsewhere what is wrong with it.
            None => true,
        };
    }
    let fields = message.fields().map(|(_, value)| value);
    let extensions = message.extensions().map(|(_, value)| value);
    fields
        .chain(extensions)
        .all(|value| value_bounded(value, left))
}

fn value_bounded(value: &Value, left: usize) -> bool {
    match value {
        Value::Message(message) => bounded(message, left),
        Value::List(values) => values.iter().all(|value| value_bounded(value, left)),
        Value::Map(values) => values
            .iter()
            .all(|(_, value): (&MapKey, &Value)| value_bounded(value, left)),
        _ => true,
    }
}

fn packed(any: &DynamicMessage) -> Option<DynamicMessage> {
    let url = any.get_field_by_name("type_url")?;
    let (_, name) = url.as_str()?.rsplit_once('/')?;
    let message = any.descriptor().parent_pool().get_message_by_name(name)?;
    let value = any.get_field_by_name("value")?;
    DynamicMessage::decode(message, value.as_bytes()?.clone()).ok()
}
