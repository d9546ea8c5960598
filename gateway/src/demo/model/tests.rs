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
        assert!(chunk.as_object().unwrap().contains_key("usage"), "{chunk}");
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
        { "type": "image_url", "image_url": { "url": "data:," } },
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

    let silent = json!({ "messages": [{ "role": "assistant", "content": null }] });
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
        (
            json!({ "max_completion_tokens": 0 }),
            400,
            "max_completion_tokens",
        ),
        (json!({ "n": 2 }), 400, "n"),
        (json!({ "stream_options": {} }), 400, "stream_options"),
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
    for (path, status) in [("chat/completions", 405), ("embeddings", 404)] {
        let answer = client
            .get(format!("{url}/{path}"))
            .bearer_auth("k")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
    }
}
