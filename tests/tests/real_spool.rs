//! `publish` with `async` on a real Kafka: every 202 is in the topic in the end, in order per key, whatever
//! happens to the gateway and the broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::gateway::Builder;
use weir_tests::kafka::{Kafka, Record};
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, Upstream, cli, wait};

fn yaml(broker: &str, properties: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}", drain_timeout: 10s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
kafka_clusters:
  - name: events
    bootstrap_servers: ["{broker}"]
    properties: {{ topic.metadata.propagation.max.ms: 2000, message.max.bytes: 4000000{properties} }}
    spool: {{ max_size: 64MiB }}
routes:
  - name: later
    matches: [{{ path: {{ template: "/later/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", key: "{{header.x-key}}", max_body: 3MiB, async: true }}
  - name: alive
    matches: [{{ path: {{ exact: /alive }} }}]
    respond: {{ body: yes }}
"#
    )
}

fn builder(broker: &str) -> Builder {
    Gateway::builder(&yaml(broker, ""))
}

async fn post(public: SocketAddr, topic: &str, body: &[u8]) -> Response {
    let path = format!("/later/{topic}");
    wire::request(public, "POST", &path, &["X-Key: key"], body).await
}

/// Clients that publish one record after the other, each with a key of its own.
struct Clients {
    promised: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Clients {
    fn start(public: SocketAddr, topic: &str, turn: usize, clients: usize) -> Clients {
        let (promised, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let client = |number| {
            let key = format!("{turn}-{number}");
            let work = client(
                public,
                topic.to_owned(),
                key,
                promised.clone(),
                stop.clone(),
            );
            tokio::spawn(work)
        };
        let clients = (0..clients).map(client).collect();
        Clients {
            promised,
            stop,
            clients,
        }
    }

    async fn reach(&self, count: usize) {
        let reached = || self.promised.load(Ordering::Relaxed) >= count;
        wait::until_true(format!("{count} promises"), reached).await;
    }

    /// The values that were promised, by client.
    async fn stop(self) -> Vec<Vec<String>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in self.clients {
            all.push(client.await.unwrap());
        }
        all
    }
}

/// Publishes until told to stop or nobody answers; returns what was promised.
async fn client(
    public: SocketAddr,
    topic: String,
    key: String,
    promised: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let mut known = Vec::new();
    let mut open: Option<wire::Connection> = None;
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut connection = match open.take() {
            Some(connection) => connection,
            None => wire::Connection::open(public).await,
        };
        let value = format!("{key}/{n}");
        let headers = [&*format!("X-Key: {key}")];
        let path = format!("/later/{topic}");
        let request = wire::message(public, "POST", &path, &headers, value.as_bytes());
        if connection.send(request).await.is_err() {
            break;
        }
        match connection.try_response_to("POST").await {
            Ok(answer) if answer.status == 202 && answer.broken.is_none() => {
                known.push(value);
                promised.fetch_add(1, Ordering::Relaxed);
                open = (!answer.closed).then_some(connection);
            }
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => break,
        }
    }
    known
}

/// That each record came once.
fn once(records: &[Record]) {
    let mut seen = HashSet::new();
    let count = records.len();
    let first = |record: &&Record| seen.insert(record.header("weir-spool-id").unwrap());
    let different = records.iter().filter(first).count();
    assert_eq!(different, count, "written more than once");
}

/// Every promise was kept, and what there is of a key is in its order.
fn check(records: &[Record], promised: &[Vec<String>]) {
    let values: HashSet<String> = records.iter().map(Record::text).collect();
    for value in promised.iter().flatten() {
        assert!(
            values.contains(value),
            "{value} was promised and is not there"
        );
    }
    let mut by_key: BTreeMap<Vec<u8>, Vec<(i64, usize)>> = BTreeMap::new();
    for record in records {
        let (_, number) = record
            .text()
            .rsplit_once('/')
            .map(|(k, n)| (k.to_owned(), n.to_owned()))
            .unwrap();
        let key = record.key.clone().unwrap();
        let numbers = by_key.entry(key).or_default();
        numbers.push((record.offset, number.parse().unwrap()));
    }
    for (key, mut numbers) in by_key {
        numbers.sort_unstable();
        let order: Vec<usize> = numbers.iter().map(|(_, number)| *number).collect();
        let expected: Vec<usize> = (0..order.len()).collect();
        assert_eq!(order, expected, "{}", String::from_utf8_lossy(&key));
    }
}

/// What is in the topic once nothing waits on disk any more.
async fn drained(gateway: &Gateway, topic: &str, kafka: &Kafka) -> Vec<Record> {
    let data = gateway.dir().join("data");
    wait::until_true("an empty spool", || {
        let listed = cli::run(&["spool", "list", data.to_str().unwrap()]);
        listed.stdout.starts_with("events: 0 records waiting")
    })
    .await;
    let count = kafka.count(topic).await.unsigned_abs() as usize;
    kafka.consume(topic, count).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_is_kept_through_kills_of_the_gateway_and_a_broker_that_is_gone() {
    let mut kafka = Kafka::start().await;
    kafka.create_topic("later", 3).await;
    let mut gateway = builder(&kafka.bootstrap()).start().await;
    let mut promised = Vec::new();
    for turn in 0..4 {
        match turn {
            1 => kafka.stop().await,
            3 => kafka.restart().await,
            _ => {}
        }
        let clients = Clients::start(gateway.addr("public"), "later", turn, 8);
        clients.reach(400).await;
        gateway.signal(Kind::SIGKILL);
        gateway.wait_exit().await;
        promised.extend(clients.stop().await);
        gateway = gateway.successor().start().await;
    }
    let records = drained(&gateway, "later", &kafka).await;
    once(&records);
    check(&records, &promised);
    let count = promised.iter().flatten().count();
    println!("{count} promised, {} written", records.len());
    // At most one of each client was never answered.
    assert!(records.len() <= count + promised.len());
    let rejected = gateway.metric("weir_spool_rejected_total", &[]).await;
    assert_eq!(rejected, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_and_a_reload_refuse_nobody_and_lose_nothing() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("upgraded", 3).await;
    let old = builder(&kafka.bootstrap()).start().await;
    let clients = Clients::start(old.addr("public"), "upgraded", 0, 8);
    clients.reach(100).await;
    let changed = yaml(&kafka.bootstrap(), ", linger.ms: 1");
    assert_eq!(old.reload(&changed).await, "ok");
    clients
        .reach(clients.promised.load(Ordering::Relaxed) + 100)
        .await;
    let new = old.successor().arg("--upgrade").start().await;
    assert!(old.wait_exit().await.success());
    clients
        .reach(clients.promised.load(Ordering::Relaxed) + 100)
        .await;
    let promised = clients.stop().await;
    let records = drained(&new, "upgraded", kafka).await;
    once(&records);
    let values: HashSet<String> = records.iter().map(Record::text).collect();
    for value in promised.iter().flatten() {
        assert!(
            values.contains(value),
            "{value} was promised and is not there"
        );
    }
}

#[tokio::test]
async fn what_the_broker_refuses_is_kept_aside_and_holds_up_nobody() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("mixed", 1).await;
    let gateway = builder(&kafka.bootstrap()).start().await;
    let public = gateway.addr("public");
    let mut ids = HashMap::new();
    let large = vec![b'x'; 2_000_000];
    for (topic, body) in [
        ("mixed", &b"before"[..]),
        ("nowhere", b"lost"),
        ("mixed", &large),
        ("mixed", b"after"),
    ] {
        let answer = post(public, topic, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        ids.insert(id, (topic, body.len()));
    }
    let records = kafka.consume("mixed", 2).await;
    assert_eq!(
        records.iter().map(Record::text).collect::<Vec<_>>(),
        ["before", "after"]
    );
    for (code, count) in [
        (Code::KafkaTopicUnknown, 1.0),
        (Code::KafkaRecordTooLarge, 1.0),
    ] {
        let labels = [("error_type", code.slug())];
        gateway
            .wait_for_metric("weir_spool_rejected_total", &labels, |n| n == count)
            .await;
    }
    gateway
        .wait_for_metric("weir_spool_records", &[], |records| records == 0.0)
        .await;
    let data = gateway.dir().join("data");
    let exported = cli::run(&[
        "spool",
        "export",
        data.to_str().unwrap(),
        "--cluster",
        "events",
    ]);
    let mut rejected = 0;
    for line in exported.stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["state"], "rejected");
        let (topic, _) = ids[line["id"].as_str().unwrap()];
        assert_eq!(line["topic"], topic);
        assert!(
            line["reason"].as_str().unwrap().starts_with("kafka_"),
            "{line}"
        );
        rejected += 1;
    }
    assert_eq!(rejected, 2);
}

/// How a process may have a disk of its own here: root may, and others as root of a namespace of users. Some
/// containers allow neither.
fn with_own_mounts() -> Option<&'static str> {
    let ways = ["unshare --user --map-root-user --mount", "unshare --mount"];
    ways.into_iter().find(|way| {
        let mut words = way
            .split(' ')
            .chain(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
        let tried = std::process::Command::new(words.next().unwrap())
            .args(words)
            .output();
        tried.is_ok_and(|output| output.status.success())
    })
}

/// A disk of its own, of 3 MiB, is where the spool is.
#[tokio::test]
async fn a_full_disk_refuses_and_what_was_promised_before_is_there() {
    let Some(way) = with_own_mounts() else {
        println!("NOT TESTED: nobody may mount a small disk here, not even in a namespace");
        return;
    };
    let nobody = Upstream::refusing();
    let builder = builder(&nobody.addr().to_string());
    let data = builder.dir().join("data");
    std::fs::create_dir(&data).unwrap();
    let script = builder.dir().join("weir-on-a-small-disk");
    let text = format!(
        "#!/bin/sh\nexec {way} sh -c \
         'mount -t tmpfs -o size=3m tmpfs {} && exec {} \"$@\"' weir \"$@\"\n",
        data.display(),
        cli::executable().display(),
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let gateway = builder.executable(&script).start().await;
    let public = gateway.addr("public");
    let mut taken = 0;
    let refusal = loop {
        let answer = post(public, "orders", &vec![b'x'; 100_000]).await;
        if answer.status != 202 {
            break answer;
        }
        taken += 1;
    };
    assert_eq!(
        refusal.header("weir-error"),
        Some(Code::SpoolFull.slug()),
        "{}",
        refusal.text()
    );
    let full = |line: &serde_json::Value| line["error.type"] == Code::SpoolFull.slug();
    let line = gateway.wait_for_log(full).await;
    let detail = line["weir.error.detail"].as_str().unwrap();
    assert!(
        detail.starts_with("the disk of the spool is full"),
        "{detail}"
    );
    assert!(taken >= 20, "{taken}");
    assert_eq!(wire::get(public, "/alive").await.status, 200);
    // The disk is only there for the process: it is seen through it.
    let seen = format!("/proc/{}/root{}", gateway.pid(), data.display());
    let exported = cli::run(&["spool", "export", &seen]);
    assert_eq!(
        exported.stdout.lines().count(),
        taken,
        "{}",
        exported.stderr
    );
}
