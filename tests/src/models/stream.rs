//! What a model says, as the events of each dialect's stream.

use serde_json::{Value, json};
use weir_protocols::aws::event_stream::{self, Value as Header};

use super::Said;

pub(super) fn data(value: &Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}

pub(super) fn openai(said: &Said) -> Vec<Vec<u8>> {
    let piece = |choices: Value| {
        data(&json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "model-1", "choices": choices,
        }))
    };
    let delta =
        |delta: Value| piece(json!([{ "index": 0, "delta": delta, "finish_reason": null }]));
    let mut events = vec![delta(json!({ "role": "assistant", "content": "" }))];
    events.extend(
        said.pieces
            .iter()
            .map(|text| delta(json!({ "content": text }))),
    );
    if let Some((name, arguments)) = &said.call {
        let function = json!({ "name": name, "arguments": "" });
        events.push(delta(json!({ "tool_calls": [
            { "index": 0, "id": "call_1", "type": "function", "function": function }] })));
        let arguments = arguments.to_string();
        let (one, other) = arguments.split_at(arguments.len() / 2);
        for part in [one, other] {
            let function = json!({ "arguments": part });
            events.push(delta(
                json!({ "tool_calls": [{ "index": 0, "function": function }] }),
            ));
        }
    }
    let reason = ["stop", "tool_calls"][usize::from(said.call.is_some())];
    events.push(piece(
        json!([{ "index": 0, "delta": {}, "finish_reason": reason }]),
    ));
    let (input, output) = said.usage;
    events.push(data(&json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "model-1", "choices": [],
        "usage": { "prompt_tokens": input, "completion_tokens": output,
                   "total_tokens": input + output },
    })));
    events.push(b"data: [DONE]\n\n".to_vec());
    events
}

pub(super) fn anthropic(said: &Said) -> Vec<Vec<u8>> {
    let event = |value: Value| {
        let name = value["type"].as_str().unwrap_or_default().to_owned();
        format!("event: {name}\ndata: {value}\n\n").into_bytes()
    };
    let (input, output) = said.usage;
    let mut events = vec![
        event(json!({ "type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "model-1",
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": { "input_tokens": input, "output_tokens": 1 } } })),
        event(json!({ "type": "content_block_start", "index": 0,
            "content_block": { "type": "text", "text": "" } })),
        event(json!({ "type": "ping" })),
    ];
    events.extend(said.pieces.iter().map(|text| {
        event(json!({ "type": "content_block_delta", "index": 0,
            "delta": { "type": "text_delta", "text": text } }))
    }));
    events.push(event(json!({ "type": "content_block_stop", "index": 0 })));
    if let Some((name, arguments)) = &said.call {
        events.push(event(
            json!({ "type": "content_block_start", "index": 1, "content_block":
            { "type": "tool_use", "id": "toolu_1", "name": name, "input": {} } }),
        ));
        events.push(event(
            json!({ "type": "content_block_delta", "index": 1, "delta":
            { "type": "input_json_delta", "partial_json": arguments.to_string() } }),
        ));
        events.push(event(json!({ "type": "content_block_stop", "index": 1 })));
    }
    let reason = ["end_turn", "tool_use"][usize::from(said.call.is_some())];
    events.push(event(json!({ "type": "message_delta",
        "delta": { "stop_reason": reason, "stop_sequence": null },
        "usage": { "output_tokens": output } })));
    events.push(event(json!({ "type": "message_stop" })));
    events
}

pub(super) fn gemini_answer(
    parts: &[Value],
    reason: Option<&str>,
    usage: Option<(u64, u64)>,
) -> Value {
    let mut candidate = json!({ "index": 0, "content": { "role": "model", "parts": parts } });
    if let Some(reason) = reason {
        candidate["finishReason"] = json!(reason);
    }
    let mut answer = json!({
        "candidates": [candidate], "modelVersion": "model-1", "responseId": "r-1" });
    if let Some((input, output)) = usage {
        answer["usageMetadata"] = json!({ "promptTokenCount": input,
            "candidatesTokenCount": output, "totalTokenCount": input + output });
    }
    answer
}

pub(super) fn gemini(said: &Said) -> Vec<Vec<u8>> {
    let text = |text: &String| data(&gemini_answer(&[json!({ "text": text })], None, None));
    let mut events: Vec<_> = said.pieces.iter().map(text).collect();
    if let Some((name, arguments)) = &said.call {
        let call = json!({ "functionCall": { "name": name, "args": arguments } });
        events.push(data(&gemini_answer(&[call], None, None)));
    }
    events.push(data(&gemini_answer(
        &[json!({ "text": "" })],
        Some("STOP"),
        Some(said.usage),
    )));
    events
}

pub(super) fn bedrock(said: &Said) -> Vec<Vec<u8>> {
    let event = |name: &str, payload: Value| {
        let headers = [
            (":message-type", Header::Text("event")),
            (":event-type", Header::Text(name)),
            (":content-type", Header::Text("application/json")),
        ];
        let payload = payload.to_string();
        event_stream::encode(&headers, payload.as_bytes()).expect("short headers")
    };
    let mut events = vec![event("messageStart", json!({ "role": "assistant" }))];
    events.extend(said.pieces.iter().map(|text| {
        event(
            "contentBlockDelta",
            json!({ "contentBlockIndex": 0, "delta": { "text": text } }),
        )
    }));
    events.push(event("contentBlockStop", json!({ "contentBlockIndex": 0 })));
    if let Some((name, arguments)) = &said.call {
        events.push(event(
            "contentBlockStart",
            json!({ "contentBlockIndex": 1, "start":
            { "toolUse": { "toolUseId": "tooluse_1", "name": name } } }),
        ));
        events.push(event(
            "contentBlockDelta",
            json!({ "contentBlockIndex": 1, "delta":
            { "toolUse": { "input": arguments.to_string() } } }),
        ));
        events.push(event("contentBlockStop", json!({ "contentBlockIndex": 1 })));
    }
    let reason = ["end_turn", "tool_use"][usize::from(said.call.is_some())];
    events.push(event("messageStop", json!({ "stopReason": reason })));
    let (input, output) = said.usage;
    events.push(event(
        "metadata",
        json!({ "metrics": { "latencyMs": 1 }, "usage":
        { "inputTokens": input, "outputTokens": output, "totalTokens": input + output } }),
    ));
    events
}
