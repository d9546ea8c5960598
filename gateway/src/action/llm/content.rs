//! What was said to a model and what it said, put down for those who may see it. Only called where
//! the configuration and the route ask for that and the request is sampled.

use weir_protocols::llm::{Answer, Event, Media, Part, Request, Role};
use weir_telemetry::Content;
use weir_telemetry::content::Part as Told;

use super::note::word;

/// Puts down what a model is told.
pub(super) fn prompt(content: &mut Content, request: &Request<'_>) {
    for part in request.instructions.iter().filter_map(told) {
        content.instruct(part);
    }
    for message in &request.messages {
        let returned = |part: &Part<'_>| matches!(part, Part::ToolResult(_));
        let role = match message.role {
            Role::Assistant => "assistant",
            Role::User if message.parts.iter().any(returned) => "tool",
            Role::User => "user",
        };
        content.turn(role, message.parts.iter().filter_map(told));
    }
}

/// Puts down a whole answer.
pub(super) fn answer(content: &mut Content, answer: &Answer<'_>) {
    for choice in &answer.choices {
        for part in choice.parts.iter().filter_map(told) {
            content.say(choice.index, part);
        }
        if let Some(finish) = choice.finish {
            content.finish(choice.index, word(finish));
        }
    }
}

/// Puts down an event of a stream.
pub(super) fn event(content: &mut Content, event: &Event<'_>) {
    match event {
        Event::Text { choice, text } | Event::Refusal { choice, text } => {
            content.say(*choice, Told::Text(text.to_string()));
        }
        Event::Reasoning { choice, text } => {
            content.say(*choice, Told::Reasoning(text.to_string()));
        }
        Event::Call {
            choice, id, name, ..
        } => content.say(
            *choice,
            Told::Call {
                id: id.to_string(),
                name: name.to_string(),
                arguments: String::new(),
            },
        ),
        Event::Arguments { choice, json, .. } => content.argue(*choice, json),
        Event::Finish { choice, reason, .. } => content.finish(*choice, word(*reason)),
        Event::Begin { .. }
        | Event::Signature { .. }
        | Event::Redacted { .. }
        | Event::Foreign { .. }
        | Event::Usage(_)
        | Event::Ping
        | Event::Failed(_)
        | Event::End => {}
    }
}

/// A part; `None` for what nobody can read.
fn told(part: &Part<'_>) -> Option<Told> {
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => Told::Text(text.to_string()),
        Part::Reasoning { text, .. } if text.is_empty() => return None,
        Part::Reasoning { text, .. } => Told::Reasoning(text.to_string()),
        Part::Image(media) => medium("image", media),
        Part::Audio(media) => medium("audio", media),
        Part::Document(media) => medium("document", media),
        Part::ToolCall(call) => Told::Call {
            id: call.id.to_string(),
            name: call.name.to_string(),
            arguments: call.arguments.to_string(),
        },
        Part::ToolResult(result) => {
            let texts = result.parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(&**text),
                _ => None,
            });
            Told::Returned {
                id: result.id.to_string(),
                text: texts.collect(),
            }
        }
        Part::Redacted(_) | Part::CachePoint => return None,
    })
}

fn medium(modality: &'static str, media: &Media<'_>) -> Told {
    Told::Medium {
        modality,
        media_type: media.media_type.as_ref().map(ToString::to_string),
    }
}
