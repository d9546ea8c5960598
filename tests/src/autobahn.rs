//! Autobahn's cases of WebSocket, as PyPI's `kosoku` runs them of a server, and a server for those of
//! compression.
//!
//! It runs them and says what each came to; what that should be is for the tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::child::Child;
use crate::{Gateway, node, python, wait};

/// How each case was taken, by its name.
pub type Results = BTreeMap<String, Value>;

/// Runs these cases (their names, or patterns of them) of the server at `address`.
///
/// # Panics
/// If the environment for Python is missing, or no case was run.
pub fn run(address: SocketAddr, cases: &[&str]) -> Results {
    let environment = [
        ("URL", &*format!("ws://{address}")),
        ("CASES", &*json!(cases).to_string()),
    ];
    let program = include_str!("../python/websocket_cases.py");
    let run = tokio::task::block_in_place(|| python::run(program, &environment));
    let result = |line: &str| -> Option<(String, Value)> {
        let result: Value = serde_json::from_str(line).ok()?;
        Some((result["case"].as_str()?.to_owned(), result))
    };
    let results: Results = run.stdout.lines().filter_map(result).collect();
    assert!(!results.is_empty(), "{cases:?}: {}", run.stderr);
    results
}

/// Those that were not taken well, or whose extension was not agreed on.
pub fn failed(results: &Results) -> Vec<&Value> {
    let failed =
        |result: &&Value| result["passed"] != true || result["behavior"] == "UNIMPLEMENTED";
    results.values().filter(failed).collect()
}

/// A gateway in front of the server at `upstream`, which passes all it is told.
pub async fn gateway(upstream: SocketAddr) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: all, websocket: {{ backends: [{{ upstream: up }}], max_message: 64MiB }} }}]
"#
    ))
    .await
}

/// A server that sends every message back and compresses what it may; it ends with the child.
///
/// # Panics
/// If Node is missing or it does not listen.
pub async fn compressing_echo() -> (Child, SocketAddr) {
    let server = node::start(include_str!("../node/websocket_echo.mjs"), &[]);
    let port = wait::until("the port of the server", || {
        std::future::ready(server.lines().first().map(|line| line.parse()))
    });
    let port = port.await.expect("it prints a port");
    (server, SocketAddr::from(([127, 0, 0, 1], port)))
}
