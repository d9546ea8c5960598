//! GraphQL over HTTP as those see it who wrote the specification: the audits of npm's `graphql-http`,
//! of its own server behind the gateway; and of `graphql-ws` and `graphql-sse`, both of each.

use weir_tests::{Gateway, node, ports};

/// The route that requests are sent through.
const ROUTE: &str = "graphql: { backends: [{ upstream: up }], introspection: { kind: everybody }, subscriptions: { kind: pass } }";

/// How many audits there are.
const AUDITS: usize = 61;

/// One on which the gateway runs operations itself, of what the same server says.
const COMPOSED: &str = "graphql: { introspection: { kind: everybody }, compose: { sources: [{ kind: graphql, name: up, upstream: up, path: /, schema: 'type Query { hello: String }' }] } }";

#[tokio::test(flavor = "multi_thread")]
async fn no_audit_of_graphql_over_http_fails() {
    for route in [ROUTE, COMPOSED] {
        audit(route).await;
    }
}

async fn audit(route: &str) {
    let port = ports::free();
    let gateway = start(port, route).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wrote_the_protocols_of_subscriptions_find_theirs() {
    let port = ports::free();
    let gateway = start(port, ROUTE).await;
    let (url, port) = (gateway.url("public"), port.to_string());
    let environment = [("PORT", port.as_str()), ("URL", &format!("{url}/graphql"))];
    let program = include_str!("../node/graphql_subscriptions.mjs");
    let run = tokio::task::block_in_place(|| node::run(program, &environment));
    let mut expected = String::new();
    for way in ["socket", "events"] {
        // Over WebSocket an operation that is refused has an error, as events a result of such.
        let refused = |told: &str| match way {
            "socket" => format!("\"{told}\""),
            _ => format!("[\"{told}\"]"),
        };
        let invalid = match way {
            "socket" => r#""Cannot query field \"nothing\" on type \"Subscription\".""#,
            _ => r#"["invalid"]"#,
        };
        for (query, told) in [
            ("{ hello }", r#"[{"hello":"world"}]"#),
            ("mutation { rename }", r#"[{"rename":"renamed"}]"#),
            (
                "subscription { count(first: 3) }",
                r#"[{"count":1},{"count":2},{"count":3}]"#,
            ),
            (
                "subscription { count(first: 1001) }",
                &refused("graphql_limit_exceeded"),
            ),
            ("subscription { nothing }", invalid),
            ("{ hello }", r#"[{"hello":"world"}]"#),
        ] {
            expected.push_str(&format!("{way} {query}: {told}\n"));
        }
    }
    assert_eq!(run.stdout, expected, "{}", run.stderr);
}

async fn start(port: u16, route: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "127.0.0.1:{port}" }}] }}]
routes: [{{ name: all, {route} }}]
"#
    ))
    .await
}
