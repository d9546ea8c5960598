//! Events, into the chunks of a streamed completion.

use serde::Serialize;

use super::answer::Tokens;
use super::word;
use crate::llm::{Envelope, Event, Finish, Usage};
use crate::openai::error;
use crate::sse::{Outgoing, write_comment, write_event};

/// Writes one stream.
#[derive(Clone, Debug)]
pub struct Writer {
    id: String,
    model: String,
    created: u64,
    /// Whether the caller asked for usage at the end.
    wants_usage: bool,
    usage: Option<Usage>,
    /// The choices whose first chunk, which says who speaks, was written.
    begun: Vec<u64>,
}

/// The name of an answer: the provider's, or one of ours with OpenAI's prefix.
pub(super) fn id(given: Option<&str>, envelope: &Envelope<'_>) -> String {
    given.map_or_else(|| format!("chatcmpl-{}", envelope.id), str::to_owned)
}

/// Why a stream is ended before the model ends it; a member beyond those of the API, which its
/// clients pass over.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cut<'a> {
    /// The stable code.
    pub code: &'a str,
    /// The quota to blame.
    pub quota: &'a str,
}

/// The event after which nothing comes.
const DONE: &[u8] = b"data: [DONE]\n\n";

#[derive(Serialize)]
struct Chunk<'w> {
    id: &'w str,
    object: &'static str,
    created: u64,
    model: &'w str,
    choices: &'w [Choice<'w>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weir: Option<Cut<'w>>,
}

#[derive(Serialize)]
struct Choice<'w> {
    index: u64,
    delta: Delta<'w>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'w> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'w>; 1]>,
}

#[derive(Serialize)]
struct Call<'w> {
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'w str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'w>,
}

#[derive(Serialize)]
struct Function<'w> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'w str>,
    arguments: &'w str,
}

impl Writer {
    /// A stream of which nothing was written; `wants_usage` is whether the caller asked for usage
    /// at its end.
    pub fn new(envelope: &Envelope<'_>, wants_usage: bool) -> Self {
        Self {
            id: id(None, envelope),
            model: envelope.model.to_owned(),
            created: envelope.created,
            wants_usage,
            usage: None,
            begun: Vec::new(),
        }
    }

    /// Appends what an event becomes.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Begin { id, model, created } => {
                self.name(id.as_deref(), model.as_deref(), *created);
            }
            Event::Text { choice, text } => self.delta(
                *choice,
                out,
                Delta {
                    content: Some(text),
                    ..Delta::default()
                },
            ),
            Event::Reasoning { choice, text } => self.delta(
                *choice,
                out,
                Delta {
                    reasoning_content: Some(text),
                    ..Delta::default()
                },
            ),
            Event::Refusal { choice, text } => self.delta(
                *choice,
                out,
                Delta {
                    refusal: Some(text),
                    ..Delta::default()
                },
            ),
            Event::Call {
                choice,
                index,
                id,
                name,
                ..
            } => self.call(
                *choice,
                out,
                Call {
                    index: *index,
                    id: Some(id),
                    kind: Some("function"),
                    function: Function {
                        name: Some(name),
                        arguments: "",
                    },
                },
            ),
            Event::Arguments {
                choice,
                index,
                json,
            } => self.call(
                *choice,
                out,
                Call {
                    index: *index,
                    id: None,
                    kind: None,
                    function: Function {
                        name: None,
                        arguments: json,
                    },
                },
            ),
            Event::Finish { choice, reason, .. } => self.finish(*choice, *reason, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping => write_comment(out, "keep-alive"),
            Event::Failed(failed) => {
                let mut data = Vec::new();
                error::write_canonical(&mut data, failed, None);
                append(out, &data);
            }
            Event::End => self.end(out),
            // Nothing in a chunk holds these.
            Event::Signature { .. } | Event::Redacted { .. } | Event::Foreign { .. } => {}
        }
    }

    /// Takes in an event that its caller got in the provider's own bytes, so that what is written
    /// after it goes on from there.
    pub fn follow(&mut self, event: &Event<'_>) {
        match event {
            Event::Begin { id, model, created } => {
                self.name(id.as_deref(), model.as_deref(), *created);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Text { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Call { choice, .. }
                if !self.begun.contains(choice) =>
            {
                self.begun.push(*choice);
            }
            _ => {}
        }
    }

    /// Appends the last chunk of a choice that is ended because there is no room for more.
    pub fn cut(&self, choice: u64, cut: Cut<'_>, out: &mut Vec<u8>) {
        let choices = [Choice {
            index: choice,
            delta: Delta::default(),
            finish_reason: Some(word(Finish::Length)),
        }];
        let chunk = Chunk {
            choices: &choices,
            weir: Some(cut),
            ..self.empty()
        };
        write(out, &chunk);
    }

    /// What the stream's chunks have in common.
    fn name(&mut self, id: Option<&str>, model: Option<&str>, created: Option<u64>) {
        self.created = created.unwrap_or(self.created);
        if let Some(id) = id {
            id.clone_into(&mut self.id);
        }
        if let Some(model) = model {
            model.clone_into(&mut self.model);
        }
    }

    fn call(&mut self, choice: u64, out: &mut Vec<u8>, call: Call<'_>) {
        let tool_calls = Some([call]);
        self.delta(
            choice,
            out,
            Delta {
                tool_calls,
                ..Delta::default()
            },
        );
    }

    fn finish(&mut self, choice: u64, reason: Finish, out: &mut Vec<u8>) {
        self.begin(choice, out);
        self.chunk(
            out,
            &[Choice {
                index: choice,
                delta: Delta::default(),
                finish_reason: Some(word(reason)),
            }],
        );
    }

    fn delta(&mut self, choice: u64, out: &mut Vec<u8>, delta: Delta<'_>) {
        self.begin(choice, out);
        self.chunk(
            out,
            &[Choice {
                index: choice,
                delta,
                finish_reason: None,
            }],
        );
    }

    /// The first chunk of a choice says who speaks.
    fn begin(&mut self, choice: u64, out: &mut Vec<u8>) {
        if self.begun.contains(&choice) {
            return;
        }
        self.begun.push(choice);
        let delta = Delta {
            role: Some("assistant"),
            content: Some(""),
            ..Delta::default()
        };
        self.chunk(
            out,
            &[Choice {
                index: choice,
                delta,
                finish_reason: None,
            }],
        );
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(usage) = self.usage.filter(|_| self.wants_usage) {
            let chunk = Chunk {
                usage: Some(Tokens::from(&usage)),
                ..self.empty()
            };
            write(out, &chunk);
        }
        out.extend_from_slice(DONE);
    }

    fn chunk(&self, out: &mut Vec<u8>, choices: &[Choice<'_>]) {
        let chunk = Chunk {
            choices,
            ..self.empty()
        };
        write(out, &chunk);
    }

    fn empty(&self) -> Chunk<'_> {
        Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices: &[],
            usage: None,
            weir: None,
        }
    }
}

fn write(out: &mut Vec<u8>, chunk: &Chunk<'_>) {
    // JSON on one line: written in the place where the event's data stands.
    out.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut *out, chunk).expect("text and numbers always serialise");
    out.extend_from_slice(b"\n\n");
}

fn append(out: &mut Vec<u8>, data: &[u8]) {
    let event = Outgoing {
        data,
        ..Outgoing::default()
    };
    write_event(out, &event).expect("no name and no id, so no line break in them");
}
