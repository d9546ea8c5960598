//! What is not parsed because it is shaped as what came before it.

#[path = "../fuzz/checks_mould.rs"]
mod checks;

use checks::{Dialect, Pair, Was, chat, contents, events, messages, mould, responses};

/// Reads a stream, and after each event the same with one byte of it changed, in every place; how
/// many were not parsed.
fn check(dialect: Dialect, stream: &[u8]) -> usize {
    let (all, mut cast) = (events(stream), 0);
    for (at, event) in all.iter().enumerate() {
        let begin = || {
            let mut pair = Pair::new(dialect);
            for event in &all[..=at] {
                pair.read(event);
            }
            pair
        };
        let mut pair = begin();
        for place in 0..event.raw.len() {
            for byte in [b'"', b'\\', b'x', b'}', 0, b'\n', 0xc3] {
                let was = pair.changed(event, place, byte);
                cast += was.iter().filter(|was| !was.parsed).count();
                if was.iter().any(|was| was.malformed) {
                    pair = begin();
                }
                pair.read(event);
            }
        }
    }
    cast
}

#[test]
fn what_is_not_parsed_says_what_parsing_it_would_have_said() {
    let padded = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n\
        data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"We\"}}],\"obfuscation\":\"hq\"}\n\n";
    let cases: [(Dialect, &[u8]); 8] = [
        (chat, padded),
        (chat, include_bytes!("golden/openai_text.sse")),
        (chat, include_bytes!("golden/openai_tools_crlf.sse")),
        (messages, include_bytes!("golden/anthropic/text.sse")),
        (messages, include_bytes!("golden/anthropic/thinking.sse")),
        (messages, include_bytes!("golden/anthropic/overloaded.sse")),
        (responses, include_bytes!("golden/responses/reasoning.sse")),
        (responses, include_bytes!("golden/responses/multiline.sse")),
    ];
    for (dialect, stream) in cases {
        let shown = String::from_utf8_lossy(stream);
        assert!(check(dialect, stream) > 0, "{shown}");
    }
}

#[test]
fn what_says_more_than_a_text_is_parsed() {
    // Each event of Gemini's reports usage.
    let texts = include_bytes!("golden/gemini/text.sse");
    assert_eq!(check(contents, texts), 0);
}

#[test]
fn a_text_after_another_is_not_parsed() {
    let event = |text: &str, padding: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}],\
             \"obfuscation\":\"{padding}\"}}\n\n"
        )
    };
    let said = [
        ("A", "Hq9d"),
        ("weir", "z"),
        ("\u{6f22}", ""),
        ("holds\\nback", "x"),
        ("it", ""),
    ];
    let stream: String = said
        .iter()
        .map(|(text, padding)| event(text, padding))
        .collect();
    let mut pair = Pair::new(chat);
    let read: Vec<Was> = events(stream.as_bytes())
        .iter()
        .map(|event| pair.read(event))
        .collect();
    let parsed: Vec<bool> = read.iter().map(|was| was.parsed).collect();
    // The first begins the stream, the second is learned from; what is escaped is read.
    assert_eq!(parsed, [true, true, false, true, true]);
}

#[test]
fn events_may_be_numbered() {
    let start = r#"data: {"type":"response.created","sequence_number":0,"response":{"id":"r"}}"#;
    let delta = |number: &str, text: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\
             \"output_index\":0,\"content_index\":0,\"delta\":\"{text}\"}}\n\n"
        )
    };
    let mut stream = format!("{start}\n\n");
    for (number, text) in [("8", "A"), ("9", " weir"), ("10", " holds"), ("011", "?")] {
        stream += &delta(number, text);
    }
    let mut pair = Pair::new(responses);
    let read: Vec<Was> = events(stream.as_bytes())
        .iter()
        .map(|event| pair.read(event))
        .collect();
    let parsed: Vec<bool> = read.iter().map(|was| was.parsed).collect();
    assert_eq!(parsed, [true, true, false, false, true]);
    assert!(read[4].malformed, "no number begins with a zero");
}

#[test]
fn a_mark_at_the_start_of_a_stream_is_not_part_of_its_shape() {
    for place in 0..=255 {
        mould(&[&[place, b'"'], &b"\xef\xbb\xbfdata: {}\n\n"[..]].concat());
    }
}
