//! Requests: read, written, and read again.

use proptest::prelude::*;
use weir_protocols::gemini::request;
use weir_protocols::llm::{
    Choose, FaultKind, Format, Json, Media, Message, Part, Reasoning, Request, Role, Source, Tool,
    ToolCall, ToolResult,
};

fn text(text: &str) -> Part<'_> {
    Part::Text(text.into())
}

fn media<'a>(source: Source<'a>, media_type: &'a str) -> Media<'a> {
    Media {
        source,
        media_type: Some(media_type.into()),
        detail: None,
        name: None,
    }
}

fn returned<'a>(id: &'a str, name: &'a str, said: &'a str, is_error: bool) -> Part<'a> {
    Part::ToolResult(ToolResult {
        id: id.into(),
        name: Some(name.into()),
        parts: vec![text(said)],
        is_error,
    })
}

fn called<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> ToolCall<'a> {
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    }
}

fn published() -> Vec<Message<'static>> {
    let message = |role, parts| Message {
        role,
        name: None,
        parts,
    };
    let thought = Part::Reasoning {
        text: "Hm.".into(),
        signature: None,
    };
    let signed = ToolCall {
        signature: Some("CsQB0e+/AA==".into()),
        ..called("call_0", "find", r#"{"q": "weir"}"#)
    };
    let pdf = Source::File("gs://bucket/a.pdf".into());
    let jpeg = Source::Url("https://example.com/b.jpg?x=1".into());
    vec![
        message(
            Role::User,
            vec![
                text("What is this?"),
                Part::Image(media(Source::Base64("+/8=".into()), "image/png")),
                Part::Document(media(pdf, "application/pdf")),
                Part::Image(media(jpeg, "image/jpeg")),
            ],
        ),
        message(
            Role::Assistant,
            vec![
                thought,
                Part::ToolCall(signed),
                Part::ToolCall(called("fc-2", "now", "{}")),
            ],
        ),
        message(
            Role::User,
            vec![
                returned("fc-2", "now", "no clock", true),
                returned("call_0", "find", r#"{"hits": [1]}"#, false),
            ],
        ),
        message(Role::User, vec![text("Go on.")]),
    ]
}

fn check_published(body: &[u8]) {
    let request = request::read(body, "models/gemini-2.5-pro", true).expect("a request");
    assert_eq!(&*request.model, "gemini-2.5-pro");
    assert_eq!(request.instructions, [text("Be brief.")]);
    assert_eq!(request.messages, published());
    let names: Vec<&str> = request.tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["find", "now"]);
    let parameters = request.tools[0].parameters.as_ref().map(Json::get);
    let expected = concat!(
        r#"{"properties":{"q":{"type":["string","null"]}},"#,
        r#""required":["q"],"type":"object"}"#
    );
    assert_eq!(parameters, Some(expected));
    assert_eq!(request.choose, Some(Choose::Any));
    assert_eq!((request.limit, request.choices), (Some(100), 2));
    assert_eq!(request.stop, ["END"]);
    assert_eq!(request.reasoning, Some(Reasoning::Budget(512)));
    let sampling = &request.sampling;
    assert_eq!((sampling.top_k, sampling.seed), (Some(40), Some(7)));
    assert_eq!(sampling.frequency_penalty, Some(-0.2));
    let Format::Schema { schema, .. } = &request.format else {
        panic!("a schema: {:?}", request.format)
    };
    assert_eq!(
        schema.get(),
        r#"{"items":{"type":"string"},"type":"array"}"#
    );
    assert!(request.stream && request.stream_usage);
    let unknown = [
        "safetySettings",
        "labels",
        "generationConfig.mediaResolution",
    ];
    assert_eq!(request.unknown, unknown);
}

#[test]
fn a_request_is_read_in_either_case() {
    check_published(include_bytes!("../golden/gemini/request.json"));
    check_published(include_bytes!("../golden/gemini/request_snake.json"));
}

#[test]
fn a_request_survives_being_written() {
    let body = include_bytes!("../golden/gemini/request.json");
    let mut request = request::read(body, "gemini-2.5-pro", false).expect("a request");
    let written = request::write(&request).expect("it can be said");
    assert_eq!(written.dropped, ["reasoning of earlier turns"]);
    let again = request::read(&written.body, "gemini-2.5-pro", false).expect("a request");
    // All but the thought is there again, to the last space of its JSON.
    request.messages[1].parts.remove(0);
    assert_eq!(again.messages, request.messages);
    assert_eq!((again.tools, again.choose), (request.tools, request.choose));
    assert_eq!(
        (again.format, again.sampling),
        (request.format, request.sampling)
    );
    assert_eq!(
        (again.stop, again.reasoning),
        (request.stop, request.reasoning)
    );
    assert_eq!(again.instructions, request.instructions);
    assert!(again.unknown.is_empty());
}

#[test]
fn a_request_looks_as_published() {
    let mut request = Request::new("gemini-3-pro-preview");
    let parameters = Json::parse(r#"{"type":"object","$defs":{}}"#);
    request.tools = vec![Tool {
        name: "f".into(),
        description: Some("F.".into()),
        parameters,
        strict: Some(true),
    }];
    let turn = |role, parts| Message {
        role,
        name: None,
        parts,
    };
    let unnamed = Part::ToolResult(ToolResult {
        id: "c2".into(),
        name: None,
        parts: vec![
            text("a"),
            Part::Image(media(Source::Base64("AAAA".into()), "image/png")),
        ],
        is_error: false,
    });
    let calls = vec![
        Part::ToolCall(called("c1", "f", "{\"x\":1}")),
        Part::ToolCall(called("c2", "g", "")),
    ];
    request.messages = vec![
        turn(Role::User, vec![text("Go")]),
        turn(Role::Assistant, calls),
        turn(Role::User, vec![text("Here"), unnamed]),
        turn(Role::User, vec![returned("c1", "f", "bad", true)]),
    ];
    request.reasoning = Some(Reasoning::Off);
    let written = request::write(&request).expect("it can be said");
    assert_eq!(
        String::from_utf8_lossy(&written.body),
        concat!(
            r#"{"contents":[{"role":"user","parts":[{"text":"Go"}]},"#,
            r#"{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{"x":1}},"#,
            r#""thoughtSignature":"skip_thought_signature_validator"},"#,
            r#"{"functionCall":{"id":"c2","name":"g","args":{}}}]},"#,
            r#"{"role":"user","parts":[{"functionResponse":{"id":"c2","name":"g","#,
            r#""response":{"result":"a"},"parts":[{"inlineData":{"mimeType":"image/png","#,
            r#""data":"AAAA"}}]}},{"functionResponse":{"id":"c1","name":"f","#,
            r#""response":{"error":"bad"}}}]},{"role":"user","parts":[{"text":"Here"}]}],"#,
            r#""tools":[{"functionDeclarations":[{"name":"f","description":"F.","#,
            r#""parametersJsonSchema":{"type":"object","$defs":{}}}]}],"#,
            r#""toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}},"#,
            r#""generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}}}"#
        )
    );
}

#[test]
fn faults_in_turns_say_where() {
    let part = |part: &str| format!(r#"{{"contents":[{{"parts":[{part}]}}]}}"#);
    faults(&[
        ("[]".to_owned(), "", FaultKind::WrongType),
        ("{}".to_owned(), "contents", FaultKind::Missing),
        (
            r#"{"contents":[]}"#.to_owned(),
            "contents",
            FaultKind::Missing,
        ),
        (part("{}"), "contents[0].parts[0]", FaultKind::Missing),
        (
            part(r#"{"executableCode":{}}"#),
            "contents[0].parts[0].executableCode",
            FaultKind::OutOfRange,
        ),
        (
            part(r#"{"text":"a","functionCall":{"name":"f"}}"#),
            "contents[0].parts[0]",
            FaultKind::Conflict,
        ),
        (
            part(r#"{"functionCall":{"args":{}}}"#),
            "contents[0].parts[0].functionCall.name",
            FaultKind::Missing,
        ),
        (
            part(r#"{"inlineData":{"mimeType":"video/mp4","data":""}}"#),
            "contents[0].parts[0].inlineData.mimeType",
            FaultKind::OutOfRange,
        ),
        (
            part(r#"{"fileData":{"fileUri":"gs://a/b"}}"#),
            "contents[0].parts[0].fileData.mimeType",
            FaultKind::Missing,
        ),
        (
            part(r#"{"inlineData":{},"inline_data":{}}"#),
            "contents[0].parts[0].inline_data",
            FaultKind::Duplicate,
        ),
        (
            r#"{"contents":[{"role":"system","parts":[]}]}"#.to_owned(),
            "contents[0].role",
            FaultKind::OutOfRange,
        ),
    ]);
}

#[test]
fn faults_around_them_say_where() {
    let turns = r#""contents":[{"parts":[{"text":"a"}]}]"#;
    let top = |more: &str| format!("{{{turns},{more}}}");
    let config = |more: &str| top(&format!(r#""generationConfig":{{{more}}}"#));
    faults(&[
        (
            top(r#""model":"models/other""#),
            "model",
            FaultKind::Conflict,
        ),
        (
            top(r#""tools":[{"googleSearch":{}}]"#),
            "tools[0].googleSearch",
            FaultKind::OutOfRange,
        ),
        (
            top(
                r#""toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}"#,
            ),
            "toolConfig.functionCallingConfig.allowedFunctionNames[0]",
            FaultKind::OutOfRange,
        ),
        (
            config(r#""thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}"#),
            "generationConfig.thinkingConfig.thinkingLevel",
            FaultKind::Conflict,
        ),
        (
            config(r#""responseMimeType":"text/x.enum""#),
            "generationConfig.responseMimeType",
            FaultKind::OutOfRange,
        ),
        (
            config(r#""responseModalities":["IMAGE"]"#),
            "generationConfig.responseModalities[0]",
            FaultKind::OutOfRange,
        ),
        (
            config(r#""responseSchema":{}"#),
            "generationConfig",
            FaultKind::Conflict,
        ),
        (
            config(r#""topK":1.5"#),
            "generationConfig.topK",
            FaultKind::WrongType,
        ),
        (
            config(r#""logprobs":3"#),
            "generationConfig.logprobs",
            FaultKind::Conflict,
        ),
    ]);
}

/// Bodies, and the fault of each.
fn faults(table: &[(String, &str, FaultKind)]) {
    for (body, path, kind) in table {
        let fault = request::read(body.as_bytes(), "m", false).expect_err(body);
        let found = (fault.path.as_str(), fault.kind);
        assert_eq!(found, (*path, *kind), "{body}: {fault}");
    }
}

#[test]
fn what_a_client_sends_in_pieces_is_put_together() {
    let body = r#"{"contents":[{"role":"model","parts":[
        {"text":"on","thought":true},{"text":"e","thought":true}]},{"role":"model","parts":[
        {"text":"","thought":true,"thoughtSignature":"weS0ab-_"}]},{"role":"model","parts":[
        {"text":"two","thought":true},{"text":""},{"text":"three"},
        {"thoughtSignature":"AAAA"}]}]}"#;
    let request = request::read(body.as_bytes(), "m", false).expect("a request");
    let thought = |text: &'static str, signature: Option<&'static str>| Part::Reasoning {
        text: text.into(),
        signature: signature.map(Into::into),
    };
    assert_eq!(request.messages.len(), 1);
    assert_eq!(
        request.messages[0].parts,
        [
            thought("one", Some("ab+/")),
            thought("two", None),
            text("three")
        ]
    );
}

fn words() -> impl Strategy<Value = String> {
    "\\PC{1,12}"
}

fn part() -> impl Strategy<Value = Part<'static>> {
    let call = (words(), "[a-z]{1,4}", words()).prop_map(|(id, name, value)| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: serde_json::json!({ "a": value }).to_string().into(),
            signature: Some("AAAA".into()),
        })
    });
    let image = "([A-Za-z0-9+/]{4}){0,4}".prop_map(|data| {
        Part::Image(Media {
            source: Source::Base64(data.into()),
            media_type: Some("image/png".into()),
            detail: None,
            name: None,
        })
    });
    prop_oneof![
        words().prop_map(|text| Part::Text(text.into())),
        call,
        image
    ]
}

proptest! {
    #[test]
    fn any_conversation_survives(turns in prop::collection::vec(prop::collection::vec(part(), 1..4), 1..5)) {
        let mut request = Request::new("gemini-2.5-flash");
        request.messages = turns
            .into_iter()
            .zip([Role::User, Role::Assistant].into_iter().cycle())
            .map(|(parts, role)| Message { role, name: None, parts })
            .collect();
        let written = request::write(&request).expect("it can be said");
        let again = request::read(&written.body, "gemini-2.5-flash", false).expect("a request");
        prop_assert_eq!(again.messages, request.messages);
    }
}
