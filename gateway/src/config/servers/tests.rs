//! Each server is known by its host, and written to as it has published.

use serde_json::Value;
use weir_protocols::anthropic;
use weir_protocols::llm::Request;
use weir_protocols::openai::chat;

use super::Server;

#[test]
fn a_server_is_known_by_its_host() {
    for (authority, server) in [
        ("api.openai.com", Server::Openai),
        ("API.Mistral.ai:443", Server::Mistral),
        ("api.groq.com", Server::Groq),
        ("api.x.ai", Server::Xai),
        ("api.openai.com.example.com", Server::Generic),
        ("127.0.0.1:8000", Server::Generic),
        ("[::1]:8000", Server::Generic),
    ] {
        assert_eq!(Server::of_authority(authority), server, "{authority}");
    }
}

#[test]
fn every_public_address_is_one_of_its_own() {
    for server in Server::PUBLIC {
        let url = server.entry().base_url.expect("a public address");
        assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
        let host = url["https://".len()..].split('/').next().expect("a host");
        assert_eq!(Server::of_authority(host), server);
    }
}

/// A call with everything in which servers differ, but for what only some can answer.
fn asked() -> Request<'static> {
    let body = br#"{"model":"m","max_tokens":9,"n":1,"seed":7,"user":"u","stream":true,
        "frequency_penalty":0.5,"logit_bias":{"1":2},"parallel_tool_calls":false,
        "reasoning_effort":"low",
        "messages":[{"role":"system","content":"s"},{"role":"user","name":"x","content":"q"}],
        "tools":[{"type":"function","function":{"name":"f"}}]}"#;
    chat::read(body).expect("it is one")
}

/// What a server is written, and what is dropped.
fn written(server: Server) -> (Value, Vec<&'static str>) {
    let written = chat::write(&asked(), &server.entry().chat).expect("it can be said");
    let body = serde_json::from_slice(&written.body).expect("JSON");
    (body, written.dropped)
}

#[test]
fn each_server_is_written_what_it_knows_and_the_rest_is_named() {
    use Server::*;
    let rest = ["frequency_penalty", "logit_bias", "parallel_tool_calls"];
    for (server, limit, dropped) in [
        (Generic, "max_tokens", &[][..]),
        (Openai, "max_completion_tokens", &[]),
        (Vllm, "max_tokens", &["user"]),
        (
            Ollama,
            "max_tokens",
            &["logit_bias", "parallel_tool_calls", "user", "name"],
        ),
        (
            Mistral,
            "max_tokens",
            &["logit_bias", "user", "name", "reasoning"],
        ),
        (Groq, "max_completion_tokens", &["logit_bias", "name"]),
        (Together, "max_tokens", &["parallel_tool_calls", "user"]),
        (
            Deepseek,
            "max_tokens",
            &[
                "seed",
                "logit_bias",
                "parallel_tool_calls",
                "user",
                "reasoning",
            ],
        ),
        (Openrouter, "max_tokens", &[]),
        (Xai, "max_completion_tokens", &rest[..2]),
        (Fireworks, "max_tokens", &[]),
        (Cerebras, "max_completion_tokens", &rest),
    ] {
        let (body, named) = written(server);
        assert_eq!(named, dropped, "{server:?}");
        let of = |field: &str| body.get(field).is_some();
        assert_eq!(body[limit], 9, "{server:?}");
        assert_ne!(of("max_tokens"), of("max_completion_tokens"), "{server:?}");
        for (name, field) in [
            ("frequency_penalty", "frequency_penalty"),
            ("logit_bias", "logit_bias"),
            ("parallel_tool_calls", "parallel_tool_calls"),
            ("user", "user"),
            ("reasoning", "reasoning_effort"),
        ] {
            assert_ne!(named.contains(&name), of(field), "{server:?}: {field}");
        }
        assert_eq!(of("random_seed"), server == Mistral, "{server:?}");
        let role = if server == Openai {
            "developer"
        } else {
            "system"
        };
        assert_eq!(body["messages"][0]["role"], role, "{server:?}");
        let unasked = matches!(server, Mistral | Fireworks);
        assert_ne!(of("stream_options"), unasked, "{server:?}");
    }
}

#[test]
fn what_would_change_the_answer_is_refused() {
    use Server::*;
    let with = |members: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}]{members}}}"#)
    };
    let schema =
        r#","response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#;
    for (server, members, path) in [
        (Groq, r#","n":2"#, "n"),
        (Deepseek, r#","n":2"#, "n"),
        (Mistral, r#","logprobs":true"#, "logprobs"),
        (Together, r#","logprobs":true"#, "logprobs"),
        (Deepseek, schema, "response_format"),
    ] {
        let body = with(members);
        let asked = chat::read(body.as_bytes()).expect("it is one");
        let refused = chat::write(&asked, &server.entry().chat).expect_err("refused");
        assert_eq!(refused.path, path, "{server:?}");
        assert!(chat::write(&asked, &Openai.entry().chat).is_ok());
    }
}

#[test]
fn callers_of_other_dialects_are_translated_by_the_same_table() {
    let body = br#"{"model":"m","max_tokens":9,"metadata":{"user_id":"u"},
        "messages":[{"role":"user","content":"q"}]}"#;
    let asked = anthropic::request::read(body).expect("it is one");
    let written = chat::write(&asked, &Server::Mistral.entry().chat).expect("it can be said");
    let body: Value = serde_json::from_slice(&written.body).expect("JSON");
    assert_eq!((&body["max_tokens"], body.get("user")), (&9.into(), None));
    assert_eq!(written.dropped, ["user"]);
}
