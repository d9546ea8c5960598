//! The fuzz targets' checks on generated input that is nearly right, which
//! gets deeper than noise does.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

#[path = "../fuzz/checks.rs"]
mod checks;

/// Concatenates up to `max` of `parts`, with a byte of noise now and then.
fn soup(parts: &'static [&'static [u8]], max: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => select(parts).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..max).prop_map(|pieces| pieces.concat())
}

const HEAD: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b HTTP/1.0\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://a/ HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"Host: a\r\n",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"X: some value\t\xff\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
];

const SSE: &[&[u8]] = &[
    b"data: one",
    b"data",
    b"event:x",
    b"id: 1",
    b": note",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r\n",
    b"\r",
    b"\r",
    b"\n\n",
    b"\xef\xbb\xbf",
];

const CHAT_MEMBERS: &[&str] = &[
    r#""model":"m""#,
    r#""model" : "a\"b""#,
    r#""messages":[{"role":"user","content":"hi\n"}]"#,
    r#""messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:"}}]},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]"#,
    r#""stream":true"#,
    r#""stream":null"#,
    r#""stream_options":{}"#,
    r#""stream_options":null"#,
    r#""stream_options":{"include_usage":false,"x":1}"#,
    r#""stream_options":{"x":1}"#,
    r#""max_tokens":3"#,
    r#""max_tokens":300"#,
    r#""max_tokens":null"#,
    r#""max_completion_tokens":50"#,
    r#""max_completion_tokens":null"#,
    r#""n":2"#,
    r#""tools":[{"type":"function"}]"#,
    r#""unknown":{"model":[1,{"stream":2}]}"#,
];

/// An object with a model, messages and some other members, in any order.
fn chat() -> impl Strategy<Value = Vec<u8>> {
    let members = (
        select(&CHAT_MEMBERS[..2]),
        select(&CHAT_MEMBERS[2..4]),
        subsequence(&CHAT_MEMBERS[4..], 0..5),
    );
    members
        .prop_flat_map(|(model, messages, others)| {
            let members = [vec![model, messages], others].concat();
            (
                Just(members).prop_shuffle(),
                select(&["", " ", "\r\n\t"][..]),
            )
        })
        .prop_map(|(members, space)| {
            let members = members.join(&format!("{space},{space}"));
            format!("{space}{{{members}}}{space}").into_bytes()
        })
}

const USAGE: &[&[u8]] = &[
    br#"{"choices":[],"usage":"#,
    br#"{"choices":[{"delta":{"content":"x"}}],"usage":"#,
    br#"{"prompt_tokens":1,"completion_tokens":2}"#,
    b"null",
    b"}",
    br#""usage""#,
    b":",
    b",",
    b" ",
];

const EVENT: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"",
    b"\"time\":\"2026-01-31T12:00:00Z\"",
    b"\"data\":",
    b"\"data_base64\":\"AAE=\"",
    b"\"datacontenttype\":\"text/plain\"",
    b"\"text\"",
    b"null",
    b"ce-specversion: 1.0\nce-id: 1\nce-source: /s\nce-type: t\n",
    b"ce-x: %C3%A4%",
    b"content-type: application/json",
    b"\n",
];

const IMAGE: &[&[u8]] = &[
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"GIF89a",
    b"\xff\xd8\xff",
    b"\xff\xe1\0\x04ab",
    b"\xff\xff",
    b"\xff\xc0\0\x11\x08",
    b"\xff\xc2",
    b"RIFF\0\0\0\0WEBP",
    b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a",
    b"VP8L\0\0\0\0\x2f",
    b"VP8X\0\0\0\0\0\0\0\0",
    b"\x01\0\x02\0",
    b"\0\0\0\0",
    b"data:;base64,",
    b"iVBORw0KGgoAAAANSUhEUg",
    b"\\/",
];

const GRPC_FRAMES: &[&[u8]] = &[
    b"\0\0\0\0\0",
    b"\0\0\0\0\x03abc",
    b"\x01\0\0\0\x02hi",
    b"\0\0\0\0\x0a\0\0\0\0\x05hello",
    b"\0\0\0\0\x07/\r\n%\xff=\x80",
];

const GRPC_TEXT: &[&[u8]] = &[
    b"AAAAAAA=",
    b"AAAAAAJoaQ==",
    b"AQAAAANhYmMAAAAAAQ==",
    b"YQ==",
    b"AAAAAANh",
    b"YmM=",
];

const GRPC_HEADERS: &[&[u8]] = &[
    b"%41",
    b"%e2%82%AC",
    b"%C3",
    b"%",
    b"\xff",
    b"/a.b",
    b"/",
    b".",
    b"application/grpc",
    b"-web",
    b"-text",
    b"+proto",
    b";",
    b"0",
    b"60",
    b"9999",
    b"H",
    b"m",
    b"n",
];

const TEXTS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\"messages\":",
    b"\"input\":",
    b"\"contents\":",
    b"\"system\":",
    b"\"model\":",
    b"\"role\":\"user\"",
    b"\"content\":",
    b"\"data\":",
    b"\"type\":\"text\"",
    b"\"arguments\":\"{\\\"a\\\":[\\\"b\\\"]}\"",
    b"\"a text\"",
    b"\"\\ud800\\n\"",
    b"{\"messages\":[{\"content\":",
    b"{\"input\":[",
    b"}]}",
    b"null",
    b"7",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn heads(data in soup(HEAD, 12)) {
        checks::head(&data);
    }

    #[test]
    fn event_streams(data in soup(SSE, 24)) {
        checks::sse(&data);
    }

    #[test]
    fn chat_requests(data in chat()) {
        checks::chat(&data);
    }

    #[test]
    fn usage_reports(data in soup(USAGE, 6)) {
        checks::usage(&data);
    }

    #[test]
    fn texts_of_calls(data in soup(TEXTS, 16)) {
        checks::texts(&data);
    }

    #[test]
    fn grpcs_frames(data in prop_oneof![
        soup(GRPC_FRAMES, 8),
        soup(GRPC_TEXT, 8),
        soup(GRPC_HEADERS, 6),
    ]) {
        checks::grpc(&data);
    }

    #[test]
    fn events(data in soup(EVENT, 16)) {
        checks::cloudevents(&data);
    }

    #[test]
    fn images(data in soup(IMAGE, 12)) {
        checks::image(&data);
    }

    #[test]
    fn noise(data in vec(any::<u8>(), 0..600)) {
        checks::mould(&data);
        checks::websocket(&data);
        checks::completion(&data);
        checks::responses(&data);
        checks::texts(&data);
        checks::anthropic(&data);
        checks::gemini(&data);
        checks::graphql(&data);
        checks::bedrock(&data);
        checks::grpc(&data);
        checks::embeddings(&data);
        checks::head(&data);
        checks::sse(&data);
        checks::chat(&data);
        checks::usage(&data);
        checks::image(&data);
        checks::template(&data);
        checks::transcode(&data);
        checks::cloudevents(&data);
    }
}
