//! Events of the first choice, in few words.

use weir_protocols::llm::{Event, Finish, Usage};

pub fn begin<'a>(id: &'a str, model: &'a str) -> Event<'a> {
    Event::Begin {
        id: Some(id.into()),
        model: Some(model.into()),
        created: None,
    }
}

pub fn text(text: &str) -> Event<'_> {
    Event::Text {
        choice: 0,
        text: text.into(),
    }
}

pub fn thought(text: &str) -> Event<'_> {
    Event::Reasoning {
        choice: 0,
        text: text.into(),
    }
}

pub fn call<'a>(index: u64, id: &'a str, name: &'a str) -> Event<'a> {
    Event::Call {
        choice: 0,
        index,
        id: id.into(),
        name: name.into(),
        signature: None,
    }
}

pub fn arguments(index: u64, json: &str) -> Event<'_> {
    Event::Arguments {
        choice: 0,
        index,
        json: json.into(),
    }
}

pub fn finish(reason: Finish) -> Event<'static> {
    Event::Finish {
        choice: 0,
        reason,
        stopped_at: None,
    }
}

pub fn cached(output: u64) -> Event<'static> {
    Event::Usage(Usage {
        cached: Some(2048),
        cache_written: Some(100),
        ..Usage::new(25 + 2048 + 100, output)
    })
}

pub fn used(input: u64, output: u64) -> Event<'static> {
    Event::Usage(Usage::new(input, output))
}
