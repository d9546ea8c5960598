//! `weir demo`: every command of its guide, pasted into a shell, shows what the guide says it does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use weir_tests::child::{self, Child};
use weir_tests::scratch::Scratch;
use weir_tests::{cli, wait};

/// How the guide begins to say what a command is for, and what of its output shows it.
const SHOWN: [(&str, &[&str]); 26] = [
    ("REST: ", &["\"/echo/hello\"", "\"hi there\""]),
    ("gRPC, as browsers", &["Hello, weir!", "grpc-status: 0"]),
    ("gRPC, as programs", &["Hello, weir! (1 of 5)", "(5 of 5)"]),
    ("gRPC, for who", &[r#"{"message":"Hello, weir!"}"#]),
    (
        "gRPC for the same",
        &[
            r#"data: {"message":"Hello, weir! (1 of 5)"}"#,
            r#"data: {"message":"Hello, weir! (5 of 5)"}"#,
        ],
    ),
    (
        "GraphQL: a query within",
        &["\"Sluice gate\"", "\"related\""],
    ),
    ("GraphQL: a query that goes", &["graphql_limit_exceeded"]),
    ("GraphQL: a field", &["graphql_field_denied"]),
    ("GraphQL: the same", &["\"margin\":21.5"]),
    (
        "GraphQL: a subscription",
        &[
            r#""restocked":{"name":"Stop log""#,
            r#""restocked":{"name":"Staff gauge""#,
            "event: complete",
        ],
    ),
    ("WebSocket: a page", &["new WebSocket"]),
    (
        "WebSocket: something",
        &["HTTP/1.1 101", r#"{"from": "python", "say": "hello"}"#],
    ),
    ("Chat: ", &["HTTP/1.1 200", "chat.completion"]),
    ("Chat, streamed", &["data: [DONE]"]),
    ("Anthropic's", &["\"end_turn\""]),
    ("Gemini's", &["functionCall"]),
    ("A model whose", &["HTTP/1.1 200", "gemini"]),
    ("A prompt as an API", &["\"summary\""]),
    ("A prompt larger", &["HTTP/1.1 429"]),
    ("Publish: ", &["\"partition\""]),
    ("Publish, many", &["\"offset\":0", "\"offset\":1"]),
    (
        "Subscribe: ",
        // Which partition a page begins with is not said.
        &["\"cursor\"", "\"records\":[{", "\"item\":"],
    ),
    (
        "Subscribe, as",
        &["id: ", "data: {\"partition\"", "\"item\":\"lamp\""],
    ),
    ("A route whose", &["HTTP/1.1 502", "connection_refused"]),
    (
        "Metrics",
        &["weir_route=\"greeter\"", "weir_route=\"shop\""],
    ),
    ("The configuration", &["\"routes\""]),
];

/// What may not be there; the guide says so.
const IF_INSTALLED: &str = "grpcurl";

/// The demo, as it runs, and what its guide has to be pasted.
struct Demo {
    _log: Scratch,
    _running: Child,
    commands: Vec<(String, String)>,
}

impl Demo {
    async fn start() -> Demo {
        let log = Scratch::new("demo");
        let mut command = child::command("sh");
        // The log goes elsewhere, as it may get between the lines of the guide.
        command
            .args(["-c", "exec \"$0\" demo --free-ports 2>\"$1\""])
            .arg(cli::executable())
            .arg(log.path().join("log"));
        let running = Child::start("weir demo", command);
        let guide = wait::until("the end of the guide", || {
            let lines = running.lines();
            let whole = lines.iter().any(|line| line.starts_with("Ctrl-C"));
            std::future::ready(whole.then_some(lines))
        })
        .await;
        let commands = guide
            .split(String::is_empty)
            .filter_map(|lines| {
                let (first, command) = lines.split_first()?;
                let what = first.strip_prefix("# ")?;
                Some((what.to_owned(), command.join("\n")))
            })
            .collect();
        Demo {
            _log: log,
            _running: running,
            commands,
        }
    }
}

fn installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .output()
        .unwrap();
    found.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_guide_shows_what_it_says() {
    let demo = Demo::start().await;
    assert_eq!(demo.commands.len(), SHOWN.len(), "{:#?}", demo.commands);
    for (what, command) in &demo.commands {
        let shown = SHOWN.iter().find(|(begin, _)| what.starts_with(begin));
        let (_, shown) = shown.unwrap_or_else(|| panic!("nobody knows what this shows: {what}"));
        if what.contains(&format!("if {IF_INSTALLED} is installed")) && !installed(IF_INSTALLED) {
            continue;
        }
        let run = tokio::task::block_in_place(|| {
            Command::new("sh").args(["-c", command]).output().unwrap()
        });
        let output = String::from_utf8_lossy(&run.stdout);
        let complaints = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{what}\n{command}\n{complaints}");
        for part in *shown {
            assert!(
                output.contains(part),
                "{part} is missing\n{what}\n{command}\n{output}{complaints}"
            );
        }
    }
}
