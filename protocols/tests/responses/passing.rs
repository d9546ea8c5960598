//! Requests that pass through: read at a glance and edited in place; and what holds for any bytes.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use weir_protocols::llm::FaultKind;
use weir_protocols::openai::chat::Splice;
use weir_protocols::openai::responses::Skim;

use crate::checks;

fn edited(body: &'static str, bound: u64) -> String {
    let skim = Skim::parse(body.as_bytes()).expect("a request");
    let mut splice = Splice::new(Bytes::from_static(body.as_bytes()));
    skim.aim(&mut splice, "gpt-5");
    skim.bound(&mut splice, bound);
    String::from_utf8(splice.finish().to_vec()).expect("UTF-8")
}

#[test]
fn a_request_is_aimed_and_bounded_and_else_left_alone() {
    for (body, after) in [
        (
            r#"{ "input":"hi","model" : "smart" }"#,
            r#"{"max_output_tokens":50, "input":"hi","model" : "gpt-5" }"#,
        ),
        (
            r#"{"model":"smart","max_output_tokens":null}"#,
            r#"{"model":"gpt-5","max_output_tokens":50}"#,
        ),
        (
            r#"{"model":"smart","max_output_tokens":51}"#,
            r#"{"model":"gpt-5","max_output_tokens":50}"#,
        ),
        (
            r#"{"model":"smart","max_output_tokens":49,"conversation":"conv_1"}"#,
            r#"{"model":"gpt-5","max_output_tokens":49,"conversation":"conv_1"}"#,
        ),
    ] {
        assert_eq!(edited(body, 50), after);
    }
}

#[test]
fn a_glance_finds_what_is_decided_by() {
    let body = r#"{"model":"a\"b","stream":true,"input":[{"model":"no"}],"max_output_tokens":9}"#;
    let skim = Skim::parse(body.as_bytes()).expect("a request");
    assert_eq!(skim.model, "a\"b");
    assert!(skim.stream);
    let at = |range: std::ops::Range<usize>| &body[range];
    assert_eq!(at(skim.model_range), r#""a\"b""#);
    assert_eq!(skim.stream_range.map(at), Some("true"));
    assert_eq!(skim.input.map(at), Some(r#"[{"model":"no"}]"#));
    let limit = skim.limit.expect("there is one");
    assert_eq!((limit.tokens, at(limit.range)), (Some(9), "9"));
}

#[test]
fn what_could_be_read_in_two_ways_is_a_fault() {
    for (body, path, kind) in [
        (&b"{}"[..], "model", FaultKind::Missing),
        (b"{\"model\":\"\"}", "model", FaultKind::Missing),
        (b"{\"model\":7}", "model", FaultKind::WrongType),
        (b"{\"model\":\"\\ud800\"}", "model", FaultKind::Syntax),
        (
            b"{\"model\":\"a\",\"model\":\"b\"}",
            "model",
            FaultKind::Duplicate,
        ),
        (
            b"{\"model\":\"a\",\"stream\":1}",
            "stream",
            FaultKind::WrongType,
        ),
        (
            b"{\"model\":\"a\",\"max_output_tokens\":-1}",
            "max_output_tokens",
            FaultKind::WrongType,
        ),
        (
            b"{\"model\":\"a\",\"max_output_tokens\":99999999999999999999}",
            "max_output_tokens",
            FaultKind::OutOfRange,
        ),
        (b"[]", "", FaultKind::WrongType),
        (b"{", "", FaultKind::Syntax),
        (b"{\"\xff\":1}", "", FaultKind::NotUtf8),
    ] {
        let fault = Skim::parse(body).expect_err("it is a fault");
        assert_eq!((fault.path.as_str(), fault.kind), (path, kind), "{fault}");
    }
}

const MEMBERS: &[&str] = &[
    r#""model":"m""#,
    r#""model":"a\"b""#,
    r#""input":"hi""#,
    r#""input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"data:image/png;base64,AA=="}]},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"e"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"r"}]}]"#,
    r#""instructions":"be \u00e4""#,
    r#""tools":[{"type":"function","name":"f","parameters":{"type":"object"}},{"type":"function","name":"g"}]"#,
    r#""tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}"#,
    r#""tool_choice":"required""#,
    r#""text":{"format":{"type":"json_schema","name":"n","schema":{}}}"#,
    r#""reasoning":{"effort":"low"}"#,
    r#""max_output_tokens":300"#,
    r#""max_output_tokens":null"#,
    r#""stream":true"#,
    r#""temperature":0.1"#,
    r#""unknown":{"model":[1,{"stream":2}]}"#,
];

/// An object with a model, input and some other members, in any order.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let members = (
        select(&MEMBERS[..2]),
        select(&MEMBERS[2..4]),
        subsequence(&MEMBERS[4..], 0..6),
    );
    members
        .prop_flat_map(|(model, input, others)| {
            Just([vec![model, input], others].concat()).prop_shuffle()
        })
        .prop_map(|members| format!("{{{}}}", members.join(", ")).into_bytes())
}

const PIECES: &[&[u8]] = &[
    br#"data: {"type":"response.created","response":{"id":"resp_1","model":"m"}}"#,
    br#"data: {"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}"#,
    br#"data: {"type":"response.output_item.added","output_index":1,"item":{"type":"message"}}"#,
    br#"data: {"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\":"}"#,
    br#"data: {"type":"response.output_text.delta","delta":"t\u00e4xt"}"#,
    br#"data: {"type":"response.refusal.delta","delta":"no"}"#,
    br#"data: {"type":"response.reasoning_summary_text.delta","delta":"hm"}"#,
    br#"data: {"type":"response.output_item.done","output_index":2,"item":{"type":"reasoning","id":"rs_redacted_1","encrypted_content":"e"}}"#,
    br#"data: {"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","name":"f","arguments":"{}"}}"#,
    br#"data: {"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":2}}}"#,
    br#"data: {"type":"response.failed","response":{"error":{"code":"server_error"}}}"#,
    br#"data: {"type":"error","message":"x"}"#,
    b"data: [DONE]",
    b"event: response.completed",
    b"\n\n",
    b"\n\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\n",
];

/// Pieces of a stream, with a byte of noise now and then.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => select(PIECES).prop_map(|piece| [piece, &b"\n\n"[..]].concat()),
        4 => select(PIECES).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

const ITEMS: &[&str] = &[
    r#"{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"b"}]}"#,
    r#"{"type":"message","content":null}"#,
    r#"{"type":"message","content":[{"type":"output_audio"}]}"#,
    r#"{"type":"reasoning","summary":[{"text":"s"},{"text":"t"}]}"#,
    r#"{"type":"reasoning","id":"rs_redacted_1","encrypted_content":"e"}"#,
    r#"{"type":"reasoning","content":[{"text":"c"}],"encrypted_content":"e"}"#,
    r#"{"type":"function_call","name":"f","arguments":{"a":1}}"#,
    r#"{"type":"function_call","call_id":"c","name":"g","arguments":"{","extra_content":{"google":{"thought_signature":"s"}}}"#,
    r#"{"type":"web_search_call","summary":7,"content":{}}"#,
    "{}",
];

const ENDS: &[&str] = &[
    r#""status":"completed""#,
    r#""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}"#,
    r#""status":"incomplete","incomplete_details":[]"#,
    r#""status":"failed""#,
    r#""id":"resp_1","model":"m","usage":{"input_tokens":1,"output_tokens":2,"input_tokens_details":{"cached_tokens":1}}"#,
];

/// A response of some items, ended in some way.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    (vec(select(ITEMS), 0..6), select(ENDS)).prop_map(|(items, end)| {
        let items = items.join(",");
        format!(r#"{{"output":[{items}],{end}}}"#).into_bytes()
    })
}

/// What is published, with one byte of it changed.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let published = [
        &include_bytes!("../golden/responses/request.json")[..],
        include_bytes!("../golden/responses/answer.json"),
        include_bytes!("../golden/responses/terse.sse"),
    ];
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (select(published.to_vec()), change).prop_map(|(published, (at, byte))| {
        let mut data = published.to_vec();
        let at = at.index(data.len());
        data[at] = byte;
        data
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn requests_hold(data in request()) {
        checks::responses(&data);
    }

    #[test]
    fn streams_hold(data in stream()) {
        checks::responses(&data);
    }

    #[test]
    fn answers_hold(data in answer()) {
        checks::responses(&data);
    }

    #[test]
    fn what_is_nearly_published_holds(data in nearly()) {
        checks::responses(&data);
    }

    #[test]
    fn noise_holds(data in vec(any::<u8>(), 0..400)) {
        checks::responses(&data);
    }
}

/// Prefixes of what is published hold too.
#[test]
fn prefixes_hold() {
    for data in [
        &include_bytes!("../golden/responses/request.json")[..],
        include_bytes!("../golden/responses/answer.json"),
    ] {
        for end in (0..data.len()).step_by(16).chain([data.len()]) {
            checks::responses(&data[..end]);
        }
    }
    checks::responses(include_bytes!("../golden/responses/tools_crlf.sse"));
    checks::responses(include_bytes!("../golden/responses/reasoning.sse"));
}
