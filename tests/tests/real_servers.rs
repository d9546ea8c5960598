//! The real servers of the harness come up, do their job, and leave no process behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use weir_tests::child::{self, Child, Kind};
use weir_tests::kafka::Kafka;
use weir_tests::openai::{Provider, Reply};
use weir_tests::prometheus::Prometheus;
use weir_tests::python;
use weir_tests::redis::Redis;
use weir_tests::scratch::Scratch;
use weir_tests::upstream::Behaviour;
use weir_tests::{Upstream, wait};

/// Whether a process of that id exists, a zombie included.
fn exists(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

async fn produce(kafka: &Kafka, topic: &str, value: &str) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("acks", "all")
        .create()
        .unwrap();
    let record = FutureRecord::to(topic).key("k").payload(value);
    producer.send(record, wait::DEADLINE).await.unwrap();
}

#[tokio::test]
async fn kafka_keeps_records_over_a_restart_and_leaves_nothing() {
    let mut kafka = Kafka::start().await;
    kafka.create_topic("orders", 2).await;
    produce(&kafka, "orders", "first").await;
    let before = kafka.pid();
    kafka.restart().await;
    assert!(!exists(before));
    produce(&kafka, "orders", "second").await;

    let mut values: Vec<String> = kafka
        .consume("orders", 2)
        .await
        .iter()
        .map(|record| record.text())
        .collect();
    values.sort();
    assert_eq!(values, ["first", "second"]);
    assert_eq!(kafka.count("orders").await, 2);

    let pid = kafka.pid();
    assert!(exists(pid));
    drop(kafka);
    assert!(!exists(pid));
}

#[tokio::test]
async fn a_paused_kafka_answers_again_when_resumed() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("paused", 1).await;
    kafka.pause();
    let written = tokio::spawn(produce(kafka, "paused", "late"));
    kafka.resume();
    written.await.unwrap();
    assert_eq!(kafka.consume("paused", 1).await[0].text(), "late");
}

#[tokio::test]
async fn redis_keeps_values_over_a_restart_and_leaves_nothing() {
    let mut redis = Redis::start().await;
    assert_eq!(redis.command(&["SET", "key", "value"]), "OK");
    redis.restart().await;
    assert_eq!(redis.command(&["GET", "key"]), "value");
    assert_eq!(
        redis.command(&["CONFIG", "GET", "maxmemory-policy"]),
        "maxmemory-policy\nnoeviction"
    );
    let pid = redis.pid();
    drop(redis);
    assert!(!exists(pid));
}

#[tokio::test]
async fn prometheus_scrapes_and_leaves_nothing() {
    let text = "# TYPE jobs_total counter\njobs_total{kind=\"a\"} 3\n";
    let behaviour = Behaviour::answer(200, &["Content-Type: text/plain; version=0.0.4"], text);
    let target = Upstream::start(behaviour).await;
    let prometheus = Prometheus::start(&[target.addr()], &[]).await;
    let value = prometheus
        .wait_for("sum(jobs_total{kind=\"a\"})", |value| value > 0.0)
        .await;
    assert!((value - 3.0).abs() < f64::EPSILON);
    let pid = prometheus.pid();
    prometheus.stop().await;
    assert!(!exists(pid));
}

/// The processes whose command line holds `marker`.
fn processes_with(marker: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let matches = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.contains(marker) && *pid != std::process::id())
    };
    entries.filter_map(pid).filter(matches).collect()
}

/// This test in a process of its own, which starts a Redis, notes its address and waits.
async fn be_the_victim(note: &Path) {
    let redis = Redis::start().await;
    std::fs::write(note, redis.addr().to_string()).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn servers_die_with_a_killed_test_process() {
    const NOTE: &str = "WEIR_TESTS_VICTIM";
    if let Some(note) = std::env::var_os(NOTE) {
        return be_the_victim(Path::new(&note)).await;
    }
    let dir = Scratch::new("victim");
    let note = dir.path().join("address");
    let mut command = child::command(std::env::current_exe().unwrap());
    command
        .args(["--exact", "servers_die_with_a_killed_test_process"])
        .env(NOTE, &note);
    let victim = Child::start("victim", command);
    let address = wait::until("the victim's Redis", || async {
        std::fs::read_to_string(&note)
            .ok()
            .filter(|text| !text.is_empty())
    })
    .await;
    // Redis shows itself as `redis-server 127.0.0.1:PORT`.
    assert_eq!(processes_with(&address).len(), 1);
    victim.signal(Kind::SIGKILL);
    let what = "the victim's Redis to be gone";
    wait::until_true(what, || processes_with(&address).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_sdk_talks_to_the_harness_provider() {
    let provider = Provider::start(Reply::completion(&["Hel", "lo"], 5, 2)).await;
    let program = r#"
import os, openai
client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key="k", max_retries=0)
ask = dict(model="m", messages=[{"role": "user", "content": "Hi"}])
whole = client.chat.completions.create(**ask)
print(whole.choices[0].message.content, whole.usage.total_tokens)
stream = client.chat.completions.create(**ask, stream=True)
print("".join(event.choices[0].delta.content or "" for event in stream))
"#;
    let output = python::run(program, &[("BASE_URL", &provider.base_url())]);
    assert_eq!(output.stdout, "Hello 7\nHello\n", "{}", output.stderr);
}
