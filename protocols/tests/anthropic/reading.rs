//! Requests as the API reference shows them, and those that are refused.

use std::borrow::Cow;

use weir_protocols::anthropic::request::{read, read_for_count};
use weir_protocols::llm::{
    Choose, Effort, FaultKind, Format, Media, Part, Reasoning, Request, Role, Source, ToolCall,
    ToolResult,
};

/// A request with these members besides those it must have.
fn with(members: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"q"}}]{members}}}"#
    )
}

/// A request with this content in a turn of the user.
fn said(role: &str, content: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"{role}","content":{content}}}]}}"#
    )
}

fn parts<'a>(request: &'a Request<'_>) -> &'a [Part<'a>] {
    &request.messages[0].parts
}

fn thought(text: &'static str, signature: Option<&'static str>) -> Part<'static> {
    Part::Reasoning {
        text: text.into(),
        signature: signature.map(Into::into),
    }
}

fn result(id: &'static str, parts: Vec<Part<'static>>, is_error: bool) -> Part<'static> {
    Part::ToolResult(ToolResult {
        id: id.into(),
        name: None,
        parts,
        is_error,
    })
}

#[test]
fn a_whole_request_is_read_and_what_is_unknown_is_named() {
    let body = with(
        r#","stream":true,"temperature":0.5,"top_p":0.9,"top_k":40,
        "stop_sequences":["\n\nHuman:","x"],"metadata":{"user_id":"u-1"},
        "service_tier":"auto","container":"c","system":"Be brief.",
        "thinking":{"type":"enabled","budget_tokens":2048},
        "tools":[{"name":"f","description":"does","input_schema":{"type": "object"},"strict":true},
            {"type":"custom","name":"g","input_schema":{}}],
        "tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true}"#,
    );
    let request = read(body.as_bytes()).expect("it is sound");
    assert_eq!(
        (&*request.model, request.limit, request.choices),
        ("m", Some(9), 1)
    );
    assert!(request.stream && request.stream_usage);
    assert_eq!(request.sampling.temperature, Some(0.5));
    assert_eq!(request.sampling.top_p, Some(0.9));
    assert_eq!(request.sampling.top_k, Some(40));
    assert_eq!(request.stop, ["\n\nHuman:", "x"]);
    assert_eq!(request.user.as_deref(), Some("u-1"));
    assert_eq!(request.unknown, ["service_tier", "container"]);
    assert_eq!(request.instructions, [Part::Text("Be brief.".into())]);
    assert_eq!(request.reasoning, Some(Reasoning::Budget(2048)));
    assert_eq!(request.choose, Some(Choose::Tool("f".into())));
    assert_eq!(request.parallel_tool_calls, Some(false));
    let [f, g] = &request.tools[..] else {
        panic!("two tools");
    };
    assert_eq!(
        (&*f.name, f.description.as_deref(), f.strict),
        ("f", Some("does"), Some(true))
    );
    let schema = f.parameters.as_ref().expect("a schema");
    assert_eq!(schema.get(), r#"{"type": "object"}"#);
    assert_eq!((&*g.name, g.strict), ("g", None));
    assert!(matches!(
        &request.messages[0].parts[0],
        Part::Text(Cow::Borrowed("q"))
    ));
}

#[test]
fn a_conversation_with_tools_and_thoughts_is_read_in_order() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[
        {"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]},
        {"role":"assistant","content":[
            {"type":"thinking","thinking":"t","signature":"s"},
            {"type":"thinking","thinking":"u","signature":""},
            {"type":"redacted_thinking","data":"r"},
            {"type":"tool_use","id":"toolu_1","name":"f","input":{"k": [1]}}]},
        {"role":"system","content":"Now be brief."},
        {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[
                {"type":"text","text":"no"},
                {"type":"image","source":{"type":"url","url":"https://e.com/a.png"}}]},
            {"type":"tool_result","tool_use_id":"toolu_2","content":"yes"},
            {"type":"tool_result","tool_use_id":"toolu_3"}]}],
        "cache_control":{"type":"ephemeral"}}"#;
    let request = read(body.as_bytes()).expect("it is sound");
    assert_eq!(request.instructions, [Part::Text("Now be brief.".into())]);
    let [user, assistant, results] = &request.messages[..] else {
        panic!("three turns");
    };
    assert_eq!(user.parts, [Part::Text("a".into()), Part::CachePoint]);
    assert_eq!(assistant.role, Role::Assistant);
    assert_eq!(
        assistant.parts,
        [
            thought("t", Some("s")),
            thought("u", None),
            Part::Redacted("r".into()),
            Part::ToolCall(ToolCall {
                id: "toolu_1".into(),
                name: "f".into(),
                arguments: r#"{"k": [1]}"#.into(),
                signature: None,
            }),
        ]
    );
    let image = Part::Image(Media {
        source: Source::Url("https://e.com/a.png".into()),
        media_type: None,
        detail: None,
        name: None,
    });
    assert_eq!(
        results.parts,
        [
            result("toolu_1", vec![Part::Text("no".into()), image], true),
            result("toolu_2", vec![Part::Text("yes".into())], false),
            result("toolu_3", Vec::new(), false),
            Part::CachePoint,
        ]
    );
}

#[test]
fn media_of_every_source_are_read() {
    let body = said(
        "user",
        r#"[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
        {"type":"image","source":{"type":"file","file_id":"file_1"}},
        {"type":"document","title":"T","context":"About.","source":{"type":"base64",
            "media_type":"application/pdf","data":"JVBERi0="},"citations":{"enabled":false}},
        {"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}},
        {"type":"document","source":{"type":"url","url":"https://e.com/a.pdf"}},
        {"type":"document","source":{"type":"content","content":"plain"}},
        {"type":"document","source":{"type":"content","content":[{"type":"text","text":"b"}]},
            "cache_control":{"type":"ephemeral","ttl":"1h"}}]"#,
    );
    let request = read(body.as_bytes()).expect("it is sound");
    let media = |source, media_type: Option<&'static str>, name: Option<&'static str>| Media {
        source,
        media_type: media_type.map(Into::into),
        detail: None,
        name: name.map(Into::into),
    };
    let plain = |text: &'static str| {
        Part::Document(media(Source::Text(text.into()), Some("text/plain"), None))
    };
    assert_eq!(
        parts(&request),
        [
            Part::Image(media(
                Source::Base64("AA==".into()),
                Some("image/png"),
                None
            )),
            Part::Image(media(Source::File("file_1".into()), None, None)),
            Part::Text("About.".into()),
            Part::Document(media(
                Source::Base64("JVBERi0=".into()),
                Some("application/pdf"),
                Some("T")
            )),
            plain("x"),
            Part::Document(media(Source::Url("https://e.com/a.pdf".into()), None, None)),
            plain("plain"),
            Part::Text("b".into()),
            Part::CachePoint,
        ]
    );
}

#[test]
fn how_much_to_think_is_said_in_one_word() {
    for (members, reasoning) in [
        ("", None),
        (r#","thinking":{"type":"disabled"}"#, Some(Reasoning::Off)),
        (
            r#","thinking":{"type":"adaptive"}"#,
            Some(Reasoning::Adaptive),
        ),
        (
            r#","thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}"#,
            Some(Reasoning::Effort(Effort::Max)),
        ),
        (
            r#","output_config":{"effort":"low"}"#,
            Some(Reasoning::Effort(Effort::Low)),
        ),
        (
            r#","thinking":{"type":"disabled"},"output_config":{"effort":"high"}"#,
            Some(Reasoning::Off),
        ),
        (
            r#","thinking":{"type":"enabled","budget_tokens":5000},"output_config":{"effort":"low"}"#,
            Some(Reasoning::Budget(5000)),
        ),
    ] {
        let body = with(members);
        let request = read(body.as_bytes()).expect("it is sound");
        assert_eq!(request.reasoning, reasoning, "{members}");
    }
}

#[test]
fn a_schema_is_read_from_where_it_stands_today_and_where_it_stood() {
    for members in [
        r#","output_config":{"format":{"type":"json_schema","schema":{"a":1}}}"#,
        r#","output_format":{"type":"json_schema","schema":{"a":1}}"#,
    ] {
        let body = with(members);
        let request = read(body.as_bytes()).expect("it is sound");
        let Format::Schema { schema, strict, .. } = &request.format else {
            panic!("a schema: {members}");
        };
        assert_eq!((schema.get(), *strict), (r#"{"a":1}"#, Some(true)));
    }
}

#[test]
fn a_cached_tool_stands_before_the_instructions() {
    let body = with(
        r#","system":"s","tools":[{"name":"f","input_schema":{},
            "cache_control":{"type":"ephemeral"}}]"#,
    );
    let request = read(body.as_bytes()).expect("it is sound");
    let instructions = [Part::CachePoint, Part::Text("s".into())];
    assert_eq!(request.instructions, instructions);
}

#[test]
fn a_count_needs_no_limit_and_a_call_does() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"q"}]}"#;
    assert_eq!(read_for_count(body).map(|request| request.limit), Ok(None));
    let fault = read(body).expect_err("there is no limit");
    assert_eq!(
        (&*fault.path, fault.kind),
        ("max_tokens", FaultKind::Missing)
    );
}

/// That `body` is refused at `path`, without a word of what it says.
fn refused(body: &str, path: &str, kind: FaultKind) {
    let fault = read(body.as_bytes()).expect_err(body);
    assert_eq!((&*fault.path, fault.kind), (path, kind), "{body}");
    assert!(!fault.to_string().contains("secret"), "{fault}");
}

#[test]
fn a_block_that_cannot_be_read_is_refused_where_it_stands() {
    let at = "messages[0].content[0]";
    for (block, path, kind) in [
        (r#"{"text":"secret"}"#, "type", FaultKind::Missing),
        (r#"{"type":"secret"}"#, "type", FaultKind::OutOfRange),
        (r#"{"type":"text"}"#, "text", FaultKind::Missing),
        (r#"{"type":"tool_use"}"#, "type", FaultKind::OutOfRange),
        (r#"{"type":"search_result"}"#, "type", FaultKind::OutOfRange),
        (
            r#"{"type":"web_search_tool_result"}"#,
            "type",
            FaultKind::OutOfRange,
        ),
        (
            r#"{"type":"document","citations":{"enabled":true}}"#,
            "citations.enabled",
            FaultKind::OutOfRange,
        ),
        (
            r#"{"type":"image","source":{"type":"secret"}}"#,
            "source.type",
            FaultKind::OutOfRange,
        ),
        (
            r#"{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_result"}]}"#,
            "content[0].type",
            FaultKind::OutOfRange,
        ),
    ] {
        let body = said("user", &format!("[{block}]"));
        refused(&body, &format!("{at}.{path}"), kind);
    }
}

#[test]
fn a_member_that_cannot_be_read_is_refused_where_it_stands() {
    for (members, path, kind) in [
        (r#","model":"m""#, "model", FaultKind::Duplicate),
        (
            r#","mcp_servers":[{}]"#,
            "mcp_servers[0]",
            FaultKind::OutOfRange,
        ),
        (
            r#","tools":[{"type":"web_search_20250305","name":"secret"}]"#,
            "tools[0].type",
            FaultKind::OutOfRange,
        ),
        (
            r#","tools":[{"name":"f"}]"#,
            "tools[0].input_schema",
            FaultKind::Missing,
        ),
        (
            r#","tool_choice":{"type":"tool"}"#,
            "tool_choice.name",
            FaultKind::Missing,
        ),
        (
            r#","thinking":{"type":"between_tools"}"#,
            "thinking.type",
            FaultKind::OutOfRange,
        ),
        (
            r#","output_config":{"effort":"secret"}"#,
            "output_config.effort",
            FaultKind::OutOfRange,
        ),
    ] {
        refused(&with(members), path, kind);
    }
    for (body, path, kind) in [
        ("[]", "", FaultKind::WrongType),
        ("{}", "model", FaultKind::Missing),
        (
            &said("secret", "\"q\""),
            "messages[0].role",
            FaultKind::OutOfRange,
        ),
        (
            &said("user", "7"),
            "messages[0].content",
            FaultKind::WrongType,
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[]}"#,
            "messages",
            FaultKind::Missing,
        ),
    ] {
        refused(body, path, kind);
    }
}
