//! Requests to providers: what is written, dropped and refused.

use serde_json::{Value, json};
use weir_protocols::llm::{
    Choose, Effort, Part, Reasoning, Request, Role, Source, Tool, ToolResult,
};
use weir_protocols::openai::responses::request::{read, write};

use crate::parts::{call, media, text, turn};

const REQUEST: &[u8] = include_bytes!("../golden/responses/request.json");

fn written(request: &Request<'_>) -> (Value, Vec<&'static str>) {
    let written = write(request).expect("it can be said");
    let body = serde_json::from_slice(&written.body).expect("JSON");
    (body, written.dropped)
}

#[test]
fn a_request_is_written_for_a_provider_that_keeps_nothing() {
    let request = read(REQUEST).expect("it is a request");
    let (body, dropped) = written(&request);
    assert_eq!(dropped, Vec::<&str>::new());
    let input = body["input"].as_array().expect("items");
    let kinds: Vec<_> = input
        .iter()
        .map(|item| item["type"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(
        kinds,
        [
            "message",
            "reasoning",
            "reasoning",
            "message",
            "function_call",
            "function_call",
            "function_call_output",
            "function_call_output",
            "message"
        ]
    );
    assert_eq!(body["instructions"], "Be brief.\n\nAnswer in French.");
    assert_eq!(
        input[0]["content"][1],
        json!({"type": "input_image", "detail": "low", "image_url": "data:image/png;base64,iVBORw0KGgo="})
    );
    assert_eq!(
        input[1],
        json!({"type": "reasoning", "encrypted_content": "gAAAA",
            "summary": [{"type": "summary_text", "text": "I look."}]})
    );
    assert_eq!(input[2]["summary"], json!([]));
    assert_eq!(
        input[3],
        json!({"type": "message", "role": "assistant", "content": "Let me see."})
    );
    assert_eq!(input[5]["arguments"], "{}");
    assert_eq!(input[6]["output"], "A dam.");
    assert_eq!(input[7]["output"][1]["detail"], "high");
    assert_eq!(
        body["tools"][1],
        json!({"type": "function", "name": "now", "parameters": null, "strict": false})
    );
    assert_eq!(body["text"]["format"]["type"], "json_schema");
    assert_eq!(body["reasoning"], json!({"effort": "high"}));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(
        (&body["store"], &body["stream"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(body["max_output_tokens"], 500);
}

#[test]
fn what_is_written_reads_back() {
    let request = read(REQUEST).expect("it is a request");
    let once = write(&request).expect("it can be said").body;
    let again = read(&once).expect("what is written can be read");
    assert_eq!(write(&again).expect("it was said before").body, once);
    assert_eq!(again.choose, request.choose);
    assert_eq!(again.format, request.format);
    assert_eq!(again.sampling, request.sampling);
    assert_eq!(again.messages[2], request.messages[2]);
}

#[test]
fn what_only_tunes_is_dropped_by_name() {
    let mut request = Request::new("m");
    request.sampling.top_k = Some(1);
    request.sampling.frequency_penalty = Some(0.1);
    request.sampling.presence_penalty = Some(0.1);
    request.sampling.seed = Some(1);
    let mut said = turn(Role::User, vec![text("hi"), Part::CachePoint]);
    said.name = Some("Ann".into());
    let thought = Part::Reasoning {
        text: "hm".into(),
        signature: None,
    };
    let failed = Part::ToolResult(ToolResult {
        id: "c".into(),
        name: None,
        parts: vec![text("broken")],
        is_error: true,
    });
    request.messages = vec![
        said,
        turn(
            Role::Assistant,
            vec![thought, Part::ToolCall(call("c", "f", "{}"))],
        ),
        turn(Role::User, vec![failed]),
    ];
    request.choose = Some(Choose::Any);
    let (body, dropped) = written(&request);
    assert_eq!(
        dropped,
        [
            "top_k",
            "frequency_penalty",
            "presence_penalty",
            "seed",
            "name",
            "reasoning of earlier turns",
            "is_error"
        ]
    );
    assert_eq!(body["input"].as_array().map(Vec::len), Some(3));
    assert_eq!(body.get("tool_choice"), None);
}

#[test]
fn what_would_change_the_answer_is_refused() {
    type Change = fn(&mut Request<'static>);
    let table: [(&str, Change); 6] = [
        ("n", |request| request.choices = 2),
        ("stop", |request| request.stop.push("x".into())),
        ("logprobs", |request| request.logprobs = Some(0)),
        ("messages[0]", |request| {
            let sound = media(Source::Base64("AA==".into()), Some("audio/wav"));
            request.messages[0].parts.push(Part::Audio(sound));
        }),
        ("messages[0]", |request| {
            request.messages[0].role = Role::Assistant;
            let image = media(Source::Url("https://example.com".into()), None);
            request.messages[0].parts.push(Part::Image(image));
        }),
        ("instructions", |request| {
            let image = media(Source::Url("https://example.com".into()), None);
            request.instructions.push(Part::Image(image));
        }),
    ];
    for (path, change) in table {
        let mut request = Request::new("m");
        request.messages.push(turn(Role::User, vec![text("hi")]));
        assert!(write(&request).is_ok());
        change(&mut request);
        assert_eq!(
            write(&request).map_err(|refused| refused.path),
            Err(path.to_owned())
        );
    }
}

#[test]
fn thinking_is_asked_for_as_the_caller_means_it() {
    for (reasoning, body, include) in [
        (Reasoning::Off, json!({"effort": "none"}), false),
        (
            Reasoning::Effort(Effort::Max),
            json!({"effort": "xhigh"}),
            true,
        ),
        (
            Reasoning::Budget(4000),
            json!({"effort": "medium", "summary": "auto"}),
            true,
        ),
        (Reasoning::Adaptive, json!({"summary": "auto"}), true),
    ] {
        let mut request = Request::new("m");
        request.reasoning = Some(reasoning);
        let (written, _) = written(&request);
        assert_eq!(written["reasoning"], body);
        assert_eq!(written.get("include").is_some(), include);
    }
}

#[test]
fn a_tool_is_described_in_the_tool_itself() {
    let mut request = Request::new("m");
    request.tools.push(Tool {
        name: "f".into(),
        description: Some("Does.".into()),
        parameters: None,
        strict: Some(true),
    });
    request.choose = Some(Choose::Tool("f".into()));
    let (body, _) = written(&request);
    assert_eq!(
        body["tools"],
        json!([{"type": "function", "name": "f", "description": "Does.", "parameters": null,
            "strict": true}])
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "function", "name": "f"})
    );
}

#[test]
fn documents_are_written_as_they_can_be_read() {
    let mut request = Request::new("m");
    let document = |source| Part::Document(media(source, None));
    request.messages.push(turn(
        Role::User,
        vec![
            document(Source::Text("plain".into())),
            document(Source::Base64("JVBERi0=".into())),
            document(Source::File("file_1".into())),
        ],
    ));
    let (body, _) = written(&request);
    assert_eq!(
        body["input"][0]["content"],
        json!([
            {"type": "input_text", "text": "plain"},
            {"type": "input_file", "filename": "document.pdf",
             "file_data": "data:application/pdf;base64,JVBERi0="},
            {"type": "input_file", "file_id": "file_1"},
        ])
    );
}
