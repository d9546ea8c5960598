//! A subscriber that comes again and again, by stream or by polling, to one of two gateways, either of which
//! may be killed, for `WEIR_SOAK_SECONDS` (60 unless said) of traffic: it sees every record of each partition,
//! once and in order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use weir_tests::child::Kind;
use weir_tests::events::EventSource;
use weir_tests::kafka::Kafka;
use weir_tests::{Gateway, wire};

const PARTITIONS: i32 = 4;
const TOPIC: &str = "soaked";

fn yaml(kafka: &Kafka) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: none }} }}
secrets: [{{ name: cursors, value: "{}" }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"], cursor_keys: [{{ secret: cursors }}] }}]
routes: [{{ name: feed, matches: [{{ path: {{ exact: /feed }} }}], subscribe: {{ cluster: events, topic: {TOPIC} }} }}]
"#,
        "a".repeat(32),
        kafka.bootstrap()
    )
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// Writes to all partitions, in bursts, until told to stop; how many records each was given.
async fn write(kafka: &Kafka, stop: Arc<AtomicBool>) -> Vec<i64> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    let mut dice = Dice(7);
    let mut written = vec![0; PARTITIONS as usize];
    while !stop.load(Ordering::Relaxed) {
        let partition = dice.roll(PARTITIONS as u64) as usize;
        let mut sent = Vec::new();
        for _ in 0..dice.roll(40) {
            let value = written[partition].to_string();
            written[partition] += 1;
            let record: FutureRecord<'_, (), str> = FutureRecord::to(TOPIC)
                .partition(partition as i32)
                .payload(&value);
            sent.push(
                producer
                    .send_result(record)
                    .map_err(|(error, _)| error)
                    .unwrap(),
            );
        }
        for sent in sent {
            sent.await.unwrap().map_err(|(error, _)| error).unwrap();
        }
        sleep(Duration::from_millis(dice.roll(60))).await;
    }
    written
}

/// One who reads on from where it was.
struct Subscriber {
    cursor: String,
    /// How many records of each partition it saw.
    seen: Vec<i64>,
    turns: usize,
}

impl Subscriber {
    fn take(&mut self, record: &Value) {
        let partition = record["partition"].as_i64().unwrap() as usize;
        let expected = self.seen[partition];
        assert_eq!(
            record["offset"], expected,
            "partition {partition}: a gap or another order"
        );
        assert_eq!(record["value"], expected);
        self.seen[partition] += 1;
    }

    /// Follows for a while, and breaks off amid it.
    async fn follow(&mut self, gateway: &Gateway, time: Duration) {
        self.turns += 1;
        let opened = EventSource::try_open(gateway.addr("public"), "/feed", Some(&self.cursor));
        let Ok(mut feed) = opened.await else {
            return;
        };
        let _ = timeout(time, async {
            while let Some(event) = feed.next().await {
                self.take(&event.json());
                self.cursor = event.id;
            }
        })
        .await;
    }

    /// Asks once.
    async fn poll(&mut self, gateway: &Gateway, limit: u64) {
        self.turns += 1;
        let target = format!("/feed?cursor={}&limit={limit}&wait=50ms", self.cursor);
        let answer = wire::get(gateway.addr("public"), &target).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        for record in answer["records"].as_array().unwrap() {
            self.take(record);
        }
        self.cursor = answer["cursor"].as_str().unwrap().to_owned();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_again_to_any_gateway_sees_every_record_once_and_in_order() {
    let seconds = std::env::var("WEIR_SOAK_SECONDS").map_or(60, |said| said.parse().unwrap());
    let kafka: &'static Kafka = Kafka::shared().await;
    kafka.create_topic(TOPIC, PARTITIONS).await;
    let mut gateways = [
        Gateway::start(&yaml(kafka)).await,
        Gateway::start(&yaml(kafka)).await,
    ];
    let first = wire::get(gateways[0].addr("public"), "/feed").await.json();
    let mut subscriber = Subscriber {
        cursor: first["cursor"].as_str().unwrap().to_owned(),
        seen: vec![0; PARTITIONS as usize],
        turns: 0,
    };
    let stop = Arc::<AtomicBool>::default();
    let writer = tokio::spawn(write(kafka, stop.clone()));
    let mut dice = Dice(42);
    let (until, mut kills) = (Instant::now() + Duration::from_secs(seconds), 0);
    while Instant::now() < until {
        let which = dice.roll(2) as usize;
        match dice.roll(40) {
            0 => {
                gateways[which].signal(Kind::SIGKILL);
                gateways[which].wait_exit().await;
                gateways[which] = gateways[which].successor().start().await;
                kills += 1;
            }
            1..10 => subscriber.poll(&gateways[which], dice.roll(200) + 1).await,
            _ => {
                let time = Duration::from_millis(dice.roll(800));
                subscriber.follow(&gateways[which], time).await;
            }
        }
        sleep(Duration::from_millis(dice.roll(100))).await;
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while subscriber.seen != written && Instant::now() < end {
        subscriber.poll(&gateways[0], 500).await;
    }
    println!(
        "{} records in {PARTITIONS} partitions, seen in {} turns with {kills} gateways killed",
        written.iter().sum::<i64>(),
        subscriber.turns
    );
    assert_eq!(subscriber.seen, written);
}
