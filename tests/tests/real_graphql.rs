//! GraphQL over HTTP as those see it who wrote the specification: the audits of npm's `graphql-http`,
//! of its own server behind the gateway.

use weir_tests::{Gateway, node, ports};

/// The kind of route requests are sent through.
const ROUTE: &str = "forward";

/// How many audits there are.
const AUDITS: usize = 61;

#[tokio::test(flavor = "multi_thread")]
async fn no_audit_of_graphql_over_http_fails() {
    let port = ports::free();
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "127.0.0.1:{port}" }}] }}]
routes: [{{ name: all, {ROUTE}: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await;
    let (url, port) = (gateway.url("public"), port.to_string());
    let environment = [("PORT", port.as_str()), ("URL", &format!("{url}/graphql"))];
    let program = include_str!("../node/graphql_audit.mjs");
    let run = tokio::task::block_in_place(|| node::run(program, &environment));
    let audits: Vec<&str> = run.stdout.lines().collect();
    // Without the gateway there is not as much as a warning.
    let failed: Vec<_> = audits
        .iter()
        .filter(|line| !line.starts_with("ok "))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}\n{}", run.stderr);
    assert_eq!(audits.len(), AUDITS, "{audits:#?}\n{}", run.stderr);
}
