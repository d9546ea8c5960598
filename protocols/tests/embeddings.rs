//! OpenAI's embeddings, read and written.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use weir_protocols::llm::{FaultKind, Usage};
use weir_protocols::openai::embeddings::{Answer, Encoding, Input, answer, request};

#[test]
fn a_request_is_read_whatever_it_embeds() {
    for (input, expected, tokens) in [
        (r#""one \"two\"""#, Input::Text("one \"two\"".into()), None),
        (
            r#"["a","b"]"#,
            Input::Texts(vec!["a".into(), "b".into()]),
            None,
        ),
        ("[1,20,300]", Input::Tokens(vec![1, 20, 300]), Some(3)),
        (
            "[[1,2],[],[3]]",
            Input::TokenLists(vec![vec![1, 2], vec![], vec![3]]),
            Some(3),
        ),
    ] {
        let body = format!(r#"{{"input":{input},"model":"e","extra":1}}"#);
        let read = request::read(body.as_bytes()).expect("it is a request");
        assert_eq!(read.input, expected);
        assert_eq!(read.input.tokens(), tokens);
        assert_eq!((&*read.model, &body[read.model_range]), ("e", "\"e\""));
        assert_eq!((read.dimensions, read.encoding), (None, Encoding::Float));
        assert_eq!(read.unknown, ["extra"]);
    }
    let body =
        br#"{"model":"e","input":["a","b"],"dimensions":8,"encoding_format":"base64","user":"u"}"#;
    let read = request::read(body).expect("it is a request");
    assert_eq!(
        (read.dimensions, read.encoding),
        (Some(8), Encoding::Base64)
    );
    assert_eq!((read.user.as_deref(), read.input.count()), (Some("u"), 2));
    assert!(!format!("{read:?}").contains("\"a\""));
}

#[test]
fn a_wrong_request_is_a_fault_that_says_where() {
    use FaultKind::{Duplicate, Missing, OutOfRange, WrongType};
    for (body, path, kind) in [
        (r#"{"input":"a"}"#, "model", Missing),
        (r#"{"model":"e"}"#, "input", Missing),
        (r#"{"model":"e","input":[]}"#, "input", Missing),
        (r#"{"model":"e","input":{}}"#, "input", WrongType),
        (r#"{"model":"e","input":["a",1]}"#, "input[1]", WrongType),
        (r#"{"model":"e","input":[1,"a"]}"#, "input[1]", WrongType),
        (
            r#"{"model":"e","input":[[1,-1]]}"#,
            "input[0][1]",
            WrongType,
        ),
        (
            r#"{"model":"e","input":[4294967296]}"#,
            "input[0]",
            OutOfRange,
        ),
        (r#"{"model":"e","input":[null]}"#, "input[0]", WrongType),
        (
            r#"{"model":"e","input":"a","dimensions":0}"#,
            "dimensions",
            OutOfRange,
        ),
        (
            r#"{"model":"e","input":"a","encoding_format":"hex"}"#,
            "encoding_format",
            OutOfRange,
        ),
        (
            r#"{"model":"e","model":"f","input":"a"}"#,
            "model",
            Duplicate,
        ),
    ] {
        let fault = request::read(body.as_bytes()).expect_err(body);
        assert_eq!(
            (fault.path.as_str(), fault.kind),
            (path, kind),
            "{body}: {fault}"
        );
    }
}

#[test]
fn a_request_of_our_own_is_written() {
    let body = request::write("e", &["a", "b\n"], Some(4), Encoding::Base64);
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(
        body,
        json!({"model": "e", "input": ["a", "b\n"], "dimensions": 4, "encoding_format": "base64"})
    );
    let body = request::write("e", &[], None, Encoding::Float);
    assert_eq!(
        body,
        br#"{"model":"e","input":[],"encoding_format":"float"}"#
    );
}

#[test]
fn vectors_are_read_in_both_encodings_and_in_the_order_of_their_texts() {
    let body = br#"{"object":"list","model":"e-1","data":[
        {"object":"embedding","index":1,"embedding":"AACAPwAAAMA="},
        {"object":"embedding","index":0,"embedding":[0.5, -0.25]}],
        "usage":{"prompt_tokens":7,"total_tokens":7}}"#;
    let read = answer::read(body).expect("it is an answer");
    assert_eq!(read.vectors, [vec![0.5, -0.25], vec![1.0, -2.0]]);
    assert_eq!(read.model.as_deref(), Some("e-1"));
    assert_eq!(read.usage, Some(Usage::new(7, 0)));
    let terse = answer::read(br#"{"data":[{"embedding":[1]},{"embedding":[]}]}"#);
    let terse = terse.expect("it is an answer");
    assert_eq!(
        (terse.vectors, terse.usage),
        (vec![vec![1.0], vec![]], None)
    );
}

#[test]
fn what_is_no_answer_is_malformed() {
    for (body, why) in [
        (r#"[]"#, "no JSON object"),
        (r#"{}"#, "another shape"),
        (r#"{"data":[{"index":0}]}"#, "another shape"),
        (r#"{"data":[{"embedding":{}}]}"#, "another shape"),
        (r#"{"data":[{"embedding":["a"]}]}"#, "another shape"),
        (r#"{"data":[{"embedding":"AAAA"}]}"#, "no base64 of floats"),
        (r#"{"data":[{"embedding":"AACAfw=="}]}"#, "not finite"),
        (r#"{"data":[{"embedding":[1e300]}]}"#, "embedding"),
        (r#"{"data":[{"index":1,"embedding":[]}]}"#, "too large"),
        (
            r#"{"data":[{"index":0,"embedding":[]},{"index":0,"embedding":[]}]}"#,
            "same index",
        ),
    ] {
        let malformed = answer::read(body.as_bytes()).expect_err(body);
        assert!(malformed.why.contains(why), "{body}: {malformed}");
    }
}

#[test]
fn an_answer_is_written_as_client_libraries_want_it() {
    let answer = Answer {
        model: None,
        vectors: vec![vec![0.1, 1.0]],
        usage: Some(Usage::new(3, 0)),
    };
    let mut out = Vec::new();
    answer::write(&mut out, &answer, "smart", Encoding::Float);
    assert_eq!(
        String::from_utf8_lossy(&out),
        concat!(
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,1.0]}],"#,
            r#""model":"smart","usage":{"prompt_tokens":3,"total_tokens":3}}"#
        )
    );
    out.clear();
    answer::write(&mut out, &answer, "smart", Encoding::Base64);
    let text = String::from_utf8_lossy(&out);
    assert!(text.contains(r#""embedding":"zczMPQAAgD8=""#), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn vectors_come_back_to_the_bit(
        vectors in vec(vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO, 0..20), 0..4),
        base64 in any::<bool>(),
    ) {
        let encoding = if base64 { Encoding::Base64 } else { Encoding::Float };
        let answer = Answer { model: Some("e".into()), vectors, usage: Some(Usage::new(1, 0)) };
        let mut out = Vec::new();
        answer::write(&mut out, &answer, "other", encoding);
        prop_assert_eq!(answer::read(&out).expect("it was just written"), answer);
    }

    #[test]
    fn nothing_panics(data in vec(any::<u8>(), 0..200), text in "[A-Za-z0-9+/=]{0,24}") {
        let _ = request::read(&data).is_ok() | answer::read(&data).is_ok();
        let body = format!(r#"{{"data":[{{"embedding":"{text}"}}]}}"#);
        if let Ok(read) = answer::read(body.as_bytes()) {
            prop_assert!(read.vectors[0].len() * 4 <= text.len());
        }
    }
}
