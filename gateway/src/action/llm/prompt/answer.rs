//! What callers of a prompt without a schema for its answers are given: the model's text, and why it
//! ended. A stream is events of pieces of the text; the last one says why it ended, so that one
//! without that broke.

use std::borrow::Cow;

use serde::Serialize;
use weir_protocols::llm::{Answer, Choice, Event, Finish, Part};
use weir_protocols::sse::{Outgoing, write_comment, write_event};

use crate::action::llm::note;

#[derive(Serialize)]
struct Whole<'a> {
    text: &'a str,
    finish_reason: &'static str,
}

/// Appends a whole answer.
pub(in crate::action::llm) fn write(out: &mut Vec<u8>, answer: &Answer<'_>) {
    let choice = answer.choices.first();
    let whole = Whole {
        text: &choice.map(text).unwrap_or_default(),
        finish_reason: note::word(choice.map_or(Finish::Other, ended)),
    };
    serde_json::to_writer(out, &whole).expect("text always serialises into a Vec");
}

/// What a choice says; what the model thought before it is not part of that.
pub(super) fn text<'c>(choice: &'c Choice<'_>) -> Cow<'c, str> {
    let mut said = choice.parts.iter().filter_map(|part| match part {
        Part::Text(text) | Part::Refusal(text) => Some(&**text),
        _ => None,
    });
    let first = said.next().unwrap_or_default();
    said.fold(Cow::Borrowed(first), |all, more| all + more)
}

/// Why a choice ended. A model that declines does that whatever its provider calls it.
pub(super) fn ended(choice: &Choice<'_>) -> Finish {
    match choice.finish.unwrap_or(Finish::Stop) {
        Finish::Stop
            if choice
                .parts
                .iter()
                .any(|part| matches!(part, Part::Refusal(_))) =>
        {
            Finish::Refusal
        }
        finish => finish,
    }
}

/// Writes one stream.
#[derive(Debug, Default)]
pub(in crate::action::llm) struct Writer {
    refused: bool,
}

#[derive(Serialize)]
struct Piece<'e> {
    text: &'e str,
}

#[derive(Serialize)]
struct Ended {
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Failed<'e> {
    code: Option<&'e str>,
    detail: &'e str,
}

impl Writer {
    /// Appends what an event becomes.
    pub(in crate::action::llm) fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Text { text, .. } => put(out, None, &Piece { text }),
            Event::Refusal { text, .. } => {
                self.refused = true;
                put(out, None, &Piece { text });
            }
            Event::Finish { reason, .. } => {
                let reason = match reason {
                    Finish::Stop if self.refused => Finish::Refusal,
                    reason => *reason,
                };
                let finish_reason = note::word(reason);
                put(out, None, &Ended { finish_reason });
            }
            Event::Failed(error) => {
                let (code, detail) = (error.code.as_deref(), &*error.message);
                put(out, Some("error"), &Failed { code, detail });
            }
            Event::Ping => write_comment(out, ""),
            // Callers of a prompt are told nothing of how it is answered.
            Event::Begin { .. }
            | Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::Redacted { .. }
            | Event::Foreign { .. }
            | Event::Call { .. }
            | Event::Arguments { .. }
            | Event::Usage(_)
            | Event::End => {}
        }
    }
}

fn put(out: &mut Vec<u8>, name: Option<&str>, data: &impl Serialize) {
    let data = serde_json::to_vec(data).expect("text always serialises into a Vec");
    let event = Outgoing {
        name,
        data: &data,
        ..Outgoing::default()
    };
    write_event(out, &event).expect("the name is one line");
}

#[cfg(test)]
mod tests {
    use weir_protocols::llm::Error;
    use weir_protocols::llm::error::Kind;

    use super::*;

    fn choice(parts: Vec<Part<'static>>, finish: Option<Finish>) -> Answer<'static> {
        Answer {
            choices: vec![Choice {
                index: 0,
                parts,
                finish,
                stopped_at: None,
            }],
            ..Answer::default()
        }
    }

    #[test]
    fn a_whole_answer_is_its_text_and_why_it_ended() {
        let thought = Part::Reasoning {
            text: "hm".into(),
            signature: None,
        };
        for (parts, finish, expected) in [
            (
                vec![thought, Part::Text("a\n".into()), Part::Text("b".into())],
                Some(Finish::Length),
                r#"{"text":"a\nb","finish_reason":"length"}"#,
            ),
            (
                vec![Part::Refusal("no".into())],
                None,
                r#"{"text":"no","finish_reason":"refusal"}"#,
            ),
        ] {
            let mut out = Vec::new();
            write(&mut out, &choice(parts, finish));
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn a_stream_ends_with_the_reason_or_with_an_error() {
        let mut writer = Writer::default();
        let mut out = Vec::new();
        let text = |text: &'static str| Event::Text {
            choice: 0,
            text: text.into(),
        };
        let finish = Event::Finish {
            choice: 0,
            reason: Finish::Stop,
            stopped_at: None,
        };
        for event in [text("a\n"), Event::Ping, text("b"), finish, Event::End] {
            writer.write(&event, &mut out);
        }
        writer.write(
            &Event::Failed(Error {
                kind: Kind::Internal,
                message: "it broke".into(),
                param: None,
                code: Some("response_stalled".into()),
            }),
            &mut out,
        );
        let expected = "data: {\"text\":\"a\\n\"}\n\n: \n\ndata: {\"text\":\"b\"}\n\n\
                        data: {\"finish_reason\":\"stop\"}\n\n\
                        event: error\ndata: {\"code\":\"response_stalled\",\"detail\":\"it broke\"}\n\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
