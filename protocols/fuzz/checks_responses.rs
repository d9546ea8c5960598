//! What must hold of OpenAI's Responses dialect for any bytes whatsoever.

use bytes::Bytes;
use weir_protocols::llm::{Answer, Envelope, Event, Malformed, Request};
use weir_protocols::openai::chat::Splice;
use weir_protocols::openai::responses::{Skim, answer, request, stream, usage};
use weir_protocols::sse::Splitter;

const ENVELOPE: Envelope<'static> = Envelope {
    id: "0123",
    model: "smart",
    created: 1_700_000_000,
};

/// The bytes as a request, as an answer, and as a stream.
pub fn responses(data: &[u8]) {
    as_request(data);
    as_answer(data);
    as_stream(data);
}

/// What is written reads back as what was read, so far as the dialect can say it, and a request that
/// passes through is edited as it should be.
fn as_request(data: &[u8]) {
    if let Ok(read) = request::read(data)
        && let Ok(once) = request::write(&read)
    {
        let again = request::read(&once.body).expect("what is written can be read");
        assert_eq!(again.model, read.model);
        assert_eq!(
            again.choose.is_some(),
            read.choose.is_some() && !read.tools.is_empty()
        );
        assert_eq!(again.tools.len(), read.tools.len());
        assert_eq!(again.limit, read.limit);
        assert_eq!(sorts(&again), sorts(&read));
        let twice = request::write(&again).expect("it was written before");
        assert_eq!(twice.body, once.body);
    }
    if let Ok(skim) = Skim::parse(data) {
        let mut splice = Splice::new(Bytes::copy_from_slice(data));
        skim.aim(&mut splice, "a \"new\" name");
        skim.bound(&mut splice, 7);
        let edited = splice.finish();
        let after = Skim::parse(&edited).expect("edits keep a request sound");
        assert_eq!(after.model, "a \"new\" name");
        assert!(after.limit.and_then(|limit| limit.tokens) <= Some(7));
        assert_eq!(after.stream, skim.stream);
    }
}

/// The sorts of parts, but for those that are left out of a request.
fn sorts(request: &Request<'_>) -> Vec<&'static str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let sorts = parts.map(|part| part.sort());
    sorts
        .filter(|sort| !matches!(*sort, "reasoning" | "a cache point"))
        .collect()
}

/// An answer that was read can be written, and reads back.
fn as_answer(data: &[u8]) {
    let whole = usage::of_answer(data);
    if let Ok(read) = answer::read(data, "s") {
        assert_eq!(read.usage, whole);
        let once = written(&read);
        let again = answer::read(&once, "s").expect("what is written can be read");
        assert_eq!(again.choices, read.choices);
        assert_eq!(written(&again), once);
    }
    answer::failure(data);
    // Who looks for usage in an event may pass over some that is oddly written, and makes up none.
    usage::of_event(data);
    let event = [b"{\"response\":", data, b"}"].concat();
    if let Some(found) = usage::of_event(&event) {
        assert_eq!(Some(found), whole);
    }
}

fn written(answer: &Answer<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    answer::write(&mut out, answer, &ENVELOPE);
    out
}

/// A stream's events do not depend on how it arrives, and what is written of them tells the same.
fn as_stream(data: &[u8]) {
    let whole = events([Bytes::copy_from_slice(data)]);
    let dripped = events(data.iter().map(|byte| Bytes::copy_from_slice(&[*byte])));
    assert_eq!(dripped, whole);
    let (told, _) = whole;
    let mut writer = stream::Writer::new(&ENVELOPE);
    let mut out = Vec::new();
    for event in &told {
        writer.write(event, &mut out);
    }
    let (again, fault) = events([Bytes::from(out)]);
    assert_eq!(fault, None);
    assert_eq!(substance(&again), substance(&told));
}

/// The events of a stream, and what of it cannot be read.
pub fn events(chunks: impl IntoIterator<Item = Bytes>) -> (Vec<Event<'static>>, Option<Malformed>) {
    let mut splitter = Splitter::new(1 << 20);
    let mut reader = stream::Reader::new("s");
    let mut all = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        while let Ok(Some(event)) = splitter.next_event() {
            let data = event.data();
            let read = reader.read(event.name(), &data, &mut |event| {
                all.push(event.into_owned())
            });
            if let Err(malformed) = read {
                return (all, Some(malformed));
            }
        }
    }
    let ended = all
        .iter()
        .any(|event| matches!(event, Event::End | Event::Failed(_)));
    assert_eq!(ended, reader.is_complete());
    (all, None)
}

/// Everything said, with pieces of one sort put together.
pub fn substance(events: &[Event<'_>]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let mut calls = Vec::new();
    let mut add = |sort: &str, text: &str| match said.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.starts_with(sort) => last.push_str(text),
        _ => said.push(format!("{sort}{text}")),
    };
    for event in events {
        match event {
            Event::Text { text, .. } => add("text: ", text),
            Event::Refusal { text, .. } => add("refusal: ", text),
            Event::Reasoning { text, .. } => add("reasoning: ", text),
            Event::Call { id, name, .. } => calls.push(format!("call: {id} {name} ")),
            Event::Arguments { index, json, .. } => {
                let call = usize::try_from(*index)
                    .ok()
                    .and_then(|at| calls.get_mut(at));
                call.expect("it began").push_str(json);
            }
            _ => {}
        }
    }
    said.extend(calls);
    said
}
