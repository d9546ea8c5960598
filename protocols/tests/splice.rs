//! Edits of chat requests: only the bytes aimed at change.

use bytes::Bytes;
use weir_protocols::openai::chat::{LimitField, Piece, Request, Splice};

fn parse(body: &str) -> Request<'_> {
    Request::parse(body.as_bytes()).expect(body)
}

/// A request with `members` beside a model and a message.
fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{members}}}"#)
}

/// Applies `edit` and gives the body after.
fn edited(body: &str, edit: impl FnOnce(&mut Splice<'static>, &Request<'_>)) -> String {
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    let request = parse(body);
    let mut splice = Splice::new(bytes);
    edit(&mut splice, &request);
    String::from_utf8(splice.finish().to_vec()).expect("text")
}

#[test]
fn without_edits_the_body_is_the_same() {
    let text = with(r#","stream":true,"stream_options":{"include_usage":true},"max_tokens":5"#);
    let body = Bytes::from(text.clone());
    let request = parse(&text);
    let mut splice = Splice::new(body.clone());
    splice
        .with_model(&request, "m")
        .with_usage_requested(&request)
        .with_max_tokens(&request, 5, LimitField::MaxTokens);
    assert_eq!(splice.finish().as_ptr(), body.as_ptr());
}

#[test]
fn the_model_is_replaced_and_escaped() {
    let body = " {\"messages\":[{\"role\":\"user\"}], \"model\" : \"m\" }";
    assert_eq!(
        edited(body, |splice, request| {
            splice.with_model(request, "a\"b");
        }),
        " {\"messages\":[{\"role\":\"user\"}], \"model\" : \"a\\\"b\" }"
    );
}

#[test]
fn usage_is_asked_for_wherever_it_must_stand() {
    let ask = |members: &str| {
        edited(&with(members), |splice, request| {
            splice.with_usage_requested(request);
        })
    };
    let asked = r#""stream_options":{"include_usage":true"#;
    assert_eq!(
        ask(r#","stream":true"#),
        with(r#","stream":true"#).replacen('{', &format!("{{{asked}}},"), 1)
    );
    for (before, after) in [
        (r#""stream_options":null"#, format!("{asked}}}")),
        (r#""stream_options":{}"#, format!("{asked}}}")),
        (r#""stream_options":{ }"#, format!("{asked} }}")),
        (r#""stream_options":{"x":1}"#, format!(r#"{asked},"x":1}}"#)),
        (
            r#""stream_options":{"include_usage":false}"#,
            format!("{asked}}}"),
        ),
        (
            r#""stream_options":{"include_usage":null}"#,
            format!("{asked}}}"),
        ),
    ] {
        assert_eq!(
            ask(&format!(r#","stream":true,{before}"#)),
            with(&format!(r#","stream":true,{after}"#))
        );
    }
    // Not a stream: the member would be refused by the provider.
    assert_eq!(ask(r#","stream":false"#), with(r#","stream":false"#));
}

#[test]
fn the_bound_is_written_unless_the_callers_is_lower() {
    let bound = |members: &str, field| {
        edited(&with(members), move |splice, request| {
            splice.with_max_tokens(request, 100, field);
        })
    };
    let completion = LimitField::MaxCompletionTokens;
    assert_eq!(
        bound("", completion),
        with("").replacen('{', "{\"max_completion_tokens\":100,", 1)
    );
    assert_eq!(
        bound("", LimitField::MaxTokens),
        with("").replacen('{', "{\"max_tokens\":100,", 1)
    );
    for (before, after) in [
        (r#","max_tokens":99"#, r#","max_tokens":99"#),
        (r#","max_tokens":101"#, r#","max_tokens":100"#),
        (
            r#","max_completion_tokens":500"#,
            r#","max_completion_tokens":100"#,
        ),
        (r#","max_tokens":null"#, r#","max_tokens":100"#),
        (
            r#","max_tokens":null,"max_completion_tokens":7"#,
            r#","max_tokens":null,"max_completion_tokens":7"#,
        ),
    ] {
        assert_eq!(bound(before, completion), with(after));
    }
}

#[test]
fn a_later_aim_takes_the_place_of_an_earlier() {
    let body = with(r#","max_tokens":50"#);
    let twice = edited(&body, |splice, request| {
        splice
            .with_model(request, "first")
            .with_max_tokens(request, 10, LimitField::MaxTokens)
            .with_model(request, "second")
            .with_max_tokens(request, 20, LimitField::MaxTokens);
    });
    assert_eq!(
        twice,
        body.replace("\"m\"", "\"second\"").replace("50", "20")
    );
    let back = edited(&body, |splice, request| {
        splice
            .with_model(request, "first")
            .with_max_tokens(request, 10, LimitField::MaxTokens)
            .with_model(request, "m")
            .with_max_tokens(request, 60, LimitField::MaxTokens);
    });
    assert_eq!(back, body);
}

#[test]
fn members_are_inserted_once_and_separated() {
    let inserted = |body: &'static [u8]| {
        let mut splice = Splice::new(Bytes::from_static(body));
        splice
            .insert_first_member("a", Piece::Number(1))
            .insert_first_member("b\"", Piece::String("x\n"))
            .insert_first_member("a", Piece::Raw(b"[]"));
        splice.finish()
    };
    assert_eq!(&*inserted(b"{}"), br#"{"b\"":"x\n","a":[]}"#);
    assert_eq!(
        &*inserted(b" { \n} "),
        b" {\"b\\\"\":\"x\\n\",\"a\":[] \n} "
    );
    assert_eq!(&*inserted(br#"{"c":0}"#), br#"{"b\"":"x\n","a":[],"c":0}"#);
    assert_eq!(&*inserted(b"[]"), b"[]");
}

#[test]
#[should_panic(expected = "inside the body")]
fn an_edit_beyond_the_body_is_a_bug_of_the_caller() {
    Splice::new(Bytes::from_static(b"{}")).replace(1..3, Piece::Number(1));
}

#[test]
fn a_limit_is_called_as_the_server_calls_it() {
    let named = |members: &str, bound: Option<u64>| {
        edited(&with(members), |splice, request| {
            splice.with_limit_called(request, LimitField::MaxTokens);
            if let Some(bound) = bound {
                splice.with_max_tokens(request, bound, LimitField::MaxTokens);
            }
        })
    };
    for (before, bound, after) in [
        (
            r#","max_completion_tokens": 7"#,
            None,
            r#","max_tokens": 7"#,
        ),
        (
            r#","max_completion_tokens" : 7"#,
            Some(5),
            r#","max_tokens" : 5"#,
        ),
        (r#","max_tokens":7"#, None, r#","max_tokens":7"#),
        (
            r#","max_tokens":null,"max_completion_tokens":7"#,
            None,
            r#","max_tokens":null,"max_completion_tokens":7"#,
        ),
        (r#","stop":"x""#, None, r#","stop":"x""#),
    ] {
        assert_eq!(named(before, bound), with(after));
    }
}
