//! Official SDKs, unmodified but for a base URL and a key, each in front of providers of every
//! dialect: they chat, stream, call tools and answer for them, and fail by exceptions of their own.

use serde_json::{Value, json};
use weir_tests::cli::Output;
use weir_tests::models::{self, Dialect, Said};
use weir_tests::{Behaviour, Gateway, Upstream, node, python};

fn said() -> Said {
    Said {
        pieces: ["It ", "holds."].map(str::to_owned).into(),
        call: Some(("look_up".to_owned(), json!({ "place": "here" }))),
        usage: (21, 9),
    }
}

/// What an SDK is run against. Of each dialect there is a provider that answers, one that is
/// limited, one that will not have the request, one that breaks off when it has said a word, and one
/// that is overloaded by then.
struct Scene {
    gateway: Gateway,
    _providers: Vec<(String, Dialect, Upstream)>,
}

async fn scene() -> Scene {
    let mut providers = Vec::new();
    for dialect in Dialect::ALL {
        for (role, behaviour) in [
            ("", dialect.says(said())),
            ("limited-", fails(dialect, 429)),
            ("refused-", fails(dialect, 400)),
            ("breaks-", dialect.breaks_off(said(), begun(dialect))),
            ("overloaded-", dialect.overloads(said(), begun(dialect))),
        ] {
            let name = format!("{role}{}", dialect.word());
            providers.push((name, dialect, Upstream::start(behaviour).await));
        }
    }
    let named: Vec<_> = providers
        .iter()
        .map(|(name, dialect, upstream)| (name.as_str(), *dialect, upstream))
        .collect();
    let gateway = models::gateway(&named).await;
    Scene {
        gateway,
        _providers: providers,
    }
}

/// The events of a stream until some text has come.
fn begun(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Openai | Dialect::Bedrock => 3,
        Dialect::Anthropic => 5,
        Dialect::Gemini => 2,
    }
}

/// A provider that answers with its dialect's error.
fn fails(dialect: Dialect, status: u16) -> Behaviour {
    let message = "not like this";
    let (kind, google) = match status {
        429 => ("rate_limit_error", "RESOURCE_EXHAUSTED"),
        _ => ("invalid_request_error", "INVALID_ARGUMENT"),
    };
    let body: Value = match dialect {
        Dialect::Openai => json!({ "error": {
            "message": message, "type": kind, "param": null, "code": null } }),
        Dialect::Anthropic => json!({ "type": "error", "request_id": "req_1",
            "error": { "type": kind, "message": message } }),
        Dialect::Gemini => json!({ "error": {
            "code": status, "message": message, "status": google } }),
        Dialect::Bedrock => json!({ "message": message }),
    };
    let kind = match status {
        429 => "x-amzn-ErrorType: ThrottlingException",
        _ => "x-amzn-ErrorType: ValidationException",
    };
    let headers = ["Content-Type: application/json", kind];
    Behaviour::answer(status, &headers, body.to_string())
}

/// Runs programs of a language, given as text.
type Run = fn(&str, &[(&str, &str)]) -> Output;

/// What a program says of an SDK.
struct Expected {
    /// How it writes what a tool was called with.
    arguments: &'static str,
    /// Of the turn after the tool's.
    again: &'static str,
    /// Of the failures of each dialect's providers.
    fails: [&'static str; 4],
    /// Of all else.
    rest: &'static [&'static str],
}

/// Runs a program against a scene, and holds what it says against what is expected.
async fn run(program: &str, run: Run, expected: Expected) {
    let scene = scene().await;
    let url = scene.gateway.url("public");
    let environment = [
        ("BASE_URL", url.as_str()),
        ("KEY", "example-key-not-for-production"),
        ("MODELS", "openai anthropic gemini bedrock"),
    ];
    let run = tokio::task::block_in_place(|| run(program, &environment));
    let said: Vec<&str> = run.stdout.lines().collect();
    let holds = format!("It holds. look_up {} 30", expected.arguments);
    let (whole, stream) = (format!("whole {holds}"), format!("stream {holds}"));
    let turns = [whole.as_str(), stream.as_str(), expected.again];
    let all: Vec<&str> = [turns; Dialect::ALL.len()]
        .iter()
        .flatten()
        .chain([expected.fails; Dialect::ALL.len()].iter().flatten())
        .copied()
        .chain(expected.rest.iter().copied())
        .collect();
    assert_eq!(said, all, "{}", run.stderr);
}

const PYTHONS: &str = "{'place': 'here'}";
const NODES: &str = r#"{"place":"here"}"#;

/// How OpenAI's SDKs say that a call failed.
const OPENAI_FAILS: [&str; 4] = [
    "rate limit provider_rate_limited",
    "bad request not like this",
    "broken http_response_incomplete",
    "overloaded provider_overloaded",
];
const OPENAI_REST: [&str; 2] = [
    "not found model_not_found",
    "authentication credential_invalid",
];

#[tokio::test(flavor = "multi_thread")]
async fn openais_for_python_by_chat_completions() {
    let expected = Expected {
        arguments: PYTHONS,
        again: "again tool_calls",
        fails: OPENAI_FAILS,
        rest: &OPENAI_REST,
    };
    let program = include_str!("../python/sdks/openai_chat.py");
    run(program, python::run, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_for_python_by_responses() {
    let expected = Expected {
        arguments: PYTHONS,
        again: "again look_up",
        fails: OPENAI_FAILS,
        rest: &OPENAI_REST,
    };
    let program = include_str!("../python/sdks/openai_responses.py");
    run(program, python::run, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_for_node_by_chat_completions() {
    let expected = Expected {
        arguments: NODES,
        again: "again tool_calls",
        fails: OPENAI_FAILS,
        rest: &OPENAI_REST,
    };
    let program = include_str!("../node/sdks/openai_chat.mjs");
    run(program, node::run, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_for_node_by_responses() {
    let expected = Expected {
        arguments: NODES,
        again: "again look_up",
        fails: OPENAI_FAILS,
        rest: &OPENAI_REST,
    };
    let program = include_str!("../node/sdks/openai_responses.mjs");
    run(program, node::run, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropics() {
    let expected = Expected {
        arguments: PYTHONS,
        again: "again tool_use",
        fails: [
            "rate limit provider_rate_limited",
            "bad request not like this",
            "broken http_response_incomplete",
            "overloaded overloaded_error",
        ],
        rest: &[
            "count True",
            "models ['openai', 'limited-openai']",
            "not found model_not_found",
            "authentication credential_invalid",
        ],
    };
    let program = include_str!("../python/sdks/anthropic_messages.py");
    run(program, python::run, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn googles() {
    let expected = Expected {
        arguments: PYTHONS,
        again: "again STOP",
        fails: [
            "rate limit 429 RESOURCE_EXHAUSTED",
            "bad request 400 INVALID_ARGUMENT not like this",
            "broken 500 INTERNAL",
            "overloaded 503 UNAVAILABLE",
        ],
        rest: &[
            "count True",
            "not found 404 NOT_FOUND",
            "authentication 401 UNAUTHENTICATED",
        ],
    };
    let program = include_str!("../python/sdks/google_genai.py");
    run(program, python::run, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_by_embeddings() {
    let json = "Content-Type: application/json";
    // 0.5 and -1, then 2 and 0.25, as the SDK asks for them.
    let alike = r#"{"object":"list","model":"e","data":[
        {"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},
        {"object":"embedding","index":1,"embedding":"AAAAQAAAgD4="}],
        "usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let other = r#"{"embeddings":[{"values":[0.5,-1]},{"values":[2,0.25]}]}"#;
    let openai = Upstream::start(Behaviour::answer(200, &[json], alike)).await;
    let gemini = Upstream::start(Behaviour::answer(200, &[json], other)).await;
    let providers = [
        ("openai", Dialect::Openai, &openai),
        ("gemini", Dialect::Gemini, &gemini),
        ("anthropic", Dialect::Anthropic, &gemini),
    ];
    let gateway = models::gateway(&providers).await;
    let url = gateway.url("public");
    let environment = [
        ("BASE_URL", url.as_str()),
        ("KEY", "example-key-not-for-production"),
        ("MODELS", "openai gemini"),
    ];
    let program = include_str!("../python/sdks/openai_embeddings.py");
    let run = tokio::task::block_in_place(|| python::run(program, &environment));
    let said: Vec<&str> = run.stdout.lines().collect();
    let expected = [
        "openai [[0.5, -1.0], [2.0, 0.25]] 5",
        "gemini [[0.5, -1.0], [2.0, 0.25]] 5",
        "bad request model",
        "not found model_not_found",
    ];
    assert_eq!(said, expected, "{}", run.stderr);
}
