//! Writes a response object.

use std::borrow::Cow;

use crate::llm::{Answer, Envelope, Part, ToolCall};
use crate::openai::responses::wire;

/// Appends `answer` to `out` as a response object: its first choice, for no more can be asked for in
/// this dialect. An id that is none of this dialect's is replaced by the envelope's.
pub fn write(out: &mut Vec<u8>, answer: &Answer<'_>, envelope: &Envelope<'_>) {
    let own = answer.id.as_deref().filter(|id| id.starts_with("resp_"));
    let id = match own {
        Some(id) => Cow::Borrowed(id),
        None => Cow::Owned(format!("resp_{}", envelope.id)),
    };
    let model = answer.model.as_deref().unwrap_or(envelope.model);
    let choice = answer.choices.first();
    let finish = choice.and_then(|choice| choice.finish);
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let items = items(parts, envelope.id, wire::status(finish));
    let mut response = wire::Response::new(&id, model, envelope.created, &items).ended(finish);
    response.usage = answer.usage.map(wire::Usage::from);
    serde_json::to_writer(out, &response).expect("text and numbers always serialise into a Vec");
}

/// The parts as items; texts and refusals that follow each other are one message.
fn items<'r>(parts: &'r [Part<'_>], seed: &str, last: &'static str) -> Vec<wire::Item<'r>> {
    let mut items: Vec<wire::Item<'r>> = Vec::with_capacity(parts.len());
    for part in parts {
        let at = items.len();
        let item = match part {
            Part::Text(text) => {
                say(wire::Content::text(Cow::Borrowed(text)), seed, &mut items);
                continue;
            }
            Part::Refusal(refusal) => {
                let refusal = Cow::Borrowed(&**refusal);
                say(wire::Content::Refusal { refusal }, seed, &mut items);
                continue;
            }
            Part::Reasoning { text, signature } => {
                let shown = Some(&**text).filter(|text| !text.is_empty());
                let signature = signature.as_deref().map(Cow::Borrowed);
                wire::Item::reasoning(seed, at, shown.map(Cow::Borrowed), signature)
            }
            Part::Redacted(data) => wire::Item::redacted(seed, at, Cow::Borrowed(data)),
            Part::ToolCall(call) => {
                let call = ToolCall {
                    id: Cow::Borrowed(&*call.id),
                    name: Cow::Borrowed(&*call.name),
                    arguments: Cow::Borrowed(&*call.arguments),
                    signature: call.signature.as_deref().map(Cow::Borrowed),
                };
                wire::Item::call(seed, at, call)
            }
            // No answer holds them.
            Part::Image(_)
            | Part::Audio(_)
            | Part::Document(_)
            | Part::ToolResult(_)
            | Part::CachePoint => continue,
        };
        items.push(item);
    }
    for item in &mut items {
        item.set_status("completed");
    }
    if let Some(item) = items.last_mut() {
        item.set_status(last);
    }
    items
}

fn say<'r>(said: wire::Content<'r>, seed: &str, items: &mut Vec<wire::Item<'r>>) {
    if let Some(wire::Item::Message { content, .. }) = items.last_mut() {
        content.push(said);
        return;
    }
    items.push(wire::Item::message(seed, items.len(), vec![said]));
}
