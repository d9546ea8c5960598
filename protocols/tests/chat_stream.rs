//! Streamed chat answers as recorded, read through the splitter as a gateway
//! reads them, cut at every byte.

use bytes::Bytes;
use weir_protocols::llm::{Event, Usage};
use weir_protocols::openai::completion::Reader;
use weir_protocols::openai::usage;
use weir_protocols::sse::{Splitter, Tail};

/// What a gateway learns of a stream.
#[derive(Debug, Default, PartialEq)]
struct Learned {
    events: usize,
    output: usize,
    usage: Option<(Usage, bool)>,
    done: bool,
}

fn read(chunks: [Bytes; 2]) -> Learned {
    let mut splitter = Splitter::new(64 * 1024);
    let (mut reader, mut learned) = (Reader::new("seed"), Learned::default());
    for chunk in chunks {
        splitter.feed(chunk);
        while let Some(event) = splitter.next_event().expect("within the limit") {
            let data = event.data();
            learned.events += 1;
            let read = reader.read(&data, &mut |event| match event {
                Event::Text { text, .. } | Event::Reasoning { text, .. } => {
                    learned.output += text.len();
                }
                Event::Call { name, .. } => learned.output += name.len(),
                Event::Arguments { json, .. } => learned.output += json.len(),
                _ => {}
            });
            read.expect("a chunk");
            learned.done |= usage::is_done(&data);
            if let Some(found) = usage::from_chunk(&data) {
                assert!(learned.usage.replace((found.usage, found.only)).is_none());
            }
        }
    }
    assert_eq!(splitter.finish(), Tail::Nothing);
    assert_eq!(reader.is_complete(), learned.done);
    learned
}

fn check(transcript: &'static [u8], expected: &Learned) {
    let transcript = Bytes::from_static(transcript);
    for cut in 0..=transcript.len() {
        let halves = [transcript.slice(..cut), transcript.slice(cut..)];
        assert_eq!(read(halves), *expected, "cut at {cut}");
    }
}

#[test]
fn text_with_a_usage_report() {
    let text = "The  weir holds \"usage\": b\u{e4}ck.\n";
    let usage = Usage {
        input: 14,
        output: 9,
        total: 23,
        cache_written: None,
        cached: Some(0),
        reasoning: Some(0),
    };
    check(
        include_bytes!("golden/openai_text.sse"),
        &Learned {
            events: 10,
            output: text.len(),
            usage: Some((usage, true)),
            done: true,
        },
    );
}

#[test]
fn tool_calls_without_usage_leave_an_estimate() {
    check(
        include_bytes!("golden/openai_tools_crlf.sse"),
        &Learned {
            events: 7,
            output: "Look it up.find{\"q\":\"weir\"}".len(),
            usage: None,
            done: true,
        },
    );
}
