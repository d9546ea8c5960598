//! What the gateway that has everything is asked.

use serde_json::json;

/// The key of its callers.
const KEY: &str = "Authorization: Bearer example-key-not-for-production\r\n";

/// What opens a WebSocket there.
pub(crate) const HANDSHAKE: &str = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A POST of JSON, with further fields of its head.
pub(crate) fn post(target: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\n{fields}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// What is asked of it, again and again.
pub(crate) fn requests() -> Vec<String> {
    let chat = |model: &str, say: &str, stream: bool| {
        let message = json!({ "role": "user", "content": say });
        json!({ "model": model, "messages": [message], "stream": stream }).to_string()
    };
    let completions = "/v1/chat/completions";
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    vec![
        get("/plain"),
        get("/nowhere"),
        post(
            completions,
            KEY,
            &chat("smart", "Hello, who@example.com.", false),
        ),
        post(completions, KEY, &chat("smart", "And in pieces?", true)),
        post(completions, KEY, &chat("second", "Who answers?", false)),
        post(completions, KEY, &chat("third", "Nobody?", false)),
        post(
            "/graphql",
            "",
            r#"{"query":"query Orders { orders { id } }"}"#,
        ),
        post("/orders", "Idempotency-Key: one\r\n", r#"{"id":1}"#),
        post("/orders", "", r#"{"id":3}"#),
        post("/later", "", r#"{"id":2}"#),
        // More than its topic takes: brokers refuse it once it is promised to be sent.
        post(
            "/too-much",
            "",
            &json!({ "filling": "x".repeat(5_000) }).to_string(),
        ),
        post("/guarded", KEY, "{}"),
        post(
            completions,
            KEY,
            &chat("unpaid", "With another's key?", false),
        ),
        post("/jobs", KEY, &chat("smart", "A job.", false)),
        format!("PUT /users/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}"),
        get("/users/1"),
    ]
}
