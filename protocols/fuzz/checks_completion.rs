//! What must hold of OpenAI's chat completions, for any bytes whatsoever.

use bytes::Bytes;
use weir_protocols::llm::{Answer, Envelope, Event, Part, Request};
use weir_protocols::openai::chat::{self, Profile};
use weir_protocols::openai::completion::{self, Reader, Writer};
use weir_protocols::openai::error;
use weir_protocols::sse::Splitter;

const ENVELOPE: Envelope<'static> = Envelope {
    id: "0123456789abcdef",
    model: "m",
    created: 1,
};

/// Reads `data` as a request, as a whole answer, as an error and as a stream; what is read can be written, and
/// what is written says the same.
pub fn completion(data: &[u8]) {
    if let Ok(request) = chat::read(data) {
        rewritten(&request);
    }
    if let Ok(answer) = completion::read(data, "seed") {
        let mut out = Vec::new();
        completion::write(&mut out, &answer, &ENVELOPE);
        let again = completion::read(&out, "seed").expect("we wrote it");
        assert_eq!(said(&again), said(&answer));
    }
    failed(data);
    stream(data);
}

/// The words of an error outlive being told again; its class is told by less than it is read from.
fn failed(data: &[u8]) {
    let read = error::read(500, data);
    let mut out = Vec::new();
    error::write_canonical(&mut out, &read, None);
    let again = error::read(500, &out);
    assert_eq!(again.message, read.message);
    assert_eq!((again.param, again.code), (read.param, read.code));
}

fn rewritten(request: &Request<'_>) {
    let Ok(written) = chat::write(request, &Profile::OPENAI) else {
        return;
    };
    // Nothing said is nothing to answer: a conversation of instructions alone has no message.
    let again = chat::read(&written.body).expect("we wrote it");
    assert_eq!(again.model, request.model);
    assert_eq!(again.tools, request.tools);
    assert_eq!(again.stop, request.stop);
    assert_eq!(again.limit, request.limit);
    assert_eq!(again.format, named(request));
}

/// A schema without a name gets one.
fn named<'a>(request: &Request<'a>) -> weir_protocols::llm::Format<'a> {
    use weir_protocols::llm::Format;
    let mut format = request.format.clone();
    if let Format::Schema { name, .. } = &mut format {
        name.get_or_insert_with(|| "answer".into());
    }
    format
}

/// The text of each choice's parts, by what they are.
fn said(answer: &Answer<'_>) -> Vec<(u64, String, Vec<String>)> {
    let choices = answer.choices.iter().map(|choice| {
        let (mut text, mut calls) = (String::new(), Vec::new());
        for part in &choice.parts {
            match part {
                Part::Text(said) => text.push_str(said),
                Part::ToolCall(call) => calls.push(call.name.to_string()),
                _ => {}
            }
        }
        (choice.index, text, calls)
    });
    choices.collect()
}

fn stream(data: &[u8]) {
    let whole = events([Bytes::copy_from_slice(data)]);
    let at = data.len() / 2;
    let halves = [&data[..at], &data[at..]].map(Bytes::copy_from_slice);
    assert_eq!(events(halves), whole);
    let mut writer = Writer::new(&ENVELOPE, true);
    let mut out = Vec::new();
    for event in &whole {
        writer.write(event, &mut out);
    }
    let again = events([Bytes::from(out)]);
    assert_eq!(text(&again), text(&whole));
}

/// The events of a stream, up to the first that cannot be read.
fn events(chunks: impl IntoIterator<Item = Bytes>) -> Vec<Event<'static>> {
    let mut splitter = Splitter::new(1 << 16);
    let (mut reader, mut all) = (Reader::new("seed"), Vec::new());
    for chunk in chunks {
        splitter.feed(chunk);
        while let Ok(Some(event)) = splitter.next_event() {
            if !event.has_data() {
                continue;
            }
            let data = event.data();
            let read = reader.read(&data, &mut |event| all.push(event.into_owned()));
            if read.is_err() {
                return all;
            }
        }
    }
    all
}

fn text(events: &[Event<'_>]) -> Vec<(u64, String)> {
    let mut all: Vec<(u64, String)> = Vec::new();
    for event in events {
        let (choice, text) = match event {
            Event::Text { choice, text } => (choice, text),
            Event::Arguments { choice, json, .. } => (choice, json),
            // What follows the end of a stream is nobody's.
            Event::Failed(_) => break,
            _ => continue,
        };
        match all.iter_mut().find(|(known, _)| known == choice) {
            Some((_, said)) => said.push_str(text),
            None => all.push((*choice, text.to_string())),
        }
    }
    all
}
