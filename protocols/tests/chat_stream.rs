//! Streamed chat answers as recorded, read through the splitter as a gateway
//! reads them, cut at every byte.

use bytes::Bytes;
use weir_protocols::openai::output::Output;
use weir_protocols::openai::usage::{self, Usage};
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
    let mut learned = Learned::default();
    for chunk in chunks {
        splitter.feed(chunk);
        while let Some(event) = splitter.next_event().expect("within the limit") {
            let data = event.data();
            learned.events += 1;
            if let Some(output) = Output::parse(&data) {
                output.for_each_text(&mut |_, text| learned.output += text.len());
            }
            learned.done |= usage::is_done(&data);
            if let Some(found) = usage::from_chunk(&data) {
                assert!(learned.usage.replace((found.usage, found.only)).is_none());
            }
        }
    }
    assert_eq!(splitter.finish(), Tail::Nothing);
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
        prompt_tokens: 14,
        completion_tokens: 9,
        total_tokens: 23,
        cached_tokens: Some(0),
        reasoning_tokens: Some(0),
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
