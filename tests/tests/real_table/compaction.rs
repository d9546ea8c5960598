//! The log cleaner takes away what was overwritten and what was deleted: the table stays what it was, tags
//! included.

use std::time::Duration;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::kafka::{Further, Kafka, Record};
use weir_tests::wait;

use super::scene::{ask, etag, gateway, refused};

const SETTINGS: [(&str, &str); 6] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "500"),
    ("segment.bytes", "1048576"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("max.compaction.lag.ms", "500"),
    // A tombstone goes when the cleaner comes by the second time.
    ("delete.retention.ms", "0"),
];

/// How long the cleaner may take beside other tests.
const PATIENCE: Duration = Duration::from_secs(180);

fn of<'a>(records: &'a [Record], key: &str) -> Vec<&'a Record> {
    let has = |record: &&Record| record.key.as_deref() == Some(key.as_bytes());
    records.iter().filter(has).collect()
}

/// Whether nothing is left but the latest of each key; none of those that were deleted.
fn is_clean(records: &[Record]) -> bool {
    of(records, "gone").is_empty() && (0..5).all(|key| of(records, &format!("k{key}")).len() == 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_cleaner_leaves_is_the_same_table() {
    let further = Further {
        properties: "log.cleaner.backoff.ms=500\nlog.cleaner.min.cleanable.ratio=0.01\n\
                     log.retention.check.interval.ms=500\n"
            .to_owned(),
        ..Further::default()
    };
    let kafka = Kafka::start_with(&further).await;
    let topic = "table-compacted";
    kafka.create_topic_with(topic, 1, &SETTINGS).await;
    let one = gateway(&kafka, topic).await;
    let at = one.addr("public");
    let (mut written, mut last) = (0, String::new());
    for round in 0..10 {
        for key in 0..5 {
            let body = json!({ "round": round, "key": key }).to_string();
            let answer = ask(at, "PUT", &format!("/users/k{key}"), &[], &body).await;
            assert!(answer.status < 300, "{}", answer.text());
            if key == 3 {
                last = etag(&answer);
            }
        }
        let answer = ask(at, "PUT", "/users/gone", &[], "1").await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let answer = ask(at, "DELETE", "/users/gone", &[], "").await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        written += 7;
    }
    // What is written begins a new segment, and only what comes before the last one is cleaned.
    let left = wait::within(
        PATIENCE,
        "the log cleaner to have come by twice".to_owned(),
        || async {
            let answer = ask(at, "PUT", "/users/rolls", &[], "1").await;
            assert!(answer.status < 300, "{}", answer.text());
            let records = kafka.read_to_end(topic).await;
            is_clean(&records).then_some(records)
        },
    )
    .await;
    let kept = left.len() - of(&left, "rolls").len();
    println!("of {written} records {kept} are left, and no tombstone");
    assert_eq!(kept, 5);

    let anew = gateway(&kafka, topic).await;
    let list = ask(anew.addr("public"), "GET", "/users", &[], "")
        .await
        .json();
    assert_eq!(list, ask(at, "GET", "/users", &[], "").await.json());
    let keys: Vec<Value> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["key"].clone())
        .collect();
    assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4", "rolls"]);
    assert_eq!(list[3]["value"], json!({ "round": 9, "key": 3 }));
    // A tag of before the cleaner still names the value.
    let read = ask(anew.addr("public"), "GET", "/users/k3", &[], "").await;
    assert_eq!(etag(&read), last);
    let same = format!("If-Match: {}", etag(&read));
    let written = ask(anew.addr("public"), "PUT", "/users/k3", &[&same], "2").await;
    assert_eq!(written.status, 204, "{}", written.text());
    refused(
        &ask(at, "PUT", "/users/k3", &[&same], "3").await,
        Code::TablePreconditionFailed,
    );
    refused(
        &ask(anew.addr("public"), "GET", "/users/gone", &[], "").await,
        Code::TableKeyUnknown,
    );
}
