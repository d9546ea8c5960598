//! OpenAI's own Python SDK on the gateway, unmodified but for its base URL and key.

use weir_tests::openai::{Provider, Reply};
use weir_tests::{Gateway, python};

const PROGRAM: &str = r#"
import os, openai
client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["KEY"], max_retries=0)
ask = dict(model="smart", max_tokens=20, messages=[{"role": "user", "content": "Hi"}])

whole = client.chat.completions.create(**ask)
print("whole", whole.choices[0].message.content, whole.usage.total_tokens)

chunks = list(client.chat.completions.create(stream=True, **ask))
text = "".join(c.choices[0].delta.content or "" for c in chunks)
print("stream", text, any(c.usage for c in chunks))

chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **ask))
print("usage", chunks[-1].usage.total_tokens)

print("models", [m.id for m in client.models.list()])

try:
    client.chat.completions.create(**{**ask, "model": "gpt-9"})
except openai.NotFoundError as error:
    print("not found", error.code, error.param)

try:
    client.chat.completions.create(**{**ask, "messages": []})
except openai.BadRequestError as error:
    print("bad request", error.code, error.param)

try:
    client.with_options(api_key="wrong").chat.completions.create(**ask)
except openai.AuthenticationError as error:
    print("authentication", error.code)

try:
    client.chat.completions.create(**{**ask, "messages": [{"role": "user", "content": "word " * 4000}]})
except openai.RateLimitError as error:
    print("rate limit", error.code, error.response.headers["ratelimit-policy"])
"#;

#[tokio::test(flavor = "multi_thread")]
async fn openais_sdk_chats_streams_and_knows_our_errors() {
    let provider = Provider::start(Reply::completion(&["Hel", "lo"], 5, 2)).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
providers: [{{ name: mock, dialect: openai, base_url: "{}" }}]
models: [{{ name: smart, targets: [{{ provider: mock, model: gpt-test }}] }}]
consumers:
  - name: assistant
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 2000 }}, window: {{ kind: fixed, every: month }}, by: [consumer] }}
routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [smart] }}
"#,
        provider.base_url()
    ))
    .await;
    let base_url = format!("{}/v1", gateway.url("public"));
    let environment = [
        ("BASE_URL", base_url.as_str()),
        ("KEY", "example-key-not-for-production"),
    ];
    let run = tokio::task::block_in_place(|| python::run(PROGRAM, &environment));
    let said: Vec<&str> = run.stdout.lines().collect();
    let expected = [
        "whole Hello 7",
        "stream Hello False",
        "usage 7",
        "models ['smart']",
        "not found model_not_found model",
        "bad request request_body_invalid messages",
        "authentication credential_invalid",
        "rate limit quota_exhausted \"tokens\";q=2000;qu=\"tokens\";w=2678400",
    ];
    assert_eq!(said, expected, "{}", run.stderr);
}
