//! An answer as the events that tell it, and events as the answer that they are: for who has one and
//! is asked for the other.

use std::borrow::Cow;

use super::answer::{Answer, Choice};
use super::event::Event;
use super::message::Part;
use super::tool::ToolCall;

/// More choices than anybody asks for are no answer.
const MOST_CHOICES: usize = 128;

impl Answer<'_> {
    /// Tells the answer event by event, its end included.
    pub fn tell(&self, each: &mut dyn FnMut(&Event<'_>)) {
        each(&Event::Begin {
            id: self.id.as_deref().map(Cow::Borrowed),
            model: self.model.as_deref().map(Cow::Borrowed),
            created: None,
        });
        for choice in &self.choices {
            let mut calls = 0;
            for part in &choice.parts {
                tell_part(choice.index, part, &mut calls, each);
            }
            if let Some(reason) = choice.finish {
                each(&Event::Finish {
                    choice: choice.index,
                    reason,
                    stopped_at: choice.stopped_at.as_deref().map(Cow::Borrowed),
                });
            }
        }
        if let Some(usage) = self.usage {
            each(&Event::Usage(usage));
        }
        each(&Event::End);
    }
}

/// Tells one part; `calls` counts those of the choice.
fn tell_part(choice: u64, part: &Part<'_>, calls: &mut u64, each: &mut dyn FnMut(&Event<'_>)) {
    match part {
        Part::Text(text) => each(&Event::Text {
            choice,
            text: Cow::Borrowed(text),
        }),
        Part::Refusal(text) => each(&Event::Refusal {
            choice,
            text: Cow::Borrowed(text),
        }),
        Part::Reasoning { text, signature } => {
            if !text.is_empty() {
                each(&Event::Reasoning {
                    choice,
                    text: Cow::Borrowed(text),
                });
            }
            if let Some(signature) = signature {
                each(&Event::Signature {
                    choice,
                    signature: Cow::Borrowed(signature),
                });
            }
        }
        Part::Redacted(data) => each(&Event::Redacted {
            choice,
            data: Cow::Borrowed(data),
        }),
        Part::ToolCall(call) => {
            let index = *calls;
            *calls += 1;
            each(&Event::Call {
                choice,
                index,
                id: Cow::Borrowed(&call.id),
                name: Cow::Borrowed(&call.name),
                signature: call.signature.as_deref().map(Cow::Borrowed),
            });
            each(&Event::Arguments {
                choice,
                index,
                json: Cow::Borrowed(&call.arguments),
            });
        }
        // No model answers with these, and no event tells them.
        Part::Image(_)
        | Part::Audio(_)
        | Part::Document(_)
        | Part::ToolResult(_)
        | Part::CachePoint => {}
    }
}

/// The answer that events tell, as far as they were told.
#[derive(Debug, Default)]
pub struct Gather {
    answer: Answer<'static>,
    created: Option<u64>,
    ended: bool,
    /// Something was told that an answer of these types cannot hold.
    lost: bool,
}

impl Gather {
    /// Takes in an event.
    pub fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Begin { id, model, created } => {
                self.answer.id = owned(id.as_ref());
                self.answer.model = owned(model.as_ref());
                self.created = *created;
            }
            Event::Text { choice, text } => self.say(*choice, Said::Text, text),
            Event::Reasoning { choice, text } => self.say(*choice, Said::Reasoning, text),
            Event::Refusal { choice, text } => self.say(*choice, Said::Refusal, text),
            Event::Signature { choice, signature } => self.sign(*choice, signature),
            Event::Redacted { choice, data } => {
                self.push(*choice, Part::Redacted(data.to_string().into()));
            }
            Event::Call {
                choice,
                id,
                name,
                signature,
                ..
            } => self.push(
                *choice,
                Part::ToolCall(ToolCall {
                    id: id.to_string().into(),
                    name: name.to_string().into(),
                    arguments: Cow::Borrowed(""),
                    signature: owned(signature.as_ref()),
                }),
            ),
            Event::Arguments {
                choice,
                index,
                json,
            } => self.argue(*choice, *index, json),
            Event::Finish {
                choice,
                reason,
                stopped_at,
            } => {
                if let Some(of) = self.choice(*choice) {
                    of.finish = Some(*reason);
                    of.stopped_at = owned(stopped_at.as_ref());
                }
            }
            Event::Usage(usage) => self.answer.usage = Some(*usage),
            Event::Foreign { .. } | Event::Failed(_) => self.lost = true,
            Event::Ping => {}
            Event::End => self.ended = true,
        }
    }

    /// The stream is over, and its dialect has no other end.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// When the answer was begun, in seconds since the Unix epoch, if the provider said.
    pub const fn created(&self) -> Option<u64> {
        self.created
    }

    /// The answer, if that is all of it: it ended as it should, and nothing is left out.
    pub fn finish(mut self) -> Option<Answer<'static>> {
        self.answer.choices.sort_by_key(|choice| choice.index);
        (self.ended && !self.lost).then_some(self.answer)
    }

    fn choice(&mut self, index: u64) -> Option<&mut Choice<'static>> {
        let choices = &mut self.answer.choices;
        let at = choices.iter().position(|choice| choice.index == index);
        let at = match at {
            Some(at) => at,
            None if choices.len() == MOST_CHOICES => {
                self.lost = true;
                return None;
            }
            None => {
                choices.push(Choice {
                    index,
                    parts: Vec::new(),
                    finish: None,
                    stopped_at: None,
                });
                choices.len() - 1
            }
        };
        choices.get_mut(at)
    }

    fn push(&mut self, choice: u64, part: Part<'static>) {
        if let Some(choice) = self.choice(choice) {
            choice.parts.push(part);
        }
    }

    /// Goes on with what was said last, or begins something else.
    fn say(&mut self, choice: u64, said: Said, text: &str) {
        let Some(choice) = self.choice(choice) else {
            return;
        };
        match (said, choice.parts.last_mut()) {
            (Said::Text, Some(Part::Text(all)))
            | (Said::Refusal, Some(Part::Refusal(all)))
            | (
                Said::Reasoning,
                Some(Part::Reasoning {
                    text: all,
                    signature: None,
                }),
            ) => all.to_mut().push_str(text),
            _ => {
                let text = Cow::Owned(text.to_owned());
                choice.parts.push(match said {
                    Said::Text => Part::Text(text),
                    Said::Refusal => Part::Refusal(text),
                    Said::Reasoning => Part::Reasoning {
                        text,
                        signature: None,
                    },
                });
            }
        }
    }

    fn sign(&mut self, choice: u64, proof: &str) {
        let Some(choice) = self.choice(choice) else {
            return;
        };
        let proof = Some(Cow::Owned(proof.to_owned()));
        match choice.parts.last_mut() {
            Some(Part::Reasoning { signature, .. }) if signature.is_none() => *signature = proof,
            _ => choice.parts.push(Part::Reasoning {
                text: Cow::Borrowed(""),
                signature: proof,
            }),
        }
    }

    fn argue(&mut self, choice: u64, index: u64, json: &str) {
        let Some(choice) = self.choice(choice) else {
            return;
        };
        let calls = choice.parts.iter_mut().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        });
        let call = usize::try_from(index)
            .ok()
            .and_then(|at| calls.into_iter().nth(at));
        match call {
            Some(call) => call.arguments.to_mut().push_str(json),
            None => self.lost = true,
        }
    }
}

/// What sort of text is said.
#[derive(Clone, Copy)]
enum Said {
    Text,
    Reasoning,
    Refusal,
}

fn owned(text: Option<&Cow<'_, str>>) -> Option<Cow<'static, str>> {
    text.map(|text| Cow::Owned(text.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::llm::{Finish, Usage};

    fn part() -> impl Strategy<Value = Part<'static>> {
        let text = || "[a-z]{1,8}".prop_map(Cow::Owned);
        prop_oneof![
            text().prop_map(Part::Text),
            text().prop_map(Part::Refusal),
            text().prop_map(Part::Redacted),
            (text(), text()).prop_map(|(text, proof)| Part::Reasoning {
                text,
                signature: Some(proof),
            }),
            (text(), text(), text()).prop_map(|(id, name, arguments)| {
                Part::ToolCall(ToolCall {
                    id,
                    name,
                    arguments,
                    signature: None,
                })
            }),
        ]
    }

    /// Parts of which no two that follow each other are one text.
    fn parts() -> impl Strategy<Value = Vec<Part<'static>>> {
        proptest::collection::vec(part(), 0..6).prop_map(|mut parts| {
            parts.dedup_by(|one, other| {
                matches!(
                    (one, other),
                    (Part::Text(_), Part::Text(_)) | (Part::Refusal(_), Part::Refusal(_))
                )
            });
            parts
        })
    }

    proptest! {
        #[test]
        fn an_answer_that_is_told_and_gathered_is_the_same(
            choices in proptest::collection::vec(parts(), 1..4),
            usage in proptest::option::of((0_u64..100, 0_u64..100)),
        ) {
            let choices = choices.into_iter().zip(0..).map(|(parts, index)| Choice {
                index,
                parts,
                finish: Some(Finish::Stop),
                stopped_at: None,
            });
            let answer = Answer {
                id: Some("a".into()),
                model: None,
                choices: choices.collect(),
                usage: usage.map(|(input, output)| Usage::new(input, output)),
            };
            let mut gather = Gather::default();
            answer.tell(&mut |event| gather.take(event));
            prop_assert_eq!(gather.finish(), Some(answer));
        }
    }

    #[test]
    fn what_ends_early_or_holds_what_nobody_knows_is_no_answer() {
        let text = Event::Text {
            choice: 0,
            text: "It holds".into(),
        };
        let mut cut = Gather::default();
        cut.take(&text);
        assert_eq!(cut.finish(), None);
        let mut foreign = Gather::default();
        for event in [text, Event::Foreign { choice: 0 }, Event::End] {
            foreign.take(&event);
        }
        assert_eq!(foreign.finish(), None);
        let mut lost = Gather::default();
        lost.take(&Event::Arguments {
            choice: 0,
            index: 3,
            json: "{}".into(),
        });
        lost.end();
        assert_eq!(lost.finish(), None);
    }
}
