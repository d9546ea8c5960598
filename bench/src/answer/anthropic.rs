//! What the model says, as Anthropic's messages API answers it: the same words, as many events
//! with content, the same tokens.

use crate::answer::{SENTENCE, TOKENS, sentence};
use crate::case;

/// A message with usage.
pub fn message() -> String {
    let (input, output) = TOKENS;
    format!(
        r#"{{"id":"msg_weirbench00000000000000000","type":"message","role":"assistant","model":"{}","content":[{{"type":"text","text":"{}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{output},"service_tier":"standard"}}}}"#,
        case::PROVIDER_MODEL,
        sentence(),
    )
}

/// A streamed message: each server-sent event named as its data says.
pub fn events() -> Vec<Vec<u8>> {
    let (input, output) = TOKENS;
    let start = format!(
        r#""message":{{"id":"msg_weirbench00000000000000000","type":"message","role":"assistant","model":"{}","content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}}"#,
        case::PROVIDER_MODEL
    );
    let mut events = vec![
        event("message_start", &start),
        event(
            "content_block_start",
            r#""index":0,"content_block":{"type":"text","text":""}"#,
        ),
    ];
    // The first word is empty: OpenAI's dialect begins with an event that only names the role.
    events.extend(SENTENCE[1..].iter().map(|word| {
        event(
            "content_block_delta",
            &format!(r#""index":0,"delta":{{"type":"text_delta","text":"{word}"}}"#),
        )
    }));
    events.push(event("content_block_stop", r#""index":0"#));
    events.push(event(
        "message_delta",
        &format!(
            r#""delta":{{"stop_reason":"end_turn","stop_sequence":null}},"usage":{{"output_tokens":{output}}}"#
        ),
    ));
    events.push(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_vec());
    events
}

fn event(name: &str, fields: &str) -> Vec<u8> {
    format!("event: {name}\ndata: {{\"type\":\"{name}\",{fields}}}\n\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn bodies_are_json_and_say_the_sentence() {
        let whole: Value = serde_json::from_str(&message()).expect("a message is JSON");
        assert_eq!(whole["content"][0]["text"], sentence());
        let said: String = events()
            .into_iter()
            .map(|event| {
                let text = String::from_utf8(event).expect("events are UTF-8");
                let (_, data) = text.split_once("data: ").expect("an event has data");
                let data: Value = serde_json::from_str(data).expect("data are JSON");
                data["delta"]["text"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        assert_eq!(said, sentence());
    }
}
