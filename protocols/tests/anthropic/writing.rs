//! Requests of other dialects, written for Anthropic: what becomes of them, what is dropped and
//! what is refused.

use serde_json::{Value, json};
use weir_protocols::anthropic::request::{read, write};
use weir_protocols::llm::{
    Choose, Effort, Format, Json, Part, Reasoning, Request, Role, Source, ToolResult,
};

use crate::asked::{ADAPTIVE, asked, call, media, message, result, text, thought, tool, written};

#[test]
fn the_least_request_has_the_default_limit() {
    let (body, dropped) = written(&asked(), &ADAPTIVE);
    assert_eq!(
        body,
        json!({ "model": "claude", "max_tokens": 4096,
            "messages": [{ "role": "user", "content": [{ "type": "text", "text": "q" }] }] })
    );
    assert!(dropped.is_empty());
}

#[test]
fn turns_alternate_results_come_first_and_names_of_calls_fit() {
    let request = Request {
        instructions: vec![text("s"), Part::CachePoint, text("  ")],
        messages: vec![
            message(Role::User, vec![text("a")]),
            message(Role::User, vec![text(""), text("b"), Part::CachePoint]),
            message(Role::Assistant, vec![text(" ")]),
            message(Role::Assistant, vec![call("call.1"), thought(None)]),
            message(Role::User, vec![text("and?")]),
            message(Role::User, vec![result("call.1", "r")]),
        ],
        ..asked()
    };
    let (body, dropped) = written(&request, &ADAPTIVE);
    let mark = json!({ "type": "ephemeral" });
    assert_eq!(
        body["system"],
        json!([{ "type": "text", "text": "s", "cache_control": mark }])
    );
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [
                { "type": "text", "text": "a" },
                { "type": "text", "text": "b", "cache_control": mark }] },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "call_1", "name": "f", "input": {} }] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "call_1",
                    "content": [{ "type": "text", "text": "r" }] },
                { "type": "text", "text": "and?" }] },
        ])
    );
    assert_eq!(dropped, ["reasoning of earlier turns"]);
}

#[test]
fn a_conversation_may_begin_with_the_assistant() {
    let mut request = asked();
    let greeting = message(Role::Assistant, vec![text("Hello!")]);
    request.messages.insert(0, greeting);
    let (body, _) = written(&request, &ADAPTIVE);
    assert_eq!(body["messages"][0]["role"], "assistant");
}

#[test]
fn tools_and_their_choice() {
    let mut request = asked();
    request.tools = vec![
        tool("none", None),
        tool("untyped", Some(r#"{"properties":{}}"#)),
        tool("typed", Some(r#"{"type":"object","required":[]}"#)),
    ];
    request.tools[2].strict = Some(true);
    request.instructions = vec![Part::CachePoint];
    request.parallel_tool_calls = Some(false);
    let (body, _) = written(&request, &ADAPTIVE);
    assert_eq!(
        body["tools"],
        json!([
            { "name": "none", "input_schema": { "type": "object" } },
            { "name": "untyped", "input_schema": { "type": "object", "properties": {} } },
            { "name": "typed", "input_schema": { "type": "object", "required": [] },
                "strict": true, "cache_control": { "type": "ephemeral" } },
        ])
    );
    let chosen = |choose, parallel| {
        let request = Request {
            choose,
            parallel_tool_calls: parallel,
            tools: vec![tool("f", None)],
            ..asked()
        };
        written(&request, &ADAPTIVE).0["tool_choice"].clone()
    };
    assert_eq!(chosen(None, None), Value::Null);
    assert_eq!(chosen(None, Some(true)), Value::Null);
    assert_eq!(
        chosen(None, Some(false)),
        json!({ "type": "auto", "disable_parallel_tool_use": true })
    );
    assert_eq!(chosen(Some(Choose::Any), None), json!({ "type": "any" }));
    assert_eq!(
        chosen(Some(Choose::None), Some(false)),
        json!({ "type": "none" })
    );
    assert_eq!(
        chosen(Some(Choose::Tool("f".into())), None),
        json!({ "type": "tool", "name": "f" })
    );
}

#[test]
fn a_schema_is_written_as_structured_output() {
    let request = Request {
        format: Format::Schema {
            name: Some("n".into()),
            description: Some("d".into()),
            schema: Json::parse(r#"{"type":"object"}"#).expect("JSON"),
            strict: Some(true),
        },
        reasoning: Some(Reasoning::Effort(Effort::High)),
        ..asked()
    };
    let (body, dropped) = written(&request, &ADAPTIVE);
    assert_eq!(
        body["output_config"],
        json!({ "effort": "high", "format": { "type": "json_schema",
            "schema": { "type": "object" } } })
    );
    assert_eq!(dropped, ["response_format.description"]);
}

#[test]
fn a_user_is_told_unless_it_looks_like_a_person() {
    for (user, is_told) in [
        ("5f2c-88", true),
        ("a@b.example", false),
        ("+49 (30) 123456", false),
        ("42", true),
    ] {
        let mut request = asked();
        request.user = Some(user.into());
        let (body, dropped) = written(&request, &ADAPTIVE);
        assert_eq!(body["metadata"]["user_id"].is_string(), is_told, "{user}");
        assert_eq!(dropped.is_empty(), is_told, "{user}");
    }
}

#[test]
fn media_are_written_with_a_type_that_anthropic_takes() {
    let png = "iVBORw0KGgoAAA";
    let source = |part| {
        let mut request = asked();
        request.messages[0].parts.push(part);
        write(&request, &ADAPTIVE).map(|written| {
            let body: Value = serde_json::from_slice(&written.body).expect("JSON");
            body["messages"][0]["content"][1]["source"].clone()
        })
    };
    let image = |data: &'static str, sort| Part::Image(media(Source::Base64(data.into()), sort));
    let document = |source, sort| Part::Document(media(source, sort));
    let base64 =
        |sort: &str, data: &str| Ok(json!({ "type": "base64", "media_type": sort, "data": data }));
    assert_eq!(source(image(png, None)), base64("image/png", png));
    assert_eq!(
        source(image("AA", Some("image/jpg"))),
        base64("image/jpeg", "AA")
    );
    assert_eq!(
        source(document(Source::Base64("JVBERi0".into()), None)),
        base64("application/pdf", "JVBERi0")
    );
    assert_eq!(
        source(document(Source::Text("x".into()), None)),
        Ok(json!({ "type": "text", "media_type": "text/plain", "data": "x" }))
    );
    assert_eq!(
        source(document(Source::File("f".into()), None)),
        Ok(json!({ "type": "file", "file_id": "f" }))
    );
    for refused in [
        image("AA", None),
        image("AA", Some("image/tiff")),
        Part::Image(media(Source::Text("x".into()), None)),
        document(Source::Base64("AA".into()), Some("application/msword")),
        Part::Audio(media(Source::Base64("AA".into()), None)),
    ] {
        let refused = source(refused).expect_err("it cannot be said");
        assert_eq!(refused.path, "messages[0]");
    }
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let with = |change: fn(&mut Request<'static>)| {
        let mut request = asked();
        change(&mut request);
        write(&request, &ADAPTIVE)
            .expect_err("it cannot be said")
            .path
    };
    assert_eq!(with(|request| request.choices = 2), "n");
    assert_eq!(with(|request| request.logprobs = Some(0)), "logprobs");
    assert_eq!(
        with(|request| request.format = Format::Json),
        "response_format"
    );
    assert_eq!(
        with(|request| request.choose = Some(Choose::Any)),
        "tool_choice"
    );
    assert_eq!(with(|request| request.stop = vec!["\n".into()]), "stop");
    assert_eq!(with(|request| request.messages.clear()), "messages");
    assert_eq!(
        with(|request| request.messages[0].parts = vec![text(" ")]),
        "messages"
    );
    assert_eq!(
        with(|request| request.instructions = vec![call("1")]),
        "system"
    );
    assert_eq!(
        with(|request| request.tools = vec![tool("a.b", None)]),
        "tools[0].name"
    );
    assert_eq!(
        with(|request| request.tools = vec![tool("f", Some("true"))]),
        "tools[0].parameters"
    );
    assert_eq!(
        with(|request| request.messages[0].parts.push(call("1"))),
        "messages[0]"
    );
    assert_eq!(
        with(|request| {
            request.messages[0].role = Role::Assistant;
            request.messages[0].parts.push(result("1", "r"));
        }),
        "messages[0]"
    );
}

#[test]
fn a_written_request_is_read_as_it_was() {
    let request = Request {
        instructions: vec![text("s"), Part::CachePoint],
        messages: vec![
            message(Role::User, vec![text("q"), Part::CachePoint]),
            message(Role::Assistant, vec![thought(Some("s")), call("toolu_1")]),
            message(
                Role::User,
                vec![Part::ToolResult(ToolResult {
                    id: "toolu_1".into(),
                    name: None,
                    parts: vec![text("r")],
                    is_error: true,
                })],
            ),
        ],
        tools: vec![tool("f", Some(r#"{"type":"object"}"#))],
        choose: Some(Choose::Auto),
        parallel_tool_calls: Some(false),
        limit: Some(3_000),
        stop: vec!["x".into()],
        reasoning: Some(Reasoning::Effort(Effort::Medium)),
        user: Some("u".into()),
        stream: true,
        ..asked()
    };
    let body = write(&request, &ADAPTIVE).expect("it can be said").body;
    let again = read(&body).expect("it is sound");
    assert_eq!(again.instructions, request.instructions);
    assert_eq!(again.messages, request.messages);
    assert_eq!(again.tools, request.tools);
    assert_eq!(again.choose, request.choose);
    assert_eq!(again.parallel_tool_calls, request.parallel_tool_calls);
    assert_eq!(again.limit, request.limit);
    assert_eq!(again.stop, request.stop);
    assert_eq!(again.reasoning, request.reasoning);
    assert_eq!(again.user, request.user);
    assert!(again.stream);
}
