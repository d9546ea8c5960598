//! What must hold for any bytes whatsoever that are read as Anthropic's dialect: nothing panics,
//! what is written reads back as it was, and a stream does not depend on how it arrives.

use bytes::Bytes;
use weir_protocols::anthropic::request::{Defaults, Thinking};
use weir_protocols::anthropic::{answer, error, request, stream};
use weir_protocols::llm::{Envelope, Event, Usage};
use weir_protocols::sse::Splitter;

const ENVELOPE: Envelope<'static> = Envelope {
    id: "0",
    model: "m",
    created: 0,
};

/// All that can be read as this dialect.
pub fn anthropic(data: &[u8]) {
    for thinking in [Thinking::Budget, Thinking::Adaptive] {
        for sampling in [true, false] {
            written_requests_stay(data, thinking, sampling);
        }
    }
    written_answers_stay(data);
    streams_do_not_depend_on_cuts(data);
    let mut out = Vec::new();
    error::write(&mut out, 500, &error::read(500, data), None, "r");
    assert_eq!(error::read(400, &out), error::read(500, data));
}

fn written_requests_stay(data: &[u8], thinking: Thinking, sampling: bool) {
    let Ok(request) = request::read(data) else {
        return;
    };
    assert!(request::read_for_count(data).is_ok());
    let defaults = Defaults {
        max_tokens: 4_096,
        thinking,
        sampling,
    };
    let Ok(written) = request::write(&request, &defaults) else {
        return;
    };
    let again = request::read(&written.body).expect("what is written can be read");
    assert!(again.unknown.is_empty());
    let twice = request::write(&again, &defaults).expect("what was written can be written");
    assert_eq!(
        String::from_utf8_lossy(&twice.body),
        String::from_utf8_lossy(&written.body)
    );
}

fn written_answers_stay(data: &[u8]) {
    let Ok(read) = answer::read(data, "s") else {
        return;
    };
    let mut written = Vec::new();
    answer::write(&mut written, &read, &ENVELOPE);
    let again = answer::read(&written, "s").expect("what is written can be read");
    let mut twice = Vec::new();
    answer::write(&mut twice, &again, &ENVELOPE);
    assert_eq!(
        String::from_utf8_lossy(&twice),
        String::from_utf8_lossy(&written)
    );
}

fn streams_do_not_depend_on_cuts(data: &[u8]) {
    let mut writer = stream::Writer::new(&ENVELOPE);
    let mut out = Vec::new();
    let whole = read_stream([Bytes::copy_from_slice(data)], &mut |event| {
        writer.write(event, &mut out);
    });
    let bytes = data.iter().map(|byte| Bytes::copy_from_slice(&[*byte]));
    assert_eq!(read_stream(bytes, &mut |_| {}), whole);

    let written = read_stream([Bytes::from(out)], &mut |_| {});
    assert!(!written.malformed, "what is written can be read");
    if whole.complete {
        assert!(written.complete || written.failed);
    }
    if written.complete {
        assert!(whole.complete);
        assert_eq!(written.said, whole.said);
        assert_eq!(written.calls, whole.calls);
        assert_eq!(
            written.usage.unwrap_or_default(),
            whole.usage.unwrap_or_default()
        );
    }
}

/// What a stream says, however it was cut into pieces.
#[derive(Debug, Default, PartialEq)]
struct Learned {
    /// Each kind's text: answer, thoughts, signatures, and what is encrypted.
    said: [String; 4],
    /// Id, name and arguments of every call.
    calls: Vec<[String; 3]>,
    usage: Option<Usage>,
    complete: bool,
    failed: bool,
    malformed: bool,
}

fn read_stream(
    chunks: impl IntoIterator<Item = Bytes>,
    each: &mut dyn FnMut(&Event<'_>),
) -> Learned {
    let mut splitter = Splitter::new(1 << 20);
    let mut reader = stream::Reader::new("s");
    let mut learned = Learned::default();
    'stream: for chunk in chunks {
        splitter.feed(chunk);
        while let Ok(Some(event)) = splitter.next_event() {
            let data = event.data();
            let read = reader.read((event.name(), &data), &mut |event| {
                learned.learn(&event);
                each(&event);
            });
            learned.malformed = read.is_err();
            if learned.malformed {
                break 'stream;
            }
        }
    }
    learned.complete = reader.is_complete() && !learned.malformed;
    learned
}

impl Learned {
    fn learn(&mut self, event: &Event<'_>) {
        match event {
            Event::Text { text, .. } | Event::Refusal { text, .. } => self.said[0] += text,
            Event::Reasoning { text, .. } => self.said[1] += text,
            Event::Signature { signature, .. } => self.said[2] += signature,
            Event::Redacted { data, .. } => self.said[3] += data,
            Event::Call {
                index, id, name, ..
            } => {
                assert_eq!(*index, self.calls.len() as u64, "numbered without gaps");
                let call = [id.to_string(), name.to_string(), String::new()];
                self.calls.push(call);
            }
            Event::Arguments { index, json, .. } => self.calls[*index as usize][2] += json,
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failed(_) => self.failed = true,
            _ => {}
        }
    }
}
