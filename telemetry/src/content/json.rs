//! Content as the JSON that OpenTelemetry's schemas ask for.

use super::{Answer, Content, Message, Part};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

impl Content {
    /// `gen_ai.system_instructions`; `None` if there are none.
    pub(crate) fn system_instructions(&self) -> Option<String> {
        text(&self.instructions)
    }

    /// `gen_ai.input.messages`; `None` if nothing was said.
    pub(crate) fn input_messages(&self) -> Option<String> {
        text(&self.input)
    }

    /// `gen_ai.output.messages`; `None` if nothing was answered.
    pub(crate) fn output_messages(&self) -> Option<String> {
        text(&self.output)
    }
}

fn text<T: Serialize>(items: &[T]) -> Option<String> {
    // Nothing in it can fail to be written: every key is text.
    let json = || serde_json::to_string(items).ok();
    (!items.is_empty()).then(json).flatten()
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("role", self.role)?;
        map.serialize_entry("parts", &self.parts)?;
        map.end()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("role", "assistant")?;
        map.serialize_entry("parts", &self.parts)?;
        // The schema demands a reason: what has none was broken off.
        let reason = match self.finish {
            Some("tool_calls") => "tool_call",
            Some(other) => other,
            None => "error",
        };
        map.serialize_entry("finish_reason", reason)?;
        map.end()
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Text(text) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("content", text)?;
            }
            Self::Reasoning(text) => {
                map.serialize_entry("type", "reasoning")?;
                map.serialize_entry("content", text)?;
            }
            Self::Call {
                id,
                name,
                arguments,
            } => {
                map.serialize_entry("type", "tool_call")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("name", name)?;
                // What was cut short, or written wrongly, is no JSON: it stands as text.
                match serde_json::from_str::<&RawValue>(arguments) {
                    Ok(json) => map.serialize_entry("arguments", json)?,
                    Err(_) => map.serialize_entry("arguments", arguments)?,
                }
            }
            Self::Returned { id, text } => {
                map.serialize_entry("type", "tool_call_response")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("response", text)?;
            }
            Self::Medium {
                modality,
                media_type,
            } => {
                map.serialize_entry("type", modality)?;
                if let Some(media_type) = media_type {
                    map.serialize_entry("mime_type", media_type)?;
                }
            }
        }
        map.end()
    }
}
