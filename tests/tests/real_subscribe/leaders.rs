//! A partition whose leader is away: the others flow on, from now and from before, and what it holds is told
//! once it is back.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;
use weir_tests::events::{Event, EventSource};
use weir_tests::kafka::Brokers;
use weir_tests::{Gateway, wait, wire};

/// The partition that is led by the node that goes.
const LOST: i64 = 1;
const ROUNDS: i64 = 20;

fn configuration(kafka: &Brokers) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"], delivery_timeout: 2m }}]
routes:
  - name: ingest
    matches: [{{ path: {{ exact: /ingest }} }}]
    publish: {{ cluster: events, topic: led, partition: "{{header.x-partition}}", timeout: 2m }}
  - name: feed
    matches: [{{ path: {{ exact: /feed }} }}]
    subscribe: {{ cluster: events, topic: led, start: earliest }}
"#,
        kafka.bootstrap().replace(',', "\", \"")
    )
}

async fn publish(public: SocketAddr, partition: i64, value: i64) {
    let header = format!("X-Partition: {partition}");
    let value = value.to_string();
    let answer = wire::request(public, "POST", "/ingest", &[&header], &value).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The values of a partition, in the order they were told.
fn of(partition: i64, told: &[Event]) -> Vec<i64> {
    let records = told.iter().map(Event::json);
    let records = records.filter(|record| record["partition"] == partition);
    records.map(|r| r["value"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_a_leader_delays_no_other_and_is_caught_up_with() {
    let mut kafka = Brokers::start().await;
    kafka.create_topic_on("led", &[1, 2, 3]).await;
    let gateway = Gateway::start(&configuration(&kafka)).await;
    let public = gateway.addr("public");
    for partition in 0..3 {
        wait::until("a first record", || async {
            let header = format!("X-Partition: {partition}");
            let answer = wire::request(public, "POST", "/ingest", &[&header], "0").await;
            (answer.status == 200).then_some(())
        })
        .await;
    }
    let mut feed = EventSource::open(public, "/feed", None).await;
    let mut told = feed.take(3).await;
    let cursor = told[0].id.clone();

    let away = kafka.kill(1, Duration::from_secs(20));
    let meanwhile = async {
        sleep(Duration::from_secs(3)).await;
        // It waits for its leader.
        let late = tokio::spawn(publish(public, LOST, ROUNDS));
        for value in 1..=ROUNDS {
            publish(public, 0, value).await;
            publish(public, 2, value).await;
        }
        let flowed = feed.take(2 * ROUNDS as usize).await;
        assert_eq!(of(LOST, &flowed), [0; 0]);
        // Who comes now, from the beginning or from a cursor, is given what there is.
        let mut anew = EventSource::open(public, "/feed", None).await;
        let from_beginning = anew.take(2 * (1 + ROUNDS) as usize).await;
        let mut again = EventSource::open(public, "/feed", Some(&cursor)).await;
        let from_cursor = again.take(2 * ROUNDS as usize).await;
        assert!(!late.is_finished(), "the leader was away all the time");
        told.extend(flowed);
        (late, (anew, from_beginning), (again, from_cursor))
    };
    let ((), (late, (mut anew, mut first), (mut again, mut second))) =
        tokio::join!(away, meanwhile);
    late.await.unwrap();

    let all: Vec<i64> = (0..=ROUNDS).collect();
    told.extend(feed.take(1).await);
    first.extend(anew.take(2).await);
    for told in [&told, &first] {
        assert_eq!(of(0, told), all);
        assert_eq!(of(2, told), all);
        assert_eq!(of(LOST, told), [0, ROUNDS], "none is missing");
    }
    // The cursor came after one of the first records; the others of them follow it.
    while of(LOST, &second).last() != Some(&ROUNDS) {
        second.extend(again.take(1).await);
    }
    for partition in [0, 2] {
        let told = of(partition, &second);
        assert!(
            all.ends_with(&told) && told.len() >= ROUNDS as usize,
            "{told:?}"
        );
    }
    // Nor is anything after its last cursor.
    let last = feed.last_id().to_owned();
    drop(feed);
    publish(public, LOST, ROUNDS + 1).await;
    let mut later = EventSource::open(public, "/feed", Some(&last)).await;
    assert_eq!(of(LOST, &later.take(1).await), [ROUNDS + 1]);
}
