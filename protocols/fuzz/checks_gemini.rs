//! What must hold for any bytes whatsoever that are read as Google's dialect.

use bytes::Bytes;
use weir_protocols::gemini::stream::{Reader, Writer};
use weir_protocols::gemini::{answer, count_tokens, embed, error, path, request};
use weir_protocols::llm::{Envelope, Event, Finish, Malformed, Part, Request};
use weir_protocols::sse::{Splitter, Tail};

const ENVELOPE: Envelope<'_> = Envelope {
    id: "id",
    model: "model",
    created: 0,
};

/// Nothing panics, no stream depends on how it arrives, and what is written is read as what it was
/// written from.
pub fn gemini(data: &[u8]) {
    requests(data);
    answers(data);
    streams(data);
    error::read(500, data);
    error::retry_after(data);
    let _tokens = count_tokens::read(data, "m");
    if let Ok(vectors) = embed::read(data) {
        assert!(vectors.iter().all(|vector| !vector.is_empty()));
    }
    if let Some(path::Target::Call { model, method }) =
        std::str::from_utf8(data).ok().and_then(path::parse)
    {
        let written = format!("/v1{}", path::write(&model, method));
        let bare = model.strip_prefix("models/").unwrap_or(&model);
        let model = bare.into();
        let expected = (!bare.is_empty()).then_some(path::Target::Call { model, method });
        assert_eq!(path::parse(&written), expected);
    }
}

fn requests(data: &[u8]) {
    let Ok(request) = request::read(data, "gemini-2.5-pro", true) else {
        return;
    };
    let Ok(written) = request::write(&request) else {
        return;
    };
    let again = request::read(&written.body, "gemini-2.5-pro", true);
    let again = again.expect("what is written is a request");
    assert_eq!(again.tools, request.tools);
    assert_eq!(
        (again.limit.is_some(), again.choices),
        (request.limit.is_some(), request.choices)
    );
    assert_eq!(called(&again), called(&request));
    assert!(request::write(&again).is_ok());
}

/// The calls of a conversation, by id and name.
fn called<'r>(request: &'r Request<'_>) -> Vec<(&'r str, &'r str)> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => Some((&*call.id, &*call.name)),
        _ => None,
    });
    calls.collect()
}

fn answers(data: &[u8]) {
    let Ok(answer) = answer::read(data, "seed") else {
        return;
    };
    let mut written = Vec::new();
    answer::write(&mut written, &answer, &ENVELOPE);
    let again = answer::read(&written, "other").expect("what is written is an answer");
    assert_eq!(again.choices.len(), answer.choices.len());
    assert_eq!(again.usage, answer.usage);
    // What could not be written is gone by now.
    let mut twice = Vec::new();
    answer::write(&mut twice, &again, &ENVELOPE);
    let settled = answer::read(&twice, "other").expect("what is written is an answer");
    let mut thrice = Vec::new();
    answer::write(&mut thrice, &settled, &ENVELOPE);
    assert_eq!(thrice, twice);
}

fn streams(data: &[u8]) {
    let whole = read([Bytes::copy_from_slice(data)]);
    let dripped = read(data.iter().map(|byte| Bytes::copy_from_slice(&[*byte])));
    assert_eq!(dripped, whole);
    let (events, complete) = whole;
    let Ok(complete) = complete else { return };
    let ends = events
        .iter()
        .filter(|event| matches!(event, Event::Finish { .. }))
        .count();
    assert!(ends > 0 || !complete);

    let mut stream = Vec::new();
    let mut array = Vec::new();
    let mut writer = Writer::new(ENVELOPE, true);
    let mut arrays = Writer::array(ENVELOPE, true);
    for event in events.iter().chain([&Event::End]) {
        writer.write(event, &mut stream);
        arrays.write(event, &mut array);
    }
    let pieces: Vec<serde_json::Value> = serde_json::from_slice(&array).expect("one array");
    let (back, verdict) = read([Bytes::from(stream)]);
    assert!(verdict.is_ok());
    assert!(back.len() >= pieces.len().min(1));
    if !events.iter().any(|event| matches!(event, Event::Failed(_))) {
        assert_eq!(spoken(&back), spoken(&events));
    }
}

/// The text, the calls and the ends, which every stream must keep.
fn spoken(events: &[Event<'_>]) -> (String, Vec<String>, Vec<(u64, bool)>) {
    let mut text = String::new();
    let mut calls = Vec::new();
    let mut ends = Vec::new();
    for event in events {
        match event {
            Event::Text { text: more, .. } => text.push_str(more),
            Event::Call { id, name, .. } => calls.push(format!("{id} {name}")),
            Event::Finish { choice, reason, .. } => {
                ends.push((*choice, *reason == Finish::Length));
            }
            _ => {}
        }
    }
    // Calls of different choices may change places.
    calls.sort_unstable();
    (text, calls, ends)
}

type Told = (Vec<Event<'static>>, Result<bool, Malformed>);

fn read(chunks: impl IntoIterator<Item = Bytes>) -> Told {
    let mut splitter = Splitter::new(4096);
    let mut reader = Reader::new("seed");
    let mut told = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        while let Ok(Some(event)) = splitter.next_event() {
            let data = event.data();
            let mut each = |event: Event<'_>| told.push(event.into_owned());
            if !event.has_data() {
                reader.read_stray(&event.raw, &mut each);
            } else if let Err(malformed) = reader.read((event.name(), &data), &mut each) {
                return (told, Err(malformed));
            }
        }
    }
    if let Tail::Unterminated(rest) = splitter.finish() {
        reader.read_stray(&rest, &mut |event| told.push(event.into_owned()));
    }
    (told, Ok(reader.is_complete()))
}
