//! Autobahn's cases of WebSocket, as PyPI's `kosoku` runs them, of a real server: past the gateway and
//! through it. What is well past it has to be well through it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use weir_tests::{Gateway, python};

/// All but those of compression (12 and 13), which the server does not offer.
const CASES: [&str; 9] = [
    "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*",
];

/// How many cases that makes.
const COUNT: usize = 301;

/// A server that sends every message back.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp));
        }
    });
    address
}

/// Until the client is gone or has done what it must not, which most of the cases are about.
async fn serve(tcp: TcpStream) {
    let Ok(mut socket) = accept_async(tcp).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let echoed = message.is_text() || message.is_binary();
        if echoed && socket.send(message).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_case_fails_only_through_the_gateway() {
    let upstream = echo().await;
    let gateway = Gateway::start(&format!(
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
    .await;
    let past = format!("ws://{upstream}");
    let through = format!("ws://{}", gateway.addr("public"));
    let environment = [
        ("URLS", &*json!([past, through]).to_string()),
        ("CASES", &*json!(CASES).to_string()),
    ];
    let program = include_str!("../python/websocket_cases.py");
    let run = tokio::task::block_in_place(|| python::run(program, &environment));
    let mut results: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for line in run.stdout.lines() {
        let result: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| result[name].as_str().unwrap().to_owned();
        let of = results.entry(text("url")).or_default();
        of.insert(text("case"), result.clone());
    }
    let [past, through] = [past, through].map(|url| results.remove(&url).unwrap_or_default());
    let counts = (past.len(), through.len());
    assert_eq!(counts, (COUNT, COUNT), "{}", run.stderr);
    let failed = |results: &BTreeMap<String, Value>| -> Vec<Value> {
        let failed = |result: &&Value| result["passed"] != true;
        results.values().filter(failed).cloned().collect()
    };
    // Else there would be nothing to lose.
    assert!(failed(&past).is_empty(), "past it: {:#?}", failed(&past));
    assert!(failed(&through).is_empty(), "{:#?}", failed(&through));
}
