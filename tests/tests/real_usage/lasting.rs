//! Records outlive the process and the configuration that told them: kills with records on their way, and
//! reloads that send them elsewhere.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use weir_tests::child::Kind;
use weir_tests::kafka::Written;
use weir_tests::metered::{Speaker, ask, post};
use weir_tests::wire::{self, Connection};

use super::*;

/// So many call at once.
const CALLERS: usize = 6;

/// Callers who ask one thing after the other.
struct Callers {
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    all: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Callers {
    fn start(public: SocketAddr) -> Self {
        let (answered, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let names = ["ann", "bob", "cyd"].into_iter().cycle();
        let one = |name| tokio::spawn(call(public, name, answered.clone(), stop.clone()));
        let all = names.take(CALLERS).map(one).collect();
        Self {
            answered,
            stop,
            all,
        }
    }

    /// Waits for so many more answers.
    async fn more(&self, count: usize) {
        let answered = || self.answered.load(Ordering::Relaxed);
        let most = answered() + count;
        wait::until_true(format!("{most} answers"), || answered() >= most).await;
    }

    /// The ids of the requests that were answered.
    async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut ids = Vec::new();
        for one in self.all {
            ids.extend(one.await.unwrap());
        }
        ids
    }
}

/// Calls until told to stop, or until nobody answers.
async fn call(
    public: SocketAddr,
    consumer: &str,
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let mut ids = Vec::new();
    let auth = format!("Authorization: Bearer {consumer}");
    let fields = [&*auth, "Content-Type: application/json"];
    let path = "/v1/chat/completions";
    let message = wire::message(public, "POST", path, &fields, ask("").as_bytes());
    let mut connection = Connection::open(public).await;
    while !stop.load(Ordering::Relaxed) && connection.send(message.clone()).await.is_ok() {
        let Ok(answer) = connection.try_response_to("POST").await else {
            break;
        };
        if answer.broken.is_some() {
            break;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        ids.push(answer.header("x-request-id").unwrap().to_owned());
        answered.fetch_add(1, Ordering::Relaxed);
        if answer.closed {
            connection = Connection::open(public).await;
        }
    }
    ids
}

/// How many records this process has put on its disk.
async fn on_disk(gateway: &Gateway) -> usize {
    gateway.metric("weir_usage_events_total", &[]).await as usize
}

/// Waits until it has put so many there, all of them.
async fn all_on_disk(gateway: &Gateway, count: usize) {
    wait::until(format!("{count} records on disk"), || async {
        (on_disk(gateway).await == count).then_some(())
    })
    .await;
}

/// Waits until nothing waits on the disk any more.
async fn drained(gateway: &Gateway) {
    let data = gateway.dir().join("data");
    wait::until_true("an empty spool", || {
        let listed = cli::run(&["spool", "list", data.to_str().unwrap()]);
        listed.stdout.contains(": 0 records waiting")
    })
    .await;
}

/// All records of a topic, each of which is there once.
async fn once(kafka: &Kafka, topic: &str) -> Vec<Value> {
    let count = kafka.count(topic).await.unsigned_abs() as usize;
    let told = records(kafka, topic, count).await;
    let ids: BTreeSet<String> = told.iter().map(|one| one["id"].to_string()).collect();
    assert_eq!(ids.len(), told.len(), "a record of {topic} is there twice");
    told
}

/// The requests that records are of.
fn requests(told: &[Value]) -> BTreeSet<String> {
    let id = |one: &Value| one["request_id"].as_str().unwrap().to_owned();
    told.iter().map(id).collect()
}

/// What has to be in a topic after kills.
#[derive(Default)]
struct Expected {
    least: usize,
    most: usize,
    /// Requests whose records were on disk for certain.
    certain: Vec<String>,
}

impl Expected {
    /// Kills a gateway in the middle of its work.
    async fn kill(&mut self, gateway: &Gateway, callers: Callers) {
        // Of what it sent last it has not written down that it did.
        let sent = "weir_spool_sent_total";
        gateway.wait_for_metric(sent, &[], |n| n >= 50.0).await;
        self.least += on_disk(gateway).await;
        gateway.signal(Kind::SIGKILL);
        // One of each caller may have been answered, and nobody heard of it.
        self.most += callers.stop().await.len() + CALLERS;
        gateway.wait_exit().await;
    }

    /// Kills a gateway that has put all its records on disk and could send none of the last ones.
    async fn kill_with_all_on_disk(&mut self, gateway: &Gateway, callers: Callers) {
        callers.more(100).await;
        let answered = callers.stop().await;
        all_on_disk(gateway, answered.len()).await;
        gateway.signal(Kind::SIGKILL);
        gateway.wait_exit().await;
        self.least += answered.len();
        self.most += answered.len();
        self.certain.extend(answered);
    }

    fn check(&self, told: &[Value]) {
        let (count, of) = (told.len(), self.least..=self.most);
        assert!(of.contains(&count), "{count} records, not {of:?}");
        let there = requests(told);
        let mut certain = self.certain.iter();
        let lost = certain.find(|id| !there.contains(*id));
        assert_eq!(lost, None, "it was on disk, and is not in the topic");
    }
}

/// A configuration with room for many records and calls.
fn roomy(broker: &str, topic: &str, provider: &Provider) -> String {
    let yaml = yaml(broker, topic, provider, "kind: local", 1_000_000);
    let small = "max_size: 1MiB";
    assert!(yaml.contains(small), "{yaml}");
    yaml.replace(small, "max_size: 64MiB")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_disk_outlives_kills_and_is_told_once() {
    let mut kafka = Kafka::start().await;
    let topic = "killed";
    kafka.create_topic(topic, 3).await;
    let provider = Speaker::new(5).start().await;
    let yaml = roomy(&kafka.bootstrap(), topic, &provider);
    let mut gateway = Gateway::start(&yaml).await;
    let mut expected = Expected::default();
    for brokers in [true, false, true] {
        let callers = Callers::start(gateway.addr("public"));
        callers.more(100).await;
        match brokers {
            true => expected.kill(&gateway, callers).await,
            false => {
                kafka.stop().await;
                expected.kill_with_all_on_disk(&gateway, callers).await;
            }
        }
        gateway = gateway.successor().start().await;
        if !brokers {
            kafka.restart().await;
        }
    }
    drained(&gateway).await;
    let told = once(&kafka, topic).await;
    expected.check(&told);

    // What is in the topic is all that a gateway needs which lost everything else.
    assert!(gateway.stop().await.success());
    let data = gateway.dir().join("data");
    std::fs::remove_file(data.join("ledger-ledger.redb")).unwrap();
    std::fs::remove_dir_all(data.join("receipts-ledger")).unwrap();
    let next = gateway.successor().start().await;
    // Where a topic cannot be looked into, a spool may send some twice.
    let again: Vec<String> = told.iter().take(20).map(Value::to_string).collect();
    let again = again.iter().map(|value| Written {
        value: Some(value.as_bytes()),
        ..Written::default()
    });
    let again: Vec<_> = again.collect();
    kafka.write(topic, 0, &again).await;
    let replayed = replay(&next, &[]);
    assert_eq!(replayed["records"], told.len() + again.len(), "{replayed}");
    assert_eq!(replayed["duplicates"], again.len(), "{replayed}");
    comes_to(&next, &summed(&told)).await;
    assert_eq!(difference(&replay(&next, &[])), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_tells_elsewhere_loses_and_doubles_nothing() {
    let (mut first, second) = (Kafka::start().await, Kafka::shared().await);
    first.create_topic("before", 1).await;
    first.create_topic("after", 1).await;
    second.create_topic("elsewhere", 1).await;
    let provider = Speaker::new(5).start().await;
    let yaml = roomy(&first.bootstrap(), "before", &provider);
    let other = format!(
        "  - name: other\n    bootstrap_servers: [\"{}\"]\n    spool: {{ max_size: 64MiB }}\n",
        second.bootstrap()
    );
    let yaml = format!("{yaml}{other}");
    let told_in = |place: &str| {
        let before = "{ cluster: events, topic: before }";
        assert!(yaml.contains(before));
        yaml.replace(before, place)
    };
    let gateway = Gateway::start(&yaml).await;
    let callers = Callers::start(gateway.addr("public"));
    callers.more(50).await;
    // From here on records of the first cluster wait on disk, whatever is configured.
    first.stop().await;
    callers.more(50).await;
    let topic = told_in("{ cluster: events, topic: after }");
    assert_eq!(gateway.reload(&topic).await, "ok");
    callers.more(50).await;
    let cluster = told_in("{ cluster: other, topic: elsewhere }");
    assert_eq!(gateway.reload(&cluster).await, "ok");
    callers.more(50).await;
    let answered = callers.stop().await;
    all_on_disk(&gateway, answered.len()).await;
    first.restart().await;
    wait::until("all records in their topics", || async {
        let mut count = second.count("elsewhere").await;
        for topic in ["before", "after"] {
            count += first.count(topic).await;
        }
        (count >= answered.len() as i64).then_some(())
    })
    .await;

    let (before, after) = (once(&first, "before").await, once(&first, "after").await);
    let elsewhere = once(second, "elsewhere").await;
    for (topic, told) in [
        ("before", &before),
        ("after", &after),
        ("elsewhere", &elsewhere),
    ] {
        assert!(told.len() >= 40, "{} in {topic}", told.len());
    }
    let told = [before, after, elsewhere].concat();
    assert_eq!(told.len(), answered.len());
    assert_eq!(requests(&told), answered.into_iter().collect());
    assert_eq!(summed(&told), counted(&gateway).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_wait_go_where_their_cluster_has_moved() {
    let kafka = Kafka::shared().await;
    let topic = "moved";
    kafka.create_topic(topic, 1).await;
    let provider = Speaker::new(5).start().await;
    // Nobody is there, so that all of them wait.
    let yaml = yaml("127.0.0.1:1", topic, &provider, "kind: local", 100);
    let gateway = Gateway::start(&yaml).await;
    for _ in 0..10 {
        assert_eq!(
            post(gateway.addr("public"), "ann", ask("")).await.status,
            200
        );
    }
    all_on_disk(&gateway, 10).await;
    let moved = yaml.replace("127.0.0.1:1\"", &format!("{}\"", kafka.bootstrap()));
    assert_ne!(moved, yaml);
    assert_eq!(gateway.reload(&moved).await, "ok");
    for _ in 0..5 {
        assert_eq!(
            post(gateway.addr("public"), "ann", ask("")).await.status,
            200
        );
    }
    let told = records(kafka, topic, 15).await;
    drained(&gateway).await;
    assert_eq!(once(kafka, topic).await.len(), 15);
    assert_eq!(requests(&told).len(), 15);
    assert_eq!(summed(&told), counted(&gateway).await);
}
