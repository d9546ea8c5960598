//! `publish` with `async`, and no broker: what 202 promises is on disk, and what cannot be there is
//! refused. What comes of it at a broker is in `real_spool.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use serde_json::Value;
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::gateway::Builder;
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, Upstream, cli, wait};

fn builder(broker: SocketAddr) -> Builder {
    Gateway::builder(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
quotas:
  - {{ name: volume, store: ledger, unit: kafka_bytes, limit: {{ default: 100000000 }}, window: {{ kind: fixed, every: month }}, by: [route] }}
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["{broker}"], spool: {{ max_size: 1MiB }} }}
routes:
  - name: later
    matches: [{{ path: {{ template: "/later/{{topic}}" }} }}]
    policies: [{{ kind: quota, quotas: [volume] }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", key: "{{header.x-key}}", async: true }}
  - name: alive
    matches: [{{ path: {{ exact: /alive }} }}]
    respond: {{ body: yes }}
"#
    ))
}

async fn post(gateway: &Gateway, body: impl AsRef<[u8]>) -> Response {
    let headers = ["X-Key: four", "Content-Type: text/plain"];
    let public = gateway.addr("public");
    wire::request(public, "POST", "/later/orders", &headers, body).await
}

fn id(answer: &Response) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["spooled"], true);
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn refused(answer: &Response, code: Code) {
    let said = answer.header("weir-error");
    assert_eq!(said, Some(code.slug()), "{}", answer.text());
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("5"));
}

fn export(gateway: &Gateway) -> Vec<Value> {
    let data = gateway.dir().join("data");
    let printed = cli::run(&["spool", "export", data.to_str().unwrap()]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let lines = printed.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn what_was_promised_is_in_the_directory_of_a_gateway_that_is_gone() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let mut promised = Vec::new();
    for n in 0..50 {
        promised.push(id(&post(&gateway, format!("value {n}")).await));
    }
    let line = gateway
        .wait_for_log(|line| line["messaging"]["message.id"] == *promised[0])
        .await;
    assert_eq!(line["messaging"]["destination.name"], "orders");
    // Key, value, the header of the trace and that of the spool, names and all.
    let volume = &line["weir.quotas"][0];
    assert_eq!(volume["used"], 4 + 7 + (11 + 55) + (13 + 24), "{volume}");
    assert_eq!(volume["provenance"], "counted");
    gateway
        .wait_for_metric("weir_spool_records", &[], |records| records == 50.0)
        .await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;

    let exported = export(&gateway);
    let ids: Vec<&str> = exported
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, promised);
    let first = &exported[0];
    assert_eq!(first["state"], "waiting");
    assert_eq!(
        (&first["cluster"], &first["topic"]),
        (&"events".into(), &"orders".into())
    );
    assert_eq!(first["key"], "Zm91cg==");
    assert_eq!(first["value"], "dmFsdWUgMA==");
    assert_eq!(first["headers"][0]["name"], "traceparent");
    let data = gateway.dir().join("data");
    let listed = cli::run(&["spool", "list", data.to_str().unwrap()]);
    let start = "events: 50 records waiting since 20";
    assert!(listed.stdout.starts_with(start), "{}", listed.stdout);
    assert!(
        listed.stdout.contains(", 0 rejected, "),
        "{}",
        listed.stdout
    );
}

#[tokio::test]
async fn a_full_spool_refuses_and_says_so() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let body = vec![b'x'; 100_000];
    let mut taken = 0;
    let refusal = loop {
        let answer = post(&gateway, &body).await;
        if answer.status != 202 {
            break answer;
        }
        taken += 1;
    };
    refused(&refusal, Code::SpoolFull);
    assert_eq!(taken, 10);
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::SpoolFull.slug())
        .await;
    assert_eq!(
        line["weir.error.detail"],
        "the spool is at its limit of 1048576 bytes"
    );
    assert_eq!(line["weir.quotas"][0]["used"], 0);
    assert_eq!(
        wire::get(gateway.addr("public"), "/alive").await.status,
        200
    );
    // What is small still fits.
    id(&post(&gateway, "small").await);
    assert_eq!(export(&gateway).len(), taken + 1);
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_refuses_until_it_can() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let spool = gateway.dir().join("data/spool/events");
    wait::until_true("the spool to be open", || spool.join("position").exists()).await;
    let aside = gateway.dir().join("aside");
    std::fs::rename(&spool, &aside).unwrap();
    std::fs::write(&spool, "no directory").unwrap();
    refused(&post(&gateway, "refused").await, Code::SpoolUnavailable);
    assert_eq!(
        wire::get(gateway.addr("public"), "/alive").await.status,
        200
    );
    std::fs::remove_file(&spool).unwrap();
    std::fs::rename(&aside, &spool).unwrap();
    let taken = id(&post(&gateway, "taken").await);
    let exported = export(&gateway);
    assert_eq!(exported.len(), 1);
    assert_eq!(exported[0]["id"], *taken);
}
