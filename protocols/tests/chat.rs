//! Chat requests: what is read of them, what is refused and where.

use bytes::Bytes;
use weir_protocols::llm::prompt::{Detail, Part, Prompt as _};
use weir_protocols::openai::chat::{Fault, Kind, LimitField, Request, Splice};

fn parse(body: &str) -> Request<'_> {
    Request::parse(body.as_bytes()).expect(body)
}

fn fault(body: &str) -> Fault {
    Request::parse(body.as_bytes()).expect_err(body)
}

/// A request with `members` beside a model and a message.
fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{members}}}"#)
}

fn texts(body: &str) -> Vec<String> {
    let mut texts = Vec::new();
    parse(body).for_each_part(&mut |part| match part {
        Part::Text(text) | Part::Name(text) | Part::Json(text) => texts.push(text.to_owned()),
        Part::Tools(json) | Part::Functions(json) | Part::ResponseFormat(json) => {
            texts.push(json.to_owned());
        }
        Part::Tokens(_) | Part::Call | Part::Image(_) | Part::Attachment => {}
    });
    texts
}

#[test]
fn a_plain_request_is_read() {
    let body = with("");
    let request = parse(&body);
    assert_eq!(request.model, "m");
    assert_eq!(&body[request.model_range.clone()], "\"m\"");
    assert!(!request.stream && !request.include_usage);
    assert_eq!((request.stream_options, request.output_limit), (None, None));
    assert_eq!(
        (request.n, request.messages_len, request.attachments),
        (1, 1, 0)
    );
    assert_eq!(
        &body[request.messages],
        r#"[{"role":"user","content":"hi"}]"#
    );
    assert_eq!(request.tools, None);
}

#[test]
fn everything_a_gateway_reads_is_found() {
    let body = with(
        r#","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens": 50 ,
        "n":3,"tools":[{"type":"function"}],"user":{"model":"not this"},"seed":-1.5e3"#,
    );
    let request = parse(&body);
    assert!(request.stream && request.include_usage);
    let options = request.stream_options.expect("there");
    assert_eq!(&body[options], r#"{"include_usage":true}"#);
    let limit = request.output_limit.expect("there");
    assert_eq!(
        (limit.field, limit.tokens),
        (LimitField::MaxCompletionTokens, 50)
    );
    assert_eq!(&body[limit.range], "50");
    assert_eq!(request.n, 3);
    assert_eq!(
        &body[request.tools.expect("there")],
        r#"[{"type":"function"}]"#
    );
}

#[test]
fn keys_and_names_are_unescaped() {
    let body = r#"{"mod\u0065l":"gpt\u002d4o \"x\"","messages":[{"r\u006fle":"user"}]}"#;
    let request = parse(body);
    assert_eq!(request.model, "gpt-4o \"x\"");
    assert_eq!(&body[request.model_range], r#""gpt\u002d4o \"x\"""#);
}

#[test]
fn null_is_as_if_left_out() {
    let body = with(
        r#","stream":null,"stream_options":null,"max_tokens":null,"max_completion_tokens":9,"n":null,"tools":null"#,
    );
    let request = parse(&body);
    assert!(!request.stream && request.tools.is_none());
    assert_eq!(
        (request.n, request.output_limit.map(|limit| limit.tokens)),
        (1, Some(9))
    );
}

#[test]
fn every_text_the_model_reads_is_given() {
    let body = r#"{"model":"m","messages":[
        {"role":"system","content":"be\nbrief","name":"s"},
        {"role":"user","content":[{"type":"text","text":"see \u00e4"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},
            {"text":"late","type":"text"}]},
        {"role":"assistant","content":null,"refusal":null,"tool_calls":[
            {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
            {"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]},
        {"role":"assistant","function_call":{"name":"h","arguments":{"b":2}},"audio":{"id":"a"}},
        {"role":"tool","tool_call_id":"c1","content":"\ud800"}],
        "tools":[{"type":"function"}],"response_format":{"type":"json_object"}}"#;
    assert_eq!(
        texts(body),
        [
            "system",
            "be\nbrief",
            "s",
            "user",
            "see ä",
            "late",
            "assistant",
            "f",
            "{\"a\":1}",
            "g",
            "x",
            "assistant",
            "h",
            "{\"b\":2}",
            "tool",
            "c1",
            "\\ud800",
            "[{\"type\":\"function\"}]",
            "{\"type\":\"json_object\"}"
        ]
    );
    let request = parse(body);
    assert_eq!((request.messages_len, request.attachments), (5, 2));
}

#[test]
fn images_and_calls_are_told_apart_from_text() {
    let body = r#"{"model":"m","messages":[
        {"role":"user","name":"ann","content":[
            {"type":"image_url","image_url":{"url":"data:image\/png;base64,AA","detail":"low"}},
            {"type":"image_url","image_url":"https://a.example/b"},
            {"type":"image_url","image_url":{"url":"x","url":"y","detail":"high"}},
            {"type":"image_url","image_url":{"detail":"high","detail":"low"}},
            {"type":"image_url","image_url":[1]},
            {"type":"input_audio","input_audio":{"data":"AA"}}]},
        {"role":"assistant","function_call":{"name":"h"},"tool_calls":[{"function":{}},{}]}]}"#;
    let mut images = Vec::new();
    let (mut calls, mut attachments, mut names) = (0, 0, 0);
    let request = parse(body);
    request.for_each_part(&mut |part| match part {
        Part::Image(image) => images.push((image.url.map(str::to_owned), image.detail)),
        Part::Call => calls += 1,
        Part::Attachment => attachments += 1,
        Part::Name(name) => names += usize::from(name == "ann"),
        _ => {}
    });
    let url = |url: &str| Some(url.to_owned());
    assert_eq!(
        images,
        [
            (url("data:image\\/png;base64,AA"), Detail::Low),
            (url("https://a.example/b"), Detail::Auto),
            (None, Detail::High),
            (None, Detail::Other),
            (None, Detail::Other),
        ]
    );
    assert_eq!((calls, attachments, names), (3, 1, 1));
    assert_eq!(request.attachments, 6);
}

#[test]
fn the_bound_leaves_attachments_out_but_nothing_else() {
    let payload = format!(r#"{{"url":"data:{}"}}"#, "A".repeat(5000));
    let body = |part: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#)
    };
    let image = body(&format!(r#"{{"type":"image_url","image_url":{payload}}}"#));
    assert_eq!(parse(&image).text_bytes(), image.len() - payload.len());
    // A part of a kind not known here is an attachment, and bytes as well.
    let unknown = body(&format!(r#"{{"type":"poem","poem":{payload}}}"#));
    assert_eq!(parse(&unknown).attachments, 1);
    assert_eq!(parse(&unknown).text_bytes(), unknown.len());
}

#[test]
fn a_part_that_contradicts_itself_is_an_attachment() {
    for (part, attachments) in [
        (r#"{"type":"text","text":"x"}"#, 0),
        (r#"{"type":"refusal","refusal":"x"}"#, 0),
        (r#"{"type":"text","text":"x","image_url":{"url":"u"}}"#, 1),
        (r#"{"type":"image_url","type":"text","text":"x"}"#, 1),
        (r#"{"text":"x"}"#, 1),
        (r#"{"type":"file","file":{},"input_audio":{}}"#, 2),
    ] {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{part},{{"type":"text"}}]}}]}}"#
        );
        assert_eq!(parse(&body).attachments, attachments, "{part}");
    }
}

#[test]
fn a_key_that_decides_may_stand_only_once() {
    for (members, path) in [
        (r#","model":"m""#, "model"),
        (r#","mode\u006c":"m""#, "model"),
        (r#","stream":true,"stream":true"#, "stream"),
        (r#","max_tokens":1,"max_tokens":2"#, "max_tokens"),
        (
            r#","stream_options":{},"stream_options":null"#,
            "stream_options",
        ),
        (r#","messages":[]"#, "messages"),
        (r#","n":1,"n":128"#, "n"),
        (
            r#","stream_options":{"include_usage":true,"include_usage":false}"#,
            "stream_options.include_usage",
        ),
    ] {
        let fault = fault(&with(members));
        assert_eq!((fault.kind, &*fault.path), (Kind::Duplicate, path));
    }
}

/// A whole body, or members to put beside a model and a message; the path and
/// the problem of the fault.
const WRONG_TYPES: &[(&str, &str, &str)] = &[
    (
        r#","stream":"true""#,
        "stream",
        "expected a boolean, found a string",
    ),
    (
        r#","stream":1"#,
        "stream",
        "expected a boolean, found a number",
    ),
    (
        r#","max_tokens":"9""#,
        "max_tokens",
        "expected a whole number, not negative, found a string",
    ),
    (
        r#","max_tokens":-1"#,
        "max_tokens",
        "expected a whole number, not negative, found a number",
    ),
    (
        r#","max_tokens":1.0"#,
        "max_tokens",
        "expected a whole number, not negative, found a number",
    ),
    (
        r#","n":true"#,
        "n",
        "expected a whole number, not negative, found a boolean",
    ),
    (
        r#","tools":{}"#,
        "tools",
        "expected an array, found an object",
    ),
    (
        r#","stream_options":{"include_usage":0}"#,
        "stream_options.include_usage",
        "expected a boolean, found a number",
    ),
    (
        r#","stream_options":[]"#,
        "stream_options",
        "an object must stand here, something else does",
    ),
    (
        r#"{"model":5,"messages":[{"role":"user"}]}"#,
        "model",
        "expected a string, found a number",
    ),
    (
        r#"{"model":"m","messages":"hi"}"#,
        "messages",
        "expected an array, found a string",
    ),
    (
        r#"{"model":"m","messages":[{"role":"user"},"secret"]}"#,
        "messages[1]",
        "an object must stand here, something else does",
    ),
    (
        r#"{"model":"m","messages":[{"role":7}]}"#,
        "messages[0].role",
        "expected a string, found a number",
    ),
    (
        r#"{"model":"m","messages":[{"role":"user","content":5}]}"#,
        "messages[0].content",
        "expected a string or an array of parts, found a number",
    ),
    (
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"},"b"]}]}"#,
        "messages[0].content[1]",
        "an object must stand here, something else does",
    ),
    (
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":null}]}]}"#,
        "messages[0].content[0].type",
        "expected a string, found null",
    ),
    (
        r#"{"model":"m","messages":[{"role":"user","tool_calls":"x"}]}"#,
        "messages[0].tool_calls",
        "expected an array of tool calls, found a string",
    ),
    (
        r#"{"model":"m","messages":[{"role":"user","function_call":[]}]}"#,
        "messages[0].function_call",
        "expected an object, found an array",
    ),
];

#[test]
fn wrong_types_are_refused_with_their_path() {
    for (body, path, problem) in WRONG_TYPES {
        let fault = match body.starts_with(',') {
            true => fault(&with(body)),
            false => fault(body),
        };
        assert_eq!(
            (fault.kind, &*fault.path, &*fault.problem),
            (Kind::WrongType, *path, *problem)
        );
        assert!(!fault.to_string().contains("secret"));
    }
}

#[test]
fn what_is_required_is_missed() {
    for (body, path) in [
        ("{}", "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"","messages":[]}"#, "model"),
        (r#"{"model":"m","messages":[]}"#, "messages"),
        (
            r#"{"model":"m","messages":[{"role":"user"},{"content":"x"}]}"#,
            "messages[1].role",
        ),
    ] {
        let fault = fault(body);
        assert_eq!((fault.kind, &*fault.path), (Kind::Missing, path), "{body}");
    }
}

#[test]
fn numbers_have_their_range() {
    let zero = fault(&with(r#","n":0"#));
    assert_eq!((zero.kind, &*zero.path), (Kind::OutOfRange, "n"));
    let huge = fault(&with(r#","max_tokens":18446744073709551616"#));
    assert_eq!((huge.kind, &*huge.path), (Kind::OutOfRange, "max_tokens"));
    let both = fault(&with(r#","max_tokens":1,"max_completion_tokens":1"#));
    assert_eq!(
        (both.kind, &*both.path),
        (Kind::Conflict, "max_completion_tokens")
    );
}

#[test]
fn what_is_not_json_is_refused_where_it_breaks() {
    for body in [
        "",
        "null",
        "[]",
        "\"x\"",
        "{",
        "{\"model\":\"m\"",
        "{}x",
        "{\"a\":01}",
        "{'a':1}",
        "{\"a\":\"\n\"}",
        "{\"a\":1,}",
        "\u{feff}{}",
        "{\"\\ud800\":1}",
        r#"{"model":"\ud800","messages":[{"role":"user"}]}"#,
        r#"{"model":"m","messages":[{"role":"user","\udc00":1}]}"#,
    ] {
        let fault = fault(body);
        assert!(
            matches!(fault.kind, Kind::Syntax | Kind::WrongType),
            "{body}: {fault}"
        );
    }
    let fault = fault("{\n  \"model\": \"m\",\n  \"stream\": yes\n}");
    assert_eq!(
        (fault.kind, fault.line, fault.column, fault.byte),
        (Kind::Syntax, 3, 13, 30)
    );
    assert_eq!(
        fault.to_string(),
        "not JSON: expected value (line 3, column 13, byte 30); send one JSON object"
    );
}

#[test]
fn what_is_not_utf8_is_refused_even_where_nobody_looks() {
    let mut body = with(r#","user":"?""#).into_bytes();
    let at = memchr::memchr(b'?', &body).expect("there");
    body[at] = 0xff;
    let fault = Request::parse(&body).expect_err("not UTF-8");
    assert_eq!((fault.kind, fault.byte), (Kind::NotUtf8, at));
}

#[test]
fn places_are_exact() {
    let body = "{\"model\":\"m\",\n \"messages\":[{\"role\":\"user\",\"content\":5}]}";
    let fault = fault(body);
    let line_start = body.find('\n').expect("two lines") + 1;
    let byte = body.find('5').expect("there");
    assert_eq!((fault.line, fault.byte), (2, byte));
    assert_eq!(fault.column, byte - line_start + 1);
}

#[test]
fn depth_costs_no_stack() {
    let deep = |open: &str| open.repeat(400_000);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let inner = if open == "[" { "" } else { "1" };
        let nest = format!("{}{inner}{}", deep(open), close.repeat(400_000));
        parse(&with(&format!(",\"x\":{nest}")));
        parse(&with(&format!(",\"tools\":[{nest}]")));
        assert!(Request::parse(deep(open).as_bytes()).is_err());
        let content =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{nest}]}}]}}"#);
        let answer = Request::parse(content.as_bytes());
        assert_eq!(answer.is_ok(), open != "[");
    }
}

#[test]
fn prompts_are_not_printed() {
    let body = with(r#","user":"s3cret""#).replace("hi", "s3cret");
    let splice = Splice::new(Bytes::from(body.clone()));
    assert!(!format!("{:?} {splice:?}", parse(&body)).contains("s3cret"));
}
