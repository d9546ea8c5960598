//! What was answered, held against what is in the topic, after brokers and gateways were stopped, killed,
//! frozen and started again: three brokers, a Redis for what is remembered, and 64 clients.
//!
//! `WEIR_FAULT_RECORDS` says how many records they publish.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

mod account;
mod clients;
mod faults;

use weir_tests::child::Kind;
use weir_tests::gateway::Builder;
use weir_tests::kafka::Brokers;
use weir_tests::redis::Redis;
use weir_tests::{Gateway, cli, wait};

use account::Account;
use clients::{Clients, Place};
use faults::Fault;

/// Where all of it goes.
const TOPIC: &str = "faults";

fn builder(kafka: &Brokers, redis: &Redis) -> Builder {
    let brokers = kafka.bootstrap();
    let brokers: Vec<_> = brokers.split(',').collect();
    Gateway::builder(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: none }} }}
stores: [{{ name: keys, kind: redis, addresses: ["{}"] }}]
kafka_clusters:
  - name: events
    bootstrap_servers: {brokers:?}
    delivery_timeout: 15s
    spool: {{ max_size: 256MiB }}
routes:
  - name: now
    matches: [{{ path: {{ exact: /now }} }}]
    publish: {{ cluster: events, topic: {TOPIC}, key: "{{header.x-key}}", timeout: 5s }}
  - name: later
    matches: [{{ path: {{ exact: /later }} }}]
    publish: {{ cluster: events, topic: {TOPIC}, key: "{{header.x-key}}", async: true }}
  - name: once
    matches: [{{ path: {{ exact: /once }} }}]
    publish: {{ cluster: events, topic: {TOPIC}, key: "{{header.x-key}}", timeout: 5s, idempotency: {{ store: keys, required: true }} }}
"#,
        redis.addr(),
    ))
}

/// How many records are published.
fn wanted() -> usize {
    let said = std::env::var("WEIR_FAULT_RECORDS");
    said.map_or(8_000, |said| said.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_is_true_whatever_brokers_and_gateways_suffer() {
    let redis = Redis::with(&["--appendonly", "yes"]).await;
    let mut kafka = Brokers::start().await;
    kafka.create_topic(TOPIC, 6).await;
    let mut gateway = builder(&kafka, &redis).start().await;
    let place = Place::new(gateway.addr("public"));
    let faults = Fault::course(wanted());
    let clients = Clients::start(&place, wanted(), faults.len());
    for fault in faults {
        println!("{fault:?}");
        clients.release();
        gateway = fault.befall(&mut kafka, gateway, &place).await;
    }
    let told = clients.end().await;

    let data = gateway.dir().join("data");
    wait::until_true("an empty spool", || {
        let listed = cli::run(&["spool", "list", data.to_str().unwrap()]);
        listed.stdout.starts_with("events: 0 records waiting")
    })
    .await;
    let rejected = gateway.metric("weir_spool_rejected_total", &[]).await;
    assert_eq!(rejected, 0.0);
    gateway.signal(Kind::SIGTERM);
    gateway.wait_exit().await;
    let account = Account::of(&told, &kafka.read_all(TOPIC).await);
    println!("{account}");
    account.check();
}
