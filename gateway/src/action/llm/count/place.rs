//! Where in an answer a text stands: texts of one place go on from event to event.

use weir_protocols::llm::{Choice, Event, Part as Said};

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct Place {
    /// The choice's number.
    pub(in super::super) choice: u64,
    /// What of the choice.
    pub(in super::super) part: Part,
}

/// A part of a choice that grows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) enum Part {
    Content,
    Reasoning,
    Refusal,
    /// The name of a tool that is called, by the call's number.
    Name(u64),
    /// What it is called with.
    Arguments(u64),
}

/// The text that an event adds, and where.
pub(in super::super) fn added<'e>(event: &'e Event<'_>) -> Option<(Place, &'e str)> {
    let (choice, part, text) = match event {
        Event::Text { choice, text } => (choice, Part::Content, text),
        Event::Reasoning { choice, text } => (choice, Part::Reasoning, text),
        Event::Refusal { choice, text } => (choice, Part::Refusal, text),
        Event::Call {
            choice,
            index,
            name,
            ..
        } => (choice, Part::Name(*index), name),
        Event::Arguments {
            choice,
            index,
            json,
        } => (choice, Part::Arguments(*index), json),
        _ => return None,
    };
    let choice = *choice;
    Some((Place { choice, part }, text))
}

/// Calls `each` with the texts of a whole choice.
pub(in super::super) fn texts(choice: &Choice<'_>, each: &mut dyn FnMut(Place, &str)) {
    let at = |part| Place {
        choice: choice.index,
        part,
    };
    let mut calls = 0;
    for part in &choice.parts {
        match part {
            Said::Text(text) => each(at(Part::Content), text),
            Said::Reasoning { text, .. } => each(at(Part::Reasoning), text),
            Said::Refusal(text) => each(at(Part::Refusal), text),
            Said::ToolCall(call) => {
                each(at(Part::Name(calls)), &call.name);
                each(at(Part::Arguments(calls)), &call.arguments);
                calls += 1;
            }
            _ => {}
        }
    }
}
