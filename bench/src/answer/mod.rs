//! The bodies the upstream answers with. The load generator knows them too: it checks their
//! length. How they are framed on the wire is the upstream's matter.
//!
//! This is OpenAI's dialect; [`anthropic`] says the same in Anthropic's.

pub mod anthropic;

use crate::case;

/// Bytes of a plain answer.
pub const PLAIN: usize = 1024;
/// Events with content in a streamed completion; `[DONE]` follows them.
pub const DELTAS: usize = 20;

const SENTENCE: [&str; DELTAS] = [
    "",
    "A",
    " weir",
    " is",
    " a",
    " low",
    " barrier",
    " that",
    " raises",
    " the",
    " river",
    " behind",
    " it",
    " and",
    " measures",
    " what",
    " flows",
    " over",
    " it",
    ".",
];

/// What a model says, whole.
pub fn sentence() -> String {
    SENTENCE.concat()
}

/// The body of a plain answer.
pub fn plain() -> Vec<u8> {
    vec![b'w'; PLAIN]
}

/// A chat completion with usage, about 700 bytes, as OpenAI answers one.
pub fn completion() -> String {
    format!(
        r#"{{"id":"chatcmpl-weirbench0000000000000000","object":"chat.completion","created":1760000000,"model":"{}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{{USAGE},"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_0123456789"}}"#,
        case::PROVIDER_MODEL,
        sentence(),
    )
}

const USAGE: &str = r#""prompt_tokens":34,"completion_tokens":20,"total_tokens":54"#;

/// Tokens of the prompt and of the answer.
const TOKENS: (u64, u64) = (34, 20);
/// Tokens of both, as a right answer says.
pub const TOTAL_TOKENS: u64 = TOKENS.0 + TOKENS.1;

/// A streamed completion: one server-sent event each, `[DONE]` last, and before it, if asked
/// for, the event that carries usage.
pub fn events(usage: bool) -> Vec<Vec<u8>> {
    let mut events: Vec<Vec<u8>> = SENTENCE
        .iter()
        .enumerate()
        .map(|(index, word)| delta(index, word))
        .collect();
    if usage {
        events.push(event(&format!(r#""choices":[],"usage":{{{USAGE}}}"#)));
    }
    events.push(b"data: [DONE]\n\n".to_vec());
    events
}

/// Digits of a stamp.
pub const STAMP: usize = 20;

/// An event whose content says when it was written, in nanoseconds of the machine's monotonic
/// clock.
pub fn stamped(nanoseconds: u128) -> Vec<u8> {
    event(&format!(
        r#""choices":[{{"index":0,"delta":{{"content":"{nanoseconds:0width$}"}},"logprobs":null,"finish_reason":null}}]"#,
        width = STAMP
    ))
}

fn delta(index: usize, word: &str) -> Vec<u8> {
    let (delta, finish) = match index {
        0 => (r#"{"role":"assistant","content":""}"#.to_owned(), "null"),
        _ if index + 1 == DELTAS => (format!(r#"{{"content":"{word}"}}"#), r#""stop""#),
        _ => (format!(r#"{{"content":"{word}"}}"#), "null"),
    };
    event(&format!(
        r#""choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]"#
    ))
}

fn event(fields: &str) -> Vec<u8> {
    format!(
        "data: {{\"id\":\"chatcmpl-weirbench0000000000000000\",\"object\":\"chat.completion.chunk\",\
         \"created\":1760000000,\"model\":\"{}\",\"system_fingerprint\":\"fp_0123456789\",{fields}}}\n\n",
        case::PROVIDER_MODEL
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json() {
        let whole: serde_json::Value =
            serde_json::from_str(&completion()).expect("a completion is JSON");
        assert_eq!(whole["usage"]["total_tokens"], TOTAL_TOKENS);
        assert_eq!(whole["usage"]["prompt_tokens"], TOKENS.0);
        for event in events(true) {
            let text = String::from_utf8(event).expect("events are UTF-8");
            let data = text
                .strip_prefix("data: ")
                .and_then(|rest| rest.strip_suffix("\n\n"))
                .expect("an event is one data line");
            assert!(data == "[DONE]" || serde_json::from_str::<serde_json::Value>(data).is_ok());
        }
    }

    #[test]
    fn usage_is_one_event_more() {
        assert_eq!(events(true).len(), events(false).len() + 1);
        assert_eq!(events(false).len(), DELTAS + 1);
    }
}
