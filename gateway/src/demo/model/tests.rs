//! The model as its callers meet it, over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

const QUESTION: &str = "What is a weir?";

/// Posts to a fresh model; its status, content type and body.
async fn post(body: Vec<u8>) -> (StatusCode, String, String) {
    let url = started().await;
    let call = reqwest::Client::new()
        .post(format!("{url}/chat/completions"))
        .bearer_auth("k");
    let answer = call.body(body).send().await.unwrap();
    let content_type = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (answer.status(), content_type, answer.text().await.unwrap())
}

/// Starts a model that asks for the key `k`; where its API begins.
async fn started() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let model = Arc::new(Model::new("k"));
    tokio::spawn(serve::serve(listener, move |request| {
        model.clone().answer(request)
    }));
    url
}

/// A request for [`QUESTION`], with `more` members.
fn ask(more: &Value) -> Vec<u8> {
    let mut ask = json!({ "model": NAME, "messages": [
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": QUESTION },
    ] });
    ask.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    ask.to_string().into_bytes()
}

async fn whole(more: &Value) -> Value {
    let (status, content_type, body) = post(ask(more)).await;
    assert_eq!(
        (status, content_type.as_str()),
        (StatusCode::OK, "application/json"),
        "{body}"
    );
    serde_json::from_str(&body).unwrap()
}

/// The chunks of a streamed answer; asserts that it ends as it should.
async fn stream(more: &Value) -> Vec<Value> {
    let (status, content_type, body) = post(ask(more)).await;
    assert_eq!(
        (status, content_type.as_str()),
        (StatusCode::OK, "text/event-stream"),
        "{body}"
    );
    let mut events: Vec<&str> = body.strip_suffix("\n\n").unwrap().split("\n\n").collect();
    assert_eq!(events.pop(), Some("data: [DONE]"));
    let chunk = |event: &str| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    events.into_iter().map(chunk).collect()
}

async fn refused(body: Vec<u8>) -> (StatusCode, Value) {
    let (status, _, body) = post(body).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["error"]["message"].is_string(), "{body}");
    (status, body["error"].clone())
}

fn content(chunks: &[Value]) -> String {
    chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect()
}

#[tokio::test]
async fn it_answers_the_last_thing_said_and_counts() {
    let answer = whole(&json!({})).await;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], NAME);
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["finish_reason"], "stop");
    let text = choice["message"]["content"].as_str().unwrap();
    assert!(
        text.contains(QUESTION) && !text.contains("Be brief"),
        "{text}"
    );

    let usage = &answer["usage"];
    // 2 and 4 words, 3 around each message, 3 before the answer
    assert_eq!(usage["prompt_tokens"], 15);
    let written = usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(written, words::tokens(text).count() as u64);
    assert_eq!(usage["total_tokens"], 15 + written);
}

#[tokio::test]
async fn streamed_it_says_the_same() {
    let chunks = stream(&json!({ "stream": true })).await;
    let said = whole(&json!({})).await["choices"][0]["message"]["content"].clone();
    assert_eq!(content(&chunks), said);
    assert_eq!(chunks[0]["object"], "chat.completion.chunk");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    for chunk in &chunks {
        assert_eq!(chunk["id"], chunks[0]["id"]);
        assert_eq!(chunk.get("usage"), None, "nobody asked for usage");
    }
}

#[tokio::test]
async fn streamed_usage_comes_last_and_only_if_asked_for() {
    let more = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let mut chunks = stream(&more).await;
    let last = chunks.pop().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], whole(&json!({})).await["usage"]);
    for chunk in &chunks {
        assert_eq!(chunk["usage"], Value::Null);
    }
}

#[tokio::test]
async fn a_limit_is_kept_and_the_smaller_of_two() {
    for (more, kept) in [
        (json!({ "max_tokens": 4 }), 4),
        (json!({ "max_completion_tokens": 3 }), 3),
        (json!({ "max_tokens": 7, "max_completion_tokens": 2 }), 2),
        (json!({ "max_tokens": 5, "max_completion_tokens": null }), 5),
    ] {
        let answer = whole(&more).await;
        assert_eq!(answer["usage"]["completion_tokens"], kept, "{more}");
        assert_eq!(answer["choices"][0]["finish_reason"], "length", "{more}");
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert_eq!(words::tokens(text).count(), kept, "{more}");
    }
    let chunks = stream(&json!({ "max_tokens": 4, "stream": true })).await;
    assert_eq!(words::tokens(&content(&chunks)).count(), 4);
    assert_eq!(
        chunks.last().unwrap()["choices"][0]["finish_reason"],
        "length"
    );

    let enough = whole(&json!({})).await["usage"]["completion_tokens"].clone();
    let answer = whole(&json!({ "max_tokens": enough })).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn parts_are_read_and_what_is_no_text_is_survived() {
    let parts = json!([
        { "type": "text", "text": "two" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
        { "type": "text", "text": "parts" },
    ]);
    let messages = json!({ "messages": [{ "role": "user", "content": parts }] });
    let answer = whole(&messages).await;
    assert!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("“two parts”")
    );

    let silent = json!({ "messages": [{ "role": "user", "content": [parts[1]] }] });
    let answer = whole(&silent).await;
    assert!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("nothing")
    );
}

#[tokio::test]
async fn a_long_prompt_is_counted_whole_and_answered_briefly() {
    let long = "word ".repeat(10_000) + &"x".repeat(100_000);
    let messages = json!({ "messages": [{ "role": "user", "content": long }] });
    let usage = whole(&messages).await["usage"].clone();
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 18_000, "{usage}");
    assert!(
        usage["completion_tokens"].as_u64().unwrap() < 100,
        "{usage}"
    );
}

#[tokio::test]
async fn what_it_cannot_do_is_refused_as_openai_would() {
    for (more, status, param) in [
        (json!({ "model": "gpt-4o" }), 404, "model"),
        (json!({ "messages": [] }), 400, "messages"),
        (json!({ "max_tokens": 0 }), 400, "max_tokens"),
        (json!({ "n": 2 }), 400, "n"),
        (
            json!({ "messages": [{ "role": "owl", "content": "hu" }] }),
            400,
            "messages[0].role",
        ),
    ] {
        let (answered, error) = refused(ask(&more)).await;
        assert_eq!(answered, status, "{more}");
        assert_eq!(error["param"], param, "{more}");
        assert_eq!(error["type"], "invalid_request_error", "{more}");
    }
    for broken in [
        &b""[..],
        b"{",
        b"\xff",
        b"[]",
        br#"{"model":1}"#,
        &b"[".repeat(100_000),
    ] {
        assert_eq!(refused(broken.to_vec()).await.0, 400);
    }
    assert_eq!(refused(vec![b' '; serve::MAX_BODY + 1]).await.0, 413);
}

#[tokio::test]
async fn it_answers_only_those_with_its_key() {
    let url = started().await;
    let client = reqwest::Client::new();
    for key in ["", "j", "kk"] {
        let answer = client
            .get(format!("{url}/models"))
            .bearer_auth(key)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["error"]["code"], "invalid_api_key");
    }
    let answer = client
        .get(format!("{url}/models"))
        .bearer_auth("k")
        .send()
        .await
        .unwrap();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["data"][0]["id"], NAME);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let url = started().await;
    let client = reqwest::Client::new();
    for (path, status) in [
        ("chat/completions", 405),
        ("embeddings", 405),
        ("files", 404),
    ] {
        let answer = client
            .get(format!("{url}/{path}"))
            .bearer_auth("k")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
    }
}

/// Posts JSON to a fresh model at `path` of its host, with the key in `header`.
async fn call(path: &str, header: (&str, &str), body: &Value) -> (StatusCode, String) {
    let url = started().await;
    let url = url.strip_suffix("/v1").unwrap();
    let call = reqwest::Client::new().post(format!("{url}{path}"));
    let call = call.header(header.0, header.1).body(body.to_string());
    let answer = call.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn called(path: &str, header: (&str, &str), body: &Value) -> Value {
    let (status, body) = call(path, header, body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str(&body).unwrap()
}

const WEATHER: &str = "How is the weather in Paris?";

fn weather() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] })
}

#[tokio::test]
async fn it_calls_a_tool_by_its_name_and_tells_what_came_of_it() {
    let tool = json!({ "type": "function", "function": { "name": "get_weather", "parameters": weather() } });
    let ask = |more: Value| {
        let mut ask =
            json!({ "tools": [tool], "messages": [{ "role": "user", "content": WEATHER }] });
        ask.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        ask
    };
    let answer = whole(&ask(json!({}))).await;
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "get_weather");
    assert_eq!(call["function"]["arguments"], r#"{"city":"Paris"}"#);
    assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() > 0);

    let chunks = stream(&ask(json!({ "stream": true }))).await;
    let pieces = chunks.iter().flat_map(|chunk| {
        let calls = chunk["choices"][0]["delta"]["tool_calls"].as_array();
        calls.cloned().unwrap_or_default()
    });
    let arguments: String = pieces
        .filter_map(|piece| Some(piece["function"]["arguments"].as_str()?.to_owned()))
        .collect();
    assert_eq!(arguments, r#"{"city":"Paris"}"#);

    for more in [
        json!({ "tool_choice": "none" }),
        json!({ "messages": [{ "role": "user", "content": "How are you?" }] }),
        json!({ "max_tokens": 1 }),
    ] {
        let answer = whole(&ask(more)).await;
        let message = &answer["choices"][0]["message"];
        assert_eq!(message.get("tool_calls"), None, "{answer}");
    }
    let forced =
        json!({ "tool_choice": "required", "messages": [{ "role": "user", "content": "Hm" }] });
    let answer = whole(&ask(forced)).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");

    let told = json!({ "messages": [
        { "role": "user", "content": WEATHER },
        { "role": "assistant", "content": null, "tool_calls": [call] },
        { "role": "tool", "tool_call_id": call["id"], "content": "12 degrees" },
    ] });
    let answer = whole(&ask(told)).await;
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.starts_with("get_weather says “12 degrees”"), "{text}");
}

#[tokio::test]
async fn where_a_schema_is_asked_for_it_answers_by_it() {
    let schema =
        json!({ "type": "object", "properties": { "topic": { "enum": ["river", "sea"] } } });
    let format = json!({ "response_format": {
        "type": "json_schema", "json_schema": { "name": "a", "schema": schema },
    } });
    let answer = whole(&format).await;
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(text, r#"{"topic":"river"}"#);
}

#[tokio::test]
async fn it_speaks_as_anthropic_does() {
    let key = ("x-api-key", "k");
    let tools = json!([{ "name": "get_weather", "input_schema": weather() }]);
    let ask = |content: &str, stream: bool| {
        json!({ "model": NAME, "max_tokens": 100, "stream": stream, "tools": tools,
            "messages": [{ "role": "user", "content": content }] })
    };
    let answer = called("/v1/messages", key, &ask(QUESTION, false)).await;
    assert_eq!(answer["type"], "message");
    assert_eq!(answer["stop_reason"], "end_turn");
    let said = answer["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(said.contains(QUESTION), "{answer}");
    assert_eq!(
        answer["usage"]["output_tokens"],
        words::tokens(&said).count()
    );
    let answer = called("/v1/messages", key, &ask(WEATHER, false)).await;
    assert_eq!(answer["stop_reason"], "tool_use", "{answer}");
    assert_eq!(answer["content"][0]["input"], json!({ "city": "Paris" }));

    let (status, events) = call("/v1/messages", key, &ask(QUESTION, true)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(events.starts_with("event: message_start\n"), "{events}");
    assert!(
        events
            .trim_end()
            .ends_with(r#"data: {"type":"message_stop"}"#),
        "{events}"
    );

    let mut other = ask(QUESTION, false);
    other["model"] = "claude".into();
    let (status, error) = call("/v1/messages", key, &other).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(error.contains("not_found_error"), "{error}");
    let (status, error) = call("/v1/messages", ("x-api-key", "j"), &other).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(error.contains("authentication_error"), "{error}");
}

#[tokio::test]
async fn it_speaks_as_gemini_does() {
    let key = ("x-goog-api-key", "k");
    let path = |method: &str| format!("/v1beta/models/{NAME}:{method}");
    let ask = |text: &str| {
        json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }],
            "tools": [{ "functionDeclarations": [{ "name": "get_weather", "parameters": weather() }] }] })
    };
    let answer = called(&path("generateContent"), key, &ask(QUESTION)).await;
    let candidate = &answer["candidates"][0];
    assert_eq!(candidate["finishReason"], "STOP", "{answer}");
    let said = candidate["content"]["parts"][0]["text"].as_str().unwrap();
    assert!(said.contains(QUESTION), "{answer}");
    assert!(answer["usageMetadata"]["totalTokenCount"].as_u64().unwrap() > 10);
    let answer = called(&path("generateContent"), key, &ask(WEATHER)).await;
    let call_ = &answer["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call_["args"], json!({ "city": "Paris" }), "{answer}");

    let events = path("streamGenerateContent") + "?alt=sse";
    let (status, events) = call(&events, key, &ask(QUESTION)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        events.starts_with("data: {") && events.contains("STOP"),
        "{events}"
    );
    let pieces = called(&path("streamGenerateContent"), key, &ask(QUESTION)).await;
    assert!(pieces.as_array().unwrap().len() > 3, "{pieces}");

    let (status, error) = call("/v1beta/models/other:generateContent", key, &ask(QUESTION)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(error.contains("NOT_FOUND"), "{error}");
    let (status, _) = call(&path("embedContent"), key, &ask(QUESTION)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn it_makes_vectors_of_texts() {
    let key = ("authorization", "Bearer k");
    let ask =
        |input: Value, more: u64| json!({ "model": NAME, "input": input, "dimensions": more });
    let answer = called(
        "/v1/embeddings",
        key,
        &ask(json!(["a weir", "a weir", "b"]), 8),
    )
    .await;
    let vector = |at: usize| answer["data"][at]["embedding"].as_array().unwrap().clone();
    assert_eq!(vector(0).len(), 8);
    assert_eq!(vector(0), vector(1));
    assert_ne!(vector(0), vector(2));
    assert_eq!(answer["usage"]["prompt_tokens"], 5);
    for (input, dimensions) in [(json!([1, 2]), 8), (json!("a"), 5000), (json!([]), 8)] {
        let (status, error) = call("/v1/embeddings", key, &ask(input, dimensions)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{error}");
    }
}
