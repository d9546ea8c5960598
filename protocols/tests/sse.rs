//! Event streams as providers and browsers know them, cut at every byte.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use weir_protocols::sse::{
    Event, LineBreak, Outgoing, Splitter, Tail, TooLong, write_comment, write_event,
};

/// Splits `stream`, fed whole and in two parts cut at every byte.
fn split(stream: &'static [u8]) -> (Vec<Event>, Tail) {
    let stream = Bytes::from_static(stream);
    let whole = split_chunks(vec![stream.clone()]);
    for cut in 0..stream.len() {
        let halves = vec![stream.slice(..cut), stream.slice(cut..)];
        assert_eq!(split_chunks(halves), whole, "cut at {cut}");
    }
    whole
}

fn split_chunks(chunks: Vec<Bytes>) -> (Vec<Event>, Tail) {
    let mut splitter = Splitter::new(1024);
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        while let Some(event) = splitter.next_event().expect("within the limit") {
            events.push(event);
        }
    }
    (events, splitter.finish())
}

fn payloads(events: &[Event]) -> Vec<Cow<'_, str>> {
    let text = |event| String::from_utf8(Event::data(event).into_owned()).expect("text");
    events.iter().map(|event| text(event).into()).collect()
}

#[test]
fn a_chat_stream_splits_into_its_chunks() {
    let (events, tail) = split(
        b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n\
          : OPENROUTER PROCESSING\n\n\
          data: {\"choices\":[],\"usage\":{}}\n\n\
          data: [DONE]\n\n",
    );
    assert_eq!(
        payloads(&events),
        [
            "{\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}",
            "",
            "{\"choices\":[],\"usage\":{}}",
            "[DONE]"
        ]
    );
    assert!(!events[1].has_data() && events[3].has_data());
    assert_eq!(&*events[1].raw, b": OPENROUTER PROCESSING\n\n");
    assert_eq!(tail, Tail::Nothing);
}

#[test]
fn all_line_ends_end_lines() {
    for (stream, raw) in [
        (
            &b"data: a\ndata: b\n\ndata: c\n\n"[..],
            &b"data: a\ndata: b\n\n"[..],
        ),
        (
            b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n",
            b"data: a\r\ndata: b\r\n\r\n",
        ),
        (b"data: a\rdata: b\r\rdata: c\r\r", b"data: a\rdata: b\r\r"),
        (
            b"data: a\r\ndata: b\n\rdata: c\r\n\n",
            b"data: a\r\ndata: b\n\r",
        ),
    ] {
        let (events, tail) = split(stream);
        assert_eq!(payloads(&events), ["a\nb", "c"], "{stream:?}");
        assert_eq!((&*events[0].raw, tail), (raw, Tail::Nothing));
    }
}

#[test]
fn a_stream_of_crs_is_not_held_back() {
    let mut splitter = Splitter::new(64);
    splitter.feed(Bytes::from_static(b"data: a\r\r"));
    let event = splitter.next_event().expect("short").expect("whole");
    assert_eq!(&*event.data(), b"a");
    // Should the CR have been half of CR LF after all, the LF is no event.
    splitter.feed(Bytes::from_static(b"\ndata: b\r\r"));
    let event = splitter.next_event().expect("short").expect("whole");
    assert_eq!(&*event.data(), b"b");
    assert_eq!(splitter.next_event(), Ok(None));
}

#[test]
fn a_last_cr_may_be_all_there_is() {
    let (events, tail) = split(b"data: a\r\n\r");
    assert!(events.is_empty());
    let Tail::Event(event) = tail else {
        panic!("{tail:?}")
    };
    assert_eq!(&*event.data(), b"a");
}

#[test]
fn what_never_ended_is_the_tail() {
    let (events, tail) = split(b"data: a\n\ndata: b\n");
    assert_eq!(payloads(&events), ["a"]);
    assert_eq!(tail, Tail::Unterminated(Bytes::from_static(b"data: b\n")));
    assert_eq!(split(b"").1, Tail::Nothing);
}

#[test]
fn a_byte_order_mark_counts_only_at_the_start() {
    let (events, _) = split(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n");
    assert_eq!(payloads(&events), ["a", ""]);
    let (events, _) = split(b"data: a\n\n\xef\xbb\xbf\ndata: b\n\n");
    assert_eq!(payloads(&events), ["a", "b"]);
    let (events, tail) = split(b"\xef\xbb\xbf\ndata: a\n\n");
    assert_eq!(
        (payloads(&events), tail),
        (vec!["".into(), "a".into()], Tail::Nothing)
    );
}

#[test]
fn fields_are_read_as_the_standard_says() {
    let (events, _) = split(
        b"event: first\nevent: update\nid: 7\nid: a\0b\ndata\ndata:  two\n:note\nretry: 10\ndata:x:y\n\n\
          event:\nid\ndata: z\n\n",
    );
    assert_eq!(payloads(&events), ["\n two\nx:y", "z"]);
    assert_eq!(events[0].name(), Some(&b"update"[..]));
    assert_eq!(events[0].id(), Some(&b"7"[..]));
    assert!(events[0].fields().any(|field| field == (b"retry", b"10")));
    assert_eq!((events[1].name(), events[1].id()), (None, Some(&b""[..])));
}

#[test]
fn an_event_inside_a_chunk_is_not_copied() {
    let chunk = Bytes::from(b"data: a\n\ndata: b\n\n".to_vec());
    let mut splitter = Splitter::new(64);
    splitter.feed(chunk.clone());
    for offset in [0, 9] {
        let event = splitter.next_event().expect("short").expect("whole");
        assert_eq!(event.raw.as_ptr(), chunk[offset..].as_ptr());
        assert!(matches!(event.data(), Cow::Borrowed(_)));
    }
}

#[test]
fn chunks_may_be_fed_ahead() {
    let mut splitter = Splitter::new(64);
    splitter.feed(Bytes::from_static(b"data: a\n\nda"));
    splitter.feed(Bytes::from_static(b"ta: b\n\n"));
    for data in [b"a", b"b"] {
        let event = splitter.next_event().expect("short").expect("whole");
        assert_eq!(&*event.data(), data);
    }
}

#[test]
fn the_limit_is_exact_and_final() {
    let stream = b"data: 12\n\ndata: 123\n\ndata: 1\n\n";
    for step in 1..=stream.len() {
        let mut splitter = Splitter::new(10);
        let mut answers = Vec::new();
        for chunk in stream.chunks(step) {
            splitter.feed(Bytes::from_static(chunk));
            while let Some(answer) = splitter.next_event().transpose() {
                let failed = answer.is_err();
                answers.push(answer.map(|event| event.raw.len()));
                if failed {
                    break;
                }
            }
        }
        answers.dedup();
        assert_eq!(
            answers,
            [Ok(10), Err(TooLong { max_event: 10 })],
            "steps of {step}"
        );
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut out = BytesMut::new();
    write_comment(&mut out, "keep\nalive");
    let event = Outgoing {
        name: Some("error"),
        id: Some("42"),
        retry: Some(500),
        data: b"one\r\ntwo\rthree\n",
    };
    write_event(&mut out, &event).expect("no line break");
    write_event(&mut out, &Outgoing::default()).expect("no line break");
    assert_eq!(
        &*out,
        b": keep\n: alive\n\nevent: error\nid: 42\nretry: 500\n\
          data: one\ndata: two\ndata: three\ndata: \n\ndata: \n\n"
    );
    let (events, tail) = split_chunks(vec![out.freeze()]);
    assert_eq!(payloads(&events), ["", "one\ntwo\nthree\n", ""]);
    assert_eq!(events[1].name(), Some(&b"error"[..]));
    assert_eq!(tail, Tail::Nothing);
}

#[test]
fn a_name_or_id_cannot_forge_fields() {
    let mut out = Vec::new();
    for (field, name, id) in [
        ("event", Some("a\ndata: forged"), None),
        ("event", Some("a\r"), None),
        ("id", None, Some("1\n")),
        ("id", Some("a"), Some("1\0")),
    ] {
        let event = Outgoing {
            name,
            id,
            ..Outgoing::default()
        };
        assert_eq!(write_event(&mut out, &event), Err(LineBreak { field }));
    }
    assert!(out.is_empty());
}
