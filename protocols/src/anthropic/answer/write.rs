//! Writes a message: the first choice, as this dialect knows no other.

use serde::Serialize;

use crate::anthropic::{finish, usage};
use crate::llm::{Answer, Envelope, Finish, Json, Part, Usage};

#[derive(Serialize)]
struct Message<'a> {
    id: Id<'a>,
    #[serde(rename = "type")]
    sort: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: usage::Written,
}

/// The name of a message: the provider's, or one made of the envelope's.
#[derive(Serialize)]
#[serde(untagged)]
enum Id<'a> {
    Given(&'a str),
    Made(String),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Json<'a>,
    },
}

/// Appends the message to `out`.
///
/// A refusal stands as text, with `refusal` as the reason to stop unless the provider gave a more
/// exact one. Usage the provider does not tell is zero, since clients require the numbers. Media and
/// the signatures of tool calls have no place here and are left out.
pub fn write(out: &mut Vec<u8>, answer: &Answer<'_>, envelope: &Envelope<'_>) {
    let choice = answer.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let refused = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let reason = choice
        .and_then(|choice| choice.finish)
        .unwrap_or(Finish::Stop);
    let message = Message {
        id: match &answer.id {
            Some(id) => Id::Given(id),
            None => Id::Made(format!("msg_{}", envelope.id)),
        },
        sort: "message",
        role: "assistant",
        model: answer.model.as_deref().unwrap_or(envelope.model),
        content: parts.iter().filter_map(block).collect(),
        stop_reason: finish::write_refused(reason, refused),
        stop_sequence: choice.and_then(|choice| choice.stopped_at.as_deref()),
        usage: answer.usage.unwrap_or(Usage::new(0, 0)).into(),
    };
    serde_json::to_writer(out, &message).expect("text and numbers always serialise");
}

fn block<'a>(part: &'a Part<'_>) -> Option<Block<'a>> {
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => Block::Text { text },
        Part::Reasoning { text, signature } => Block::Thinking {
            thinking: text,
            signature: signature.as_deref().unwrap_or(""),
        },
        Part::Redacted(data) => Block::RedactedThinking { data },
        Part::ToolCall(call) => Block::ToolUse {
            id: &call.id,
            name: &call.name,
            input: call.object(),
        },
        Part::Image(_)
        | Part::Audio(_)
        | Part::Document(_)
        | Part::ToolResult(_)
        | Part::CachePoint => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anthropic::answer::read;
    use crate::llm::{Choice, ToolCall};

    const ENVELOPE: Envelope<'static> = Envelope {
        id: "abc",
        model: "smart",
        created: 0,
    };

    fn answer(parts: Vec<Part<'static>>, finish: Finish) -> Answer<'static> {
        Answer {
            choices: vec![Choice {
                index: 0,
                parts,
                finish: Some(finish),
                stopped_at: None,
            }],
            usage: Some(Usage {
                cached: Some(2),
                reasoning: Some(1),
                ..Usage::new(5, 6)
            }),
            ..Answer::default()
        }
    }

    #[test]
    fn an_answer_is_read_back_as_it_was() {
        let given = Answer {
            id: Some("msg_9".into()),
            model: Some("claude".into()),
            ..answer(
                vec![
                    Part::Reasoning {
                        text: "hm".into(),
                        signature: Some("sig".into()),
                    },
                    Part::Redacted("xyz".into()),
                    Part::Text("a \"b\"\n".into()),
                    Part::ToolCall(ToolCall {
                        id: "toolu_1".into(),
                        name: "find".into(),
                        arguments: r#"{"q": [1]}"#.into(),
                        signature: None,
                    }),
                ],
                Finish::ToolCalls,
            )
        };
        let mut out = Vec::new();
        write(&mut out, &given, &ENVELOPE);
        assert_eq!(read(&out, "x").expect("a message"), given);
    }

    #[test]
    fn what_the_provider_does_not_say_is_taken_from_the_envelope() {
        let mut out = Vec::new();
        write(&mut out, &Answer::default(), &ENVELOPE);
        assert_eq!(
            String::from_utf8_lossy(&out),
            concat!(
                r#"{"id":"msg_abc","type":"message","role":"assistant","model":"smart","#,
                r#""content":[],"stop_reason":"end_turn","stop_sequence":null,"#,
                r#""usage":{"input_tokens":0,"output_tokens":0}}"#
            )
        );
    }

    #[test]
    fn a_refusal_is_text_and_a_reason_and_broken_arguments_are_an_object_still() {
        let parts = vec![
            Part::Refusal("No.".into()),
            Part::ToolCall(ToolCall {
                id: "1".into(),
                name: "f".into(),
                arguments: "{\"q\":".into(),
                signature: None,
            }),
        ];
        let mut out = Vec::new();
        write(&mut out, &answer(parts, Finish::Stop), &ENVELOPE);
        let text = String::from_utf8_lossy(&out);
        assert!(
            text.contains(r#"{"type":"text","text":"No."}"#)
                && text.contains(r#""stop_reason":"refusal""#)
                && text.contains(r#""input":{"arguments":"{\"q\":"}"#),
            "{text}"
        );
    }
}
