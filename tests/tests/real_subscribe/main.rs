//! `subscribe` on a real Kafka: what is in a topic reaches whoever asks for it, in order, from wherever it
//! was, by whichever gateway.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cursor;
mod events;
mod leaders;
mod page;
mod poll;
mod resume;
mod socket;

use serde_json::Value;
use weir_tests::Gateway;
use weir_tests::kafka::{Kafka, Written};

const KEYS: &str = "cursor_keys: [{ secret: cursors }]";

/// A gateway that gives out all topics; any two of them are two of one fleet.
async fn gateway(kafka: &Kafka) -> Gateway {
    with_keys(kafka, KEYS).await
}

async fn with_keys(kafka: &Kafka, keys: &str) -> Gateway {
    Gateway::start(&configuration(kafka, keys)).await
}

fn configuration(kafka: &Kafka, keys: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
secrets:
  - {{ name: cursors, value: "{}" }}
  - {{ name: newer, value: "{}" }}
kafka_clusters:
  - name: events
    bootstrap_servers: ["{}"]
    {keys}
routes:
  - name: feed
    matches: [{{ path: {{ template: "/feeds/{{topic}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", max_records: 5 }}
  - name: values
    matches: [{{ path: {{ template: "/values/{{topic}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", format: value, start: earliest }}
  - name: cloud-events
    matches: [{{ path: {{ template: "/cloud-events/{{topic}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", format: cloud_event, start: earliest }}
  - name: mine
    matches: [{{ path: {{ template: "/mine/{{topic}}/{{who}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", start: earliest, filter: {{ key: "{{path.who}}" }} }}
"#,
        "a".repeat(32),
        "b".repeat(32),
        kafka.bootstrap()
    )
}

/// Writes such values to a partition.
async fn write(kafka: &Kafka, topic: &str, partition: i32, values: &[&str]) {
    let records: Vec<_> = values
        .iter()
        .map(|value| Written {
            value: Some(value.as_bytes()),
            ..Written::default()
        })
        .collect();
    kafka.write(topic, partition, &records).await;
}

/// What records hold, in the order they came.
fn values<'v>(records: impl IntoIterator<Item = &'v Value>) -> Vec<Value> {
    let records = records.into_iter();
    records.map(|record| record["value"].clone()).collect()
}
