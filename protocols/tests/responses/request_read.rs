//! Requests of callers: what is read, and what cannot be.

use weir_protocols::llm::{
    Choose, Effort, FaultKind, Format, Media, Message, Part, Reasoning, Role, Source, ToolCall,
};
use weir_protocols::openai::responses::request::read;

use crate::parts::{call, media, result, text, turn};

const REQUEST: &[u8] = include_bytes!("../golden/responses/request.json");

#[test]
fn a_conversation_is_read_in_turns() {
    let request = read(REQUEST).expect("it is a request");
    assert_eq!(
        request.instructions,
        [text("Be brief."), text("Answer in French.")]
    );
    let asked = vec![
        text("What is \"this\"?"),
        Part::CachePoint,
        Part::Image(Media {
            detail: Some("low".into()),
            ..media(Source::Base64("iVBORw0KGgo=".into()), Some("image/png"))
        }),
        Part::Image(media(Source::Url("https://example.com/a.png".into()), None)),
        Part::Image(media(Source::File("file_1".into()), None)),
        Part::Document(Media {
            name: Some("a.pdf".into()),
            ..media(Source::Base64("JVBERi0=".into()), Some("application/pdf"))
        }),
        Part::Document(media(Source::Url("https://example.com/b.pdf".into()), None)),
    ];
    let answered = vec![
        Part::Reasoning {
            text: "I look.".into(),
            signature: Some("gAAAA".into()),
        },
        Part::Redacted("hidden".into()),
        text("Let me see."),
        Part::ToolCall(ToolCall {
            signature: Some("c2ln".into()),
            ..call("call_1", "find", "{\"q\":\"weir\"}")
        }),
        Part::ToolCall(call("call_2", "now", "")),
    ];
    let noon = Part::Image(Media {
        detail: Some("high".into()),
        ..media(Source::Url("https://example.com/noon.png".into()), None)
    });
    let returned = vec![
        result("call_1", vec![text("A dam.")]),
        result("call_2", vec![text("Noon."), noon]),
    ];
    let turns = [
        turn(Role::User, asked),
        turn(Role::Assistant, answered),
        turn(Role::User, returned),
        turn(Role::User, vec![text("So?")]),
    ];
    for (read, expected) in request.messages.iter().zip(&turns) {
        assert_eq!(read, expected);
    }
    assert_eq!(request.messages.len(), turns.len());
}

#[test]
fn everything_else_is_read_too() {
    let request = read(REQUEST).expect("it is a request");
    assert_eq!(request.model, "smart");
    let names: Vec<_> = request
        .tools
        .iter()
        .map(|tool| (&*tool.name, tool.strict))
        .collect();
    assert_eq!(names, [("find", Some(true)), ("now", None)]);
    assert_eq!(request.choose, Some(Choose::Any));
    assert_eq!(request.parallel_tool_calls, Some(false));
    let Format::Schema { name, strict, .. } = &request.format else {
        panic!("it asks for a schema");
    };
    assert_eq!((name.as_deref(), *strict), (Some("thing"), Some(true)));
    assert_eq!(request.reasoning, Some(Reasoning::Effort(Effort::High)));
    assert_eq!((request.limit, request.choices), (Some(500), 1));
    assert_eq!(request.sampling.temperature, Some(0.5));
    assert_eq!(request.sampling.top_p, Some(0.9));
    assert_eq!(request.user.as_deref(), Some("u1"));
    assert!(request.stream && request.stream_usage);
    assert_eq!(request.logprobs, None);
    assert_eq!(
        request.unknown,
        [
            "metadata",
            "prompt_cache_key",
            "text.verbosity",
            "store",
            "stream_options.include_obfuscation"
        ]
    );
}

#[test]
fn text_is_borrowed_where_it_can_be() {
    let body = br#"{"model":"m","input":"as it is"}"#;
    let request = read(body).expect("it is a request");
    let [Message { parts, .. }] = &request.messages[..] else {
        panic!("one turn");
    };
    assert!(matches!(
        &parts[..],
        [Part::Text(std::borrow::Cow::Borrowed("as it is"))]
    ));
}

/// A request with this member in the place of, or beside, the usual ones.
fn with(member: &str) -> Vec<u8> {
    let usual = [r#""model":"m""#, r#""input":"hi""#];
    let key = member.split(':').next().expect("a key");
    let others = usual.into_iter().filter(|usual| !usual.starts_with(key));
    let members: Vec<_> = others.chain([member]).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

#[test]
fn what_rests_on_the_provider_is_a_fault_that_says_where() {
    use FaultKind::{Missing, OutOfRange, WrongType};
    for (member, path, kind) in [
        (
            r#""previous_response_id":"resp_1""#,
            "previous_response_id",
            OutOfRange,
        ),
        (
            r#""conversation":{"id":"conv_1"}"#,
            "conversation",
            OutOfRange,
        ),
        (r#""prompt":{"id":"pmpt_1"}"#, "prompt", OutOfRange),
        (r#""background":true"#, "background", OutOfRange),
        (
            r#""input":[{"type":"item_reference","id":"msg_1"}]"#,
            "input[0].type",
            OutOfRange,
        ),
        (r#""input":[{"id":"msg_1"}]"#, "input[0].type", Missing),
        (
            r#""input":[{"type":"web_search_call"}]"#,
            "input[0].type",
            OutOfRange,
        ),
        (
            r#""input":[{"role":"tool","content":"x"}]"#,
            "input[0].role",
            OutOfRange,
        ),
        (r#""input":[{"role":"user"}]"#, "input[0].content", Missing),
        (
            r#""input":[{"role":"user","content":[{"type":"output_text","text":"x"}]}]"#,
            "input[0].content[0].type",
            OutOfRange,
        ),
        (
            r#""input":[{"role":"assistant","content":[{"type":"input_text","text":"x"}]}]"#,
            "input[0].content[0].type",
            OutOfRange,
        ),
        (
            r#""input":[{"role":"system","content":[{"type":"input_image","file_id":"f"}]}]"#,
            "input[0].content[0].type",
            OutOfRange,
        ),
        (
            r#""input":[{"role":"user","content":[{"type":"input_image"}]}]"#,
            "input[0].content[0].image_url",
            Missing,
        ),
        (
            r#""input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/svg+xml,x"}]}]"#,
            "input[0].content[0].image_url",
            OutOfRange,
        ),
        (
            r#""input":[{"type":"function_call","name":"f","arguments":"{}"}]"#,
            "input[0].call_id",
            Missing,
        ),
        (
            r#""input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}}]"#,
            "input[0].arguments",
            WrongType,
        ),
        (
            r#""input":[{"type":"function_call_output","call_id":"c"}]"#,
            "input[0].output",
            Missing,
        ),
        (r#""input":[]"#, "input", Missing),
        (r#""input":7"#, "input", WrongType),
        (r#""input":null"#, "input", Missing),
        (r#""model":null"#, "model", Missing),
        (
            r#""tools":[{"type":"web_search"}]"#,
            "tools[0].type",
            OutOfRange,
        ),
        (r#""tools":[{"type":"function"}]"#, "tools[0].name", Missing),
        (
            r#""tool_choice":{"type":"file_search"}"#,
            "tool_choice.type",
            OutOfRange,
        ),
        (
            r#""tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"g"}]}"#,
            "tool_choice.tools[0].name",
            OutOfRange,
        ),
        (r#""tool_choice":"any""#, "tool_choice", OutOfRange),
        (
            r#""text":{"format":{"type":"grammar"}}"#,
            "text.format.type",
            OutOfRange,
        ),
        (
            r#""text":{"format":{"type":"json_schema","name":"n"}}"#,
            "text.format.schema",
            Missing,
        ),
        (
            r#""reasoning":{"effort":"some"}"#,
            "reasoning.effort",
            OutOfRange,
        ),
        (r#""max_output_tokens":1.5"#, "max_output_tokens", WrongType),
        (r#""stream":"yes""#, "stream", WrongType),
    ] {
        let body = with(member);
        let fault = read(&body).expect_err(member);
        assert_eq!(
            (fault.path.as_str(), fault.kind),
            (path, kind),
            "{member}: {fault}"
        );
    }
}

#[test]
fn what_asks_for_nothing_is_no_fault() {
    for member in [
        r#""previous_response_id":null"#,
        r#""background":false"#,
        r#""store":false"#,
        r#""stream_options":{"include_obfuscation":false}"#,
        r#""include":["reasoning.encrypted_content"]"#,
        r#""reasoning":{"effort":null,"summary":"auto"}"#,
        r#""text":{}"#,
        r#""top_logprobs":0"#,
        r#""input":[{"type":"reasoning","id":"rs_1","summary":[]},{"role":"user","content":""}]"#,
    ] {
        let body = with(member);
        let request = read(&body).expect(member);
        assert_eq!(request.unknown, Vec::<String>::new(), "{member}");
        assert_eq!(
            (request.messages.len(), request.logprobs),
            (1, None),
            "{member}"
        );
    }
    let body = with(r#""include":["message.output_text.logprobs","web_search_call.results"]"#);
    let request = read(&body).expect("it is a request");
    assert_eq!(
        (request.logprobs, &*request.unknown),
        (Some(0), &["include".to_owned()][..])
    );
}
