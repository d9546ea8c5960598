//! Requests: what is written, what is refused, what is dropped and told.

mod refused;
mod thinking;

use proptest::prelude::*;
use serde_json::{Value, json};
use weir_protocols::bedrock::request::write;
use weir_protocols::llm::{
    Choose, Format, Json, Media, Message, Part, Request, Role, Source, Tool, ToolCall, ToolResult,
    Written,
};

const CLAUDE: &str = "anthropic.claude-3-5-sonnet-20240620-v1:0";
const LLAMA: &str = "meta.llama3-1-70b-instruct-v1:0";

fn body(written: &Written) -> Value {
    serde_json::from_slice(&written.body).expect("it is JSON")
}

fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Message<'a> {
    Message {
        role,
        name: None,
        parts,
    }
}

fn media<'a>(source: Source<'a>, media_type: Option<&'a str>, name: Option<&'a str>) -> Media<'a> {
    Media {
        source,
        media_type: media_type.map(Into::into),
        detail: None,
        name: name.map(Into::into),
    }
}

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    })
}

fn result<'a>(id: &'a str, parts: Vec<Part<'a>>, is_error: bool) -> Part<'a> {
    Part::ToolResult(ToolResult {
        id: id.into(),
        name: None,
        parts,
        is_error,
    })
}

fn tool(name: &str) -> Tool<'_> {
    Tool {
        name: name.into(),
        description: None,
        parameters: None,
        strict: None,
    }
}

/// One user's turn of this one part.
fn asking<'a>(model: &'a str, part: Part<'a>) -> Request<'a> {
    Request {
        messages: vec![turn(Role::User, vec![part])],
        ..Request::new(model)
    }
}

fn hello(model: &str) -> Request<'_> {
    asking(model, Part::Text("Hello".into()))
}

fn full() -> Request<'static> {
    let weather = Tool {
        description: Some("Tells the weather.".into()),
        parameters: Json::parse(r#"{"type":"object","properties":{"city":{"type":"string"}}}"#),
        strict: Some(true),
        ..tool("weather")
    };
    let image = |data: &'static str| Part::Image(media(Source::Base64(data.into()), None, None));
    let pdf = Source::Base64("JVBERi0xLjc=".into());
    let mut request = hello(CLAUDE);
    request.instructions = vec![
        Part::CachePoint,
        Part::Text("Be brief.".into()),
        Part::Text("  ".into()),
        Part::CachePoint,
    ];
    request.messages = vec![
        turn(Role::User, vec![Part::Text("What is in it?".into())]),
        turn(
            Role::User,
            vec![
                image("iVBORw0KGgoAAA=="),
                Part::Document(media(pdf, Some("application/pdf"), Some("report.pdf"))),
                Part::Document(media(Source::Text("Hello".into()), None, None)),
                Part::CachePoint,
            ],
        ),
        turn(
            Role::Assistant,
            vec![
                Part::Reasoning {
                    text: "Hm.".into(),
                    signature: Some("c2ln".into()),
                },
                Part::Reasoning {
                    text: "Unsigned.".into(),
                    signature: None,
                },
                Part::Redacted("RW5j".into()),
                Part::Text("I look.".into()),
                call("call_1", "weather", r#"{"city":"Bern"}"#),
                call("a.b", "time", ""),
            ],
        ),
        turn(
            Role::User,
            vec![
                Part::Text("And?".into()),
                result(
                    "call_1",
                    vec![Part::Text("sunny".into()), image("/9j/4AAQ")],
                    false,
                ),
            ],
        ),
        turn(Role::Assistant, vec![Part::Text(" \n".into())]),
        turn(
            Role::User,
            vec![result("a.b", vec![Part::Text("".into())], true)],
        ),
    ];
    request.tools = vec![weather, tool("time")];
    request.choose = Some(Choose::Tool("weather".into()));
    request.format = Format::Schema {
        name: Some("reply".into()),
        description: Some("A reply.".into()),
        schema: Json::parse(r#"{"type": "object"}"#).expect("JSON"),
        strict: Some(true),
    };
    request.limit = Some(4000);
    request.stop = vec!["END".into()];
    request.sampling.temperature = Some(0.5);
    request.sampling.top_p = Some(0.9);
    request.sampling.top_k = Some(40);
    request
}

#[test]
fn everything_converse_has_words_for_is_written() {
    let written = write(&full()).expect("it can be said");
    let expected: Value =
        serde_json::from_str(include_str!("../../golden/bedrock/request.json")).expect("JSON");
    assert_eq!(body(&written), expected);
    assert_eq!(written.dropped, ["reasoning_content", "cache_control"]);
}

#[test]
fn a_small_request_is_small() {
    let written = write(&hello(LLAMA)).expect("it can be said");
    assert_eq!(
        String::from_utf8(written.body).expect("UTF-8"),
        r#"{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}"#
    );
    assert!(written.dropped.is_empty());
}

fn say(request: &mut Request<'static>, part: Part<'static>) {
    request.messages.push(turn(Role::User, vec![part]));
}

fn answer(request: &mut Request<'static>, part: Part<'static>) {
    request.messages.push(turn(Role::Assistant, vec![part]));
}

fn png() -> Media<'static> {
    media(Source::Base64("iVBORw0KGgo=".into()), None, None)
}

fn image(source: Source<'static>, media_type: Option<&'static str>) -> Part<'static> {
    Part::Image(media(source, media_type, None))
}

#[test]
fn no_tools_are_declared_where_none_may_be_called() {
    let mut request = hello(CLAUDE);
    request.tools = vec![tool("f")];
    request.choose = Some(Choose::None);
    assert_eq!(
        body(&write(&request).expect("it can be said")).get("toolConfig"),
        None
    );
    for (choose, said) in [
        (None, Value::Null),
        (Some(Choose::Auto), Value::Null),
        (Some(Choose::Any), json!({ "any": {} })),
    ] {
        request.choose = choose;
        let body = body(&write(&request).expect("it can be said"));
        assert_eq!(body["toolConfig"]["toolChoice"], said);
    }
}

#[test]
fn images_and_documents_are_known_by_their_bytes_or_their_type() {
    for (data, media_type, format) in [
        ("iVBORw0KGgo=", Some("image/jpeg"), "png"),
        ("/9j/4AAQ", None, "jpeg"),
        ("R0lGODlhAQ==", None, "gif"),
        ("UklGRgAAAABXRUJQ", None, "webp"),
        ("AAAA", Some("image/jpg; q=1"), "jpeg"),
    ] {
        let request = asking(CLAUDE, image(Source::Base64(data.into()), media_type));
        let body = body(&write(&request).expect("it can be said"));
        let image = &body["messages"][0]["content"][0]["image"];
        assert_eq!(
            *image,
            json!({ "format": format, "source": { "bytes": data } })
        );
    }
    for (media_type, name, format) in [
        (Some("text/csv; charset=utf-8"), Some("a.txt"), "csv"),
        (None, Some("notes.MD"), "md"),
        (Some("application/octet-stream"), Some("b.xlsx"), "xlsx"),
    ] {
        let part = Part::Document(media(Source::Base64("AAAA".into()), media_type, name));
        let body = body(&write(&asking(CLAUDE, part)).expect("it can be said"));
        assert_eq!(
            body["messages"][0]["content"][0]["document"]["format"],
            format
        );
    }
}

proptest! {
    #[test]
    fn texts_and_calls_arrive_as_they_were(
        said in "\\PC{0,40}",
        id in "\\PC{0,80}",
        arguments in "\\PC{0,40}",
    ) {
        let mut request = hello(CLAUDE);
        request.tools = vec![tool("f")];
        request.messages = vec![
            turn(Role::User, vec![Part::Text(said.clone().into()), Part::Text("x".into())]),
            turn(Role::Assistant, vec![call(&id, "f", &arguments)]),
            turn(Role::User, vec![result(&id, vec![Part::Text(said.clone().into())], false)]),
        ];
        let body = body(&write(&request).expect("it can be said"));
        let messages = &body["messages"];
        let blank = said.trim().is_empty();
        prop_assert_eq!(&messages[0]["content"][0]["text"], if blank { "x" } else { &*said });
        let used = &messages[1]["content"][0]["toolUse"];
        let result = &messages[2]["content"][0]["toolResult"];
        prop_assert_eq!(&used["toolUseId"], &result["toolUseId"]);
        let fitted = used["toolUseId"].as_str().expect("a string");
        let fits = fitted.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        prop_assert!(fits && (1..=64).contains(&fitted.len()));
        prop_assert!(used["input"].is_object());
        let content = result["content"].as_array().map(Vec::len);
        prop_assert_eq!(content, Some(usize::from(!blank)));
    }
}
