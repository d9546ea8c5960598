//! How much output a streamed chunk carries, in bytes: what an estimate rests
//! on when a stream ends without usage. Adds up while it parses; keeps nothing.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::json::{is_string, unescape};

/// Bytes of output text in a chunk, given the event's data: content,
/// reasoning, refusal, and the names and arguments of tool calls, over all
/// choices, unescaped. Zero if the data is not such a chunk.
pub fn content_bytes(data: &[u8]) -> usize {
    serde_json::from_slice(data).map_or(0, |chunk: Chunk| chunk.choices.bytes())
}

/// A part of a chunk that may carry output.
trait Output {
    fn bytes(&self) -> usize;
}

#[derive(serde::Deserialize)]
struct Chunk {
    choices: Sum<Choice>,
}

#[derive(serde::Deserialize)]
struct Choice {
    delta: Delta,
}

impl Output for Choice {
    fn bytes(&self) -> usize {
        self.delta.bytes()
    }
}

#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Delta {
    content: Length,
    reasoning_content: Length,
    reasoning: Length,
    refusal: Length,
    tool_calls: Sum<ToolCall>,
    function_call: Option<Function>,
}

impl Output for Delta {
    fn bytes(&self) -> usize {
        let texts = [
            &self.content,
            &self.reasoning_content,
            &self.reasoning,
            &self.refusal,
        ];
        texts.iter().map(|text| text.0).sum::<usize>()
            + self.tool_calls.bytes()
            + self.function_call.as_ref().map_or(0, Output::bytes)
    }
}

#[derive(serde::Deserialize)]
struct ToolCall {
    function: Option<Function>,
    custom: Option<Function>,
}

impl Output for ToolCall {
    fn bytes(&self) -> usize {
        [&self.function, &self.custom]
            .into_iter()
            .flatten()
            .map(Output::bytes)
            .sum()
    }
}

#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Function {
    name: Length,
    arguments: Length,
    input: Length,
}

impl Output for Function {
    fn bytes(&self) -> usize {
        self.name.0 + self.arguments.0 + self.input.0
    }
}

/// The bytes of a string, unescaped; of anything but `null`, its raw bytes.
#[derive(Default)]
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let value = <&RawValue>::deserialize(json)?.get();
        Ok(Self(match value {
            "null" => 0,
            _ if is_string(value) => unescape(value).len(),
            _ => value.len(),
        }))
    }
}

/// The output of all elements of an array; none for `null`.
struct Sum<T> {
    bytes: usize,
    of: PhantomData<T>,
}

impl<T> Output for Sum<T> {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<T> Default for Sum<T> {
    fn default() -> Self {
        Self {
            bytes: 0,
            of: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de> + Output> Deserialize<'de> for Sum<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self::default())
    }
}

impl<'de, T: Deserialize<'de> + Output> Visitor<'de> for Sum<T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or null")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Self, A::Error> {
        while let Some(element) = elements.next_element::<T>()? {
            self.bytes += element.bytes();
        }
        Ok(self)
    }
}
