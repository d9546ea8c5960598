//! Why a model stopped, as the provider says it. Reads answers; knows no reason by name.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

/// The longest reason believed, in bytes: it is a word, and it is kept.
const LONGEST: usize = 64;

/// The `finish_reason` of a whole answer's first choice. `None` if there is none, it is no short
/// string, or the answer is not JSON.
pub fn from_completion(body: &[u8]) -> Option<String> {
    let Answer { choices } = serde_json::from_slice(body).ok()?;
    let reason = choices.0?.finish_reason?;
    (reason.len() <= LONGEST).then_some(reason)
}

/// The `finish_reason` of the first choice in one chunk of a streamed answer, given the event's
/// data.
///
/// Chunks without a reason, `"finish_reason":null` included, cost one scan for the key; only
/// others are parsed.
pub fn from_chunk(data: &[u8]) -> Option<String> {
    may_hold_reason(data).then(|| from_completion(data))?
}

/// Whether the key stands anywhere with a string as its value. A key written with escapes is
/// missed; no provider writes one.
fn may_hold_reason(data: &[u8]) -> bool {
    static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"finish_reason\""));
    KEY.find_iter(data).any(|at| {
        let after = data[at + KEY.needle().len()..].trim_ascii_start();
        after
            .strip_prefix(b":")
            .is_some_and(|value| value.trim_ascii_start().starts_with(b"\""))
    })
}

#[derive(Deserialize)]
struct Answer {
    choices: First,
}

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
}

/// The first element of an array; what follows is skipped.
struct First(Option<Choice>);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = First;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<First, A::Error> {
                let first = elements.next_element()?;
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        json.deserialize_seq(Elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_says_why_its_first_choice_ended() {
        let body = br#"{"id":"c1","choices":[
            {"index":0,"message":{"content":"\"finish_reason\":\"no\""},"finish_reason":"length"},
            {"index":1,"finish_reason":"stop"}],"usage":null}"#;
        assert_eq!(from_completion(body).as_deref(), Some("length"));
        let long = format!(
            r#"{{"choices":[{{"finish_reason":"{}"}}]}}"#,
            "x".repeat(65)
        );
        for none in [
            r#"{"choices":[]}"#,
            r#"{"choices":null}"#,
            r#"{"choices":[{"finish_reason":null},{"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"finish_reason":1}]}"#,
            r#"{"choices":["stop"]}"#,
            r#"{"choices":[{"finish_reason":"stop"}]"#,
            r#"{"error":{"message":"overloaded"}}"#,
            "",
            &long,
        ] {
            assert_eq!(from_completion(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn a_chunk_says_so_only_at_the_end() {
        let last = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
        assert_eq!(from_chunk(last.as_bytes()).as_deref(), Some("tool_calls"));
        let spaced = r#"{"choices": [{"delta": {}, "finish_reason" : "stop"}]}"#;
        assert_eq!(from_chunk(spaced.as_bytes()).as_deref(), Some("stop"));
        for none in [
            r#"{"choices":[{"delta":{"content":"hi"},"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"content":"hi"}}]}"#,
            r#"{"x":{"finish_reason":"stop"},"choices":[{"delta":{}}]}"#,
            "[DONE]",
        ] {
            assert_eq!(from_chunk(none.as_bytes()), None, "{none}");
        }
        // The cheap check alone lets go of ordinary chunks.
        assert!(!may_hold_reason(
            br#"{"choices":[{"delta":{"content":"hi"},"finish_reason": null}]}"#
        ));
    }
}
