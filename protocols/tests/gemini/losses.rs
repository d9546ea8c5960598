//! What the dialect cannot say: refused, or dropped and told.

use weir_protocols::gemini::request;
use weir_protocols::llm::{
    Choose, Effort, Format, Json, Media, Message, Part, Reasoning, Request, Role, Source, Tool,
    ToolResult,
};

fn asking(part: Part<'static>) -> Request<'static> {
    let mut request = Request::new("gemini-2.5-pro");
    request.messages.push(Message {
        role: Role::User,
        name: None,
        parts: vec![part],
    });
    request
}

fn plain() -> Request<'static> {
    asking(Part::Text("hi".into()))
}

fn image(source: Source<'static>, media_type: Option<&'static str>) -> Part<'static> {
    Part::Image(Media {
        source,
        media_type: media_type.map(Into::into),
        detail: None,
        name: None,
    })
}

fn result(name: Option<&'static str>, parts: Vec<Part<'static>>) -> Part<'static> {
    Part::ToolResult(ToolResult {
        id: "nobody".into(),
        name: name.map(Into::into),
        parts,
        is_error: false,
    })
}

fn tool(strict: bool) -> Tool<'static> {
    Tool {
        name: "f".into(),
        description: None,
        parameters: None,
        strict: Some(strict),
    }
}

fn body(request: &Request<'_>) -> String {
    let written = request::write(request).expect("it can be said");
    String::from_utf8(written.body).expect("it is text")
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let bytes = || Source::Base64("AAAA".into());
    let mut probable = plain();
    probable.logprobs = Some(0);
    let mut stops = plain();
    stops.stop = vec!["a".into(); 6];
    for (request, path) in [
        (probable, "logprobs"),
        (stops, "stop"),
        (Request::new("m"), "messages"),
        (asking(Part::Text("".into())), "messages"),
        (asking(image(bytes(), None)), "messages[0]"),
        (
            asking(image(Source::Url("ftp://a/b.png".into()), None)),
            "messages[0]",
        ),
        (
            asking(image(Source::Url("data:".into()), None)),
            "messages[0]",
        ),
        (
            asking(image(Source::File("file-123".into()), None)),
            "messages[0]",
        ),
        (asking(result(None, Vec::new())), "messages[0]"),
        (
            asking(result(Some("f"), vec![image(bytes(), Some("image/png"))])),
            "messages[0]",
        ),
        (
            asking(result(Some("f"), vec![result(Some("f"), Vec::new())])),
            "messages[0]",
        ),
    ] {
        let refused = request::write(&request).expect_err(path);
        assert_eq!(refused.path, path, "{refused}");
    }
}

#[test]
fn what_only_tunes_is_dropped_and_told() {
    type Change = fn(&mut Request<'static>);
    let changes: [(&str, Change); 10] = [
        ("logit_bias", |r| {
            r.sampling.logit_bias = Some(Json::empty_object())
        }),
        ("seed", |r| r.sampling.seed = Some(i64::MAX)),
        ("user", |r| r.user = Some("u".into())),
        ("name", |r| r.messages[0].name = Some("n".into())),
        ("parallel_tool_calls", |r| {
            r.parallel_tool_calls = Some(false);
            r.tools.push(tool(false));
        }),
        ("tools.strict", |r| {
            r.tools.extend([tool(true), tool(false)]);
        }),
        ("reasoning of earlier turns", |r| {
            r.messages[0].parts.push(Part::Redacted("AAAA".into()));
        }),
        ("response_format.description", |r| {
            r.format = Format::Schema {
                name: None,
                description: Some("d".into()),
                schema: Json::empty_object(),
                strict: None,
            };
        }),
        ("reasoning", |r| {
            r.model = "gemini-2.0-flash".into();
            r.reasoning = Some(Reasoning::Adaptive);
        }),
        ("detail", |r| {
            r.messages[0].parts.push(Part::Image(Media {
                source: Source::Url("https://a/b".into()),
                media_type: None,
                detail: Some("low".into()),
                name: None,
            }));
        }),
    ];
    let clean = request::write(&plain()).expect("it can be said");
    assert!(clean.dropped.is_empty());
    for (name, change) in changes {
        let mut request = plain();
        change(&mut request);
        let written = request::write(&request).expect("it can be said");
        assert_eq!(written.dropped, [name]);
    }
}

#[test]
fn thinking_is_asked_for_as_the_generation_takes_it() {
    for (model, reasoning, expected) in [
        (
            "gemini-2.5-flash",
            Reasoning::Off,
            r#"{"thinkingBudget":0}"#,
        ),
        (
            "gemini-2.5-flash",
            Reasoning::Effort(Effort::Max),
            r#"{"includeThoughts":true,"thinkingBudget":24576}"#,
        ),
        (
            "gemini-2.5-pro",
            Reasoning::Effort(Effort::Max),
            r#"{"includeThoughts":true,"thinkingBudget":32768}"#,
        ),
        (
            "gemini-2.5-pro",
            Reasoning::Adaptive,
            r#"{"includeThoughts":true,"thinkingBudget":-1}"#,
        ),
        (
            "gemini-3-flash",
            Reasoning::Off,
            r#"{"thinkingLevel":"MINIMAL"}"#,
        ),
        ("gemini-3-pro", Reasoning::Off, r#"{"thinkingLevel":"LOW"}"#),
        (
            "gemini-3-pro",
            Reasoning::Effort(Effort::Medium),
            r#"{"includeThoughts":true,"thinkingLevel":"MEDIUM"}"#,
        ),
        (
            "gemini-3-pro",
            Reasoning::Budget(u64::MAX),
            r#"{"includeThoughts":true,"thinkingBudget":2147483647}"#,
        ),
        (
            "gemini-flash-latest",
            Reasoning::Adaptive,
            r#"{"includeThoughts":true}"#,
        ),
    ] {
        let mut request = plain();
        request.model = model.into();
        request.reasoning = Some(reasoning);
        let body = body(&request);
        let expected = format!(r#""generationConfig":{{"thinkingConfig":{expected}}}}}"#);
        assert!(body.ends_with(&expected), "{model} {reasoning:?}: {body}");
    }
}

#[test]
fn a_choice_of_tools_is_said_in_its_own_words() {
    for (choose, strict, expected) in [
        (Some(Choose::Auto), false, r#"{"mode":"AUTO"}"#),
        (Some(Choose::None), true, r#"{"mode":"NONE"}"#),
        (Some(Choose::Any), true, r#"{"mode":"ANY"}"#),
        (None, true, r#"{"mode":"VALIDATED"}"#),
        (
            Some(Choose::Tool("f".into())),
            false,
            r#"{"mode":"ANY","allowedFunctionNames":["f"]}"#,
        ),
    ] {
        let mut request = plain();
        request.tools.push(tool(strict));
        request.choose = choose.clone();
        let text = body(&request);
        assert!(text.contains(expected), "{choose:?}: {text}");
        let written = request::write(&request).expect("it can be said");
        assert!(written.dropped.is_empty(), "{choose:?}");
        let again = request::read(text.as_bytes(), "gemini-2.5-pro", false).expect("a request");
        assert_eq!(again.choose, choose.or(Some(Choose::Auto)));
    }
    let mut without = plain();
    without.choose = Some(Choose::None);
    assert!(!body(&without).contains("toolConfig"));
}
