//! The messages of a chat request: their shape, and what in them costs
//! prompt tokens. Does not count tokens and judges no role.

use crate::json::{self, Stop, is_string};

/// Something in the messages that costs prompt tokens.
pub(super) enum Found<'a> {
    /// A JSON string, its quotes included.
    String(&'a str),
    /// A message's `name`, a JSON string, its quotes included.
    Name(&'a str),
    /// There is a call of a tool, whose texts are told beside.
    Call,
    /// Raw JSON which the model reads as text.
    Json(&'a str),
    /// An attachment without a payload here.
    Attachment,
    /// The payload of an attachment: bytes the model never reads as text.
    Payload(Medium, &'a str),
}

/// What a payload is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// An image: its cost follows from its size in pixels.
    Image,
    /// A sound, a film, a file: its cost does not follow from anything here.
    Other,
}

/// A message that is not of the shape it must have.
pub(super) enum Misshapen<'a> {
    /// `value`, at `path` in the array, is not `expected`.
    WrongType {
        path: String,
        value: &'a str,
        expected: &'static str,
    },
    /// A message without a role.
    NoRole { path: String },
    /// Something that must be an object is none, or a key in it is broken:
    /// found while reading `text`, which stands at `path`.
    Json {
        path: String,
        text: &'a str,
        error: serde_json::Error,
    },
}

impl Misshapen<'_> {
    fn within(mut self, outer: &str) -> Self {
        let (Self::WrongType { path, .. } | Self::NoRole { path } | Self::Json { path, .. }) =
            &mut self;
        path.insert_str(0, outer);
        self
    }
}

type Checked<'a> = Result<(), Misshapen<'a>>;
type Tell<'f, 'a> = &'f mut dyn FnMut(Found<'a>);

/// Walks the array `messages`, tells what it finds and gives how many there
/// are. Paths in faults begin at the array.
pub(super) fn walk<'a>(messages: &'a str, found: Tell<'_, 'a>) -> Result<usize, Misshapen<'a>> {
    let mut count = 0;
    let mut has_role = false;
    let walked = json::objects(messages, &mut |index, member| {
        count = index;
        let Some((key, value)) = member else {
            count += 1;
            return match std::mem::take(&mut has_role) {
                true => Ok(()),
                false => Err(Misshapen::NoRole {
                    path: format!("[{index}].role"),
                }),
            };
        };
        has_role |= key == "role";
        message_member(key, value, found).map_err(|fault| fault.within(&format!("[{index}].{key}")))
    });
    // The element which is no object comes after those counted.
    settle(walked, messages, || format!("[{count}]"))?;
    Ok(count)
}

fn message_member<'a>(key: &str, value: &'a str, found: Tell<'_, 'a>) -> Checked<'a> {
    match key {
        "role" => expect_string(value).map(|()| found(Found::String(value))),
        "content" => match value.as_bytes() {
            [b'"', ..] => {
                found(Found::String(value));
                Ok(())
            }
            [b'[', ..] => parts(value, found),
            _ => expect_null(value, "a string or an array of parts"),
        },
        "tool_calls" => match value.as_bytes() {
            [b'[', ..] => tool_calls(value, found),
            _ => expect_null(value, "an array of tool calls"),
        },
        "function_call" => match value.as_bytes() {
            [b'{', ..] => {
                found(Found::Call);
                function(value, found)
            }
            _ => expect_null(value, "an object"),
        },
        "name" if is_string(value) => {
            found(Found::Name(value));
            Ok(())
        }
        "name" | "refusal" | "reasoning_content" | "reasoning" | "tool_call_id" => {
            text(value, found);
            Ok(())
        }
        // An assistant's earlier speech, by reference.
        "audio" if value.starts_with('{') => {
            found(Found::Attachment);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A part is text if it says so and carries nothing else. All else is an
/// attachment, or as many as it has payloads: what a provider makes of a part
/// that contradicts itself is not known here.
fn parts<'a>(content: &'a str, found: Tell<'_, 'a>) -> Checked<'a> {
    let mut at = 0;
    let mut types = 0;
    let mut other_types = 0;
    let mut payloads = 0;
    let walked = json::objects(content, &mut |index, member| {
        at = index;
        match member {
            None => {
                at += 1;
                let is_text = types > 0 && other_types == 0;
                if payloads == 0 && !is_text {
                    found(Found::Attachment);
                }
                (types, other_types, payloads) = (0, 0, 0);
            }
            Some(("type", value)) => {
                expect_string(value).map_err(|fault| fault.within(&format!("[{index}].type")))?;
                types += 1;
                if !matches!(&*json::unescape(value), "text" | "refusal") {
                    other_types += 1;
                }
            }
            Some(("text" | "refusal", value)) => text(value, found),
            Some(("image_url", value)) => {
                payloads += 1;
                found(Found::Payload(Medium::Image, value));
            }
            Some(("input_audio" | "file" | "video_url" | "audio_url", value)) => {
                payloads += 1;
                found(Found::Payload(Medium::Other, value));
            }
            Some(_) => {}
        }
        Ok(())
    });
    settle(walked, content, || format!("[{at}]"))
}

fn tool_calls<'a>(calls: &'a str, found: Tell<'_, 'a>) -> Checked<'a> {
    let mut at = 0;
    let walked = json::objects(calls, &mut |index, member| {
        at = index + usize::from(member.is_none());
        match member {
            None => {
                found(Found::Call);
                Ok(())
            }
            Some((key @ ("function" | "custom"), value)) if value.starts_with('{') => {
                function(value, found).map_err(|fault| fault.within(&format!("[{index}].{key}")))
            }
            _ => Ok(()),
        }
    });
    settle(walked, calls, || format!("[{at}]"))
}

/// A call's name and its arguments or, for a custom tool, its input.
fn function<'a>(call: &'a str, found: Tell<'_, 'a>) -> Checked<'a> {
    let walked = json::members(call, &mut |key, value| {
        if matches!(key, "name" | "arguments" | "input") {
            text(value, found);
        }
        Ok(())
    });
    settle(walked, call, String::new)
}

/// Whatever the value is, a template may print it to the model.
fn text<'a>(value: &'a str, found: Tell<'_, 'a>) {
    match value {
        "null" => {}
        _ if is_string(value) => found(Found::String(value)),
        _ => found(Found::Json(value)),
    }
}

fn expect_string(value: &str) -> Checked<'_> {
    match is_string(value) {
        true => Ok(()),
        false => Err(wrong(value, "a string")),
    }
}

fn expect_null<'a>(value: &'a str, expected: &'static str) -> Checked<'a> {
    match value {
        "null" => Ok(()),
        _ => Err(wrong(value, expected)),
    }
}

fn wrong<'a>(value: &'a str, expected: &'static str) -> Misshapen<'a> {
    Misshapen::WrongType {
        path: String::new(),
        value,
        expected,
    }
}

fn settle<'a>(
    walked: Result<(), Stop<Misshapen<'a>>>,
    text: &'a str,
    path: impl FnOnce() -> String,
) -> Checked<'a> {
    walked.map_err(|stop| match stop {
        Stop::Fault(fault) => fault,
        Stop::Json(error) => Misshapen::Json {
            path: path(),
            text,
            error,
        },
    })
}
