//! gRPC's interoperability cases by clients of its own, unmodified: the one for Python, on every way, and
//! those for the Web.

use std::path::Path;

use serde_json::{Value, json};
use weir_tests::grpc::{Scene, Server, testing};
use weir_tests::{node, python};

/// How many cases the program has.
const CASES: usize = 15;

#[tokio::test(flavor = "multi_thread")]
async fn by_grpc_for_python() {
    let scene = Scene::start().await;
    let ways: Vec<Value> = scene
        .ways()
        .iter()
        .map(|way| {
            json!({
                "name": way.name,
                "address": way.address.to_string(),
                "authority": way.tls.then(|| way.authority()),
            })
        })
        .collect();
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let environment = [
        ("PROTOS", protos.to_str().unwrap()),
        ("WAYS", &Value::from(ways.clone()).to_string()),
    ];
    let program = include_str!("../python/grpc_interop.py");
    let run = tokio::task::block_in_place(|| python::run(program, &environment));
    let said: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(said.len(), CASES * ways.len(), "{said:#?}\n{}", run.stderr);
    let failed: Vec<_> = said.iter().filter(|line| !line.ends_with(": ok")).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{}", run.stderr);

    // Each way had a call that was cancelled in the middle and one that was late; two share a server.
    for way in scene.ways() {
        way.server.record().wait_for_abandoned(4).await;
    }
}

/// How many cases the program for the Web has, and for how many clients.
const WEB_CASES: usize = 9 * 3;

/// Google's client for the Web, in text and in binary, and Connect's, calling the test service at a URL.
fn call_for_the_web(url: &str) {
    let descriptors = openssl::base64::encode_block(testing::DESCRIPTORS);
    let environment = [("URL", url), ("DESCRIPTORS", descriptors.as_str())];
    let program = include_str!("../node/grpc_web.mjs");
    let run = tokio::task::block_in_place(|| node::run(program, &environment));
    let said: Vec<&str> = run.stdout.lines().collect();
    let failed: Vec<_> = said.iter().filter(|line| !line.ends_with(": ok")).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{}", run.stderr);
    assert_eq!(said.len(), WEB_CASES, "{said:#?}\n{}", run.stderr);
}

/// What these clients make of a server that speaks to them without a gateway.
#[tokio::test(flavor = "multi_thread")]
async fn for_the_web_past_the_gateway() {
    let server = Server::start_web().await;
    call_for_the_web(&format!("http://{}", server.addr()));
}

/// The same through the gateway, which speaks gRPC to the server.
#[tokio::test(flavor = "multi_thread")]
async fn for_the_web() {
    let scene = Scene::start().await;
    call_for_the_web(&scene.gateway().url("public"));
}
