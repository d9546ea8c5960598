//! Gateways die amid many changes of one value: what was acknowledged is there once, what was refused is not
//! there, and only of what nobody answered nobody knows.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use weir_tests::child::Kind;
use weir_tests::kafka::Kafka;
use weir_tests::wait;

use super::scene::{ask, etag, gateway, try_ask};

const PATH: &str = "/users/ledger";
const CLIENTS: usize = 6;
const KILLS: usize = 4;
/// So many changes are acknowledged before the next one dies.
const BETWEEN: usize = 12;

/// What clients know together.
#[derive(Default)]
struct Shared {
    gateways: Mutex<Vec<SocketAddr>>,
    acknowledged: AtomicUsize,
    is_over: AtomicBool,
}

impl Shared {
    fn gateway(&self, turn: usize) -> SocketAddr {
        let gateways = self.gateways.lock().unwrap();
        gateways[turn % gateways.len()]
    }
}

/// What one client was told.
#[derive(Default)]
struct Told {
    acknowledged: Vec<String>,
    ambiguous: Vec<String>,
    conflicts: usize,
}

/// What came of one try to add an entry.
enum Tried {
    Acknowledged,
    /// It is not written, says the gateway, or it was not asked.
    Refused {
        was_conflict: bool,
    },
    Ambiguous,
}

/// Reads the list, and writes it with one entry more if it is still the same.
async fn add(at: SocketAddr, entry: &str) -> Tried {
    let refused = Tried::Refused {
        was_conflict: false,
    };
    let Ok(read) = try_ask(at, "GET", PATH, &[], "").await else {
        return refused;
    };
    if read.status != 200 {
        return refused;
    }
    let mut list = read.json();
    list.as_array_mut().unwrap().push(entry.into());
    let same = format!("If-Match: {}", etag(&read));
    match try_ask(at, "PUT", PATH, &[&same], &list.to_string()).await {
        Ok(written) => match written.status {
            204 => Tried::Acknowledged,
            412 => Tried::Refused { was_conflict: true },
            504 => Tried::Ambiguous,
            503 => refused,
            _ => panic!("{} {}", written.status, written.text()),
        },
        Err(_) => Tried::Ambiguous,
    }
}

/// Adds entries of its own until it is over, each again until it is acknowledged, or nobody knows.
async fn client(shared: Arc<Shared>, number: usize) -> Told {
    let mut told = Told::default();
    let mut turn = number;
    for count in 0.. {
        let entry = format!("{number}.{count}");
        loop {
            if shared.is_over.load(Ordering::Relaxed) {
                return told;
            }
            turn += 1;
            match add(shared.gateway(turn), &entry).await {
                Tried::Acknowledged => {
                    shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                    told.acknowledged.push(entry);
                    break;
                }
                Tried::Ambiguous => {
                    told.ambiguous.push(entry);
                    break;
                }
                Tried::Refused { was_conflict } => told.conflicts += usize::from(was_conflict),
            }
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_however_often_gateways_die() {
    let kafka = Kafka::shared().await;
    let topic = "table-ledger";
    kafka.create_topic(topic, 1).await;
    let mut gateways = vec![gateway(kafka, topic).await, gateway(kafka, topic).await];
    let first = ask(gateways[0].addr("public"), "PUT", PATH, &[], "[]").await;
    assert_eq!(first.status, 201, "{}", first.text());
    let shared = Arc::new(Shared::default());
    let addresses = |gateways: &[weir_tests::Gateway]| {
        let each = gateways.iter().map(|gateway| gateway.addr("public"));
        each.collect::<Vec<_>>()
    };
    *shared.gateways.lock().unwrap() = addresses(&gateways);
    let clients = (0..CLIENTS).map(|number| tokio::spawn(client(shared.clone(), number)));
    let clients: Vec<_> = clients.collect();
    for kill in 1..=KILLS {
        wait::until(format!("changes before kill {kill}"), || async {
            (shared.acknowledged.load(Ordering::Relaxed) >= kill * BETWEEN).then_some(())
        })
        .await;
        let dying = kill % 2;
        gateways[dying].signal(Kind::SIGKILL);
        gateways[dying] = gateway(kafka, topic).await;
        *shared.gateways.lock().unwrap() = addresses(&gateways);
    }
    wait::until("changes after the last kill".to_owned(), || async {
        (shared.acknowledged.load(Ordering::Relaxed) >= (KILLS + 1) * BETWEEN).then_some(())
    })
    .await;
    shared.is_over.store(true, Ordering::Relaxed);
    let mut told = Told::default();
    for client in clients {
        let one = client.await.unwrap();
        told.acknowledged.extend(one.acknowledged);
        told.ambiguous.extend(one.ambiguous);
        told.conflicts += one.conflicts;
    }

    // One who writes knows the end, and one who begins anew reads the same.
    let last = ask(gateways[0].addr("public"), "PUT", "/users/last", &[], "1").await;
    assert_eq!(last.status, 201, "{}", last.text());
    let anew = gateway(kafka, topic).await;
    let path = format!("{PATH}?at_least={}", etag(&last).trim_matches('"'));
    let list = ask(anew.addr("public"), "GET", &path, &[], "").await.json();
    assert_eq!(
        list,
        ask(gateways[0].addr("public"), "GET", PATH, &[], "")
            .await
            .json()
    );
    judge(&list, &told);
}

/// Holds what is there against what clients were told.
fn judge(list: &Value, told: &Told) {
    let found: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry.as_str().unwrap())
        .collect();
    let once: BTreeSet<&str> = found.iter().copied().collect();
    assert_eq!(
        once.len(),
        found.len(),
        "something is there twice: {found:?}"
    );
    let lost: Vec<_> = told
        .acknowledged
        .iter()
        .filter(|entry| !once.contains(entry.as_str()))
        .collect();
    assert_eq!(
        lost,
        Vec::<&String>::new(),
        "acknowledged, and lost: {list}"
    );
    let known: BTreeSet<&str> = told
        .acknowledged
        .iter()
        .chain(&told.ambiguous)
        .map(String::as_str)
        .collect();
    let foreign: Vec<_> = once.difference(&known).collect();
    assert_eq!(json!(foreign), json!([]), "refused, and there");
    let written = told
        .ambiguous
        .iter()
        .filter(|entry| once.contains(entry.as_str()))
        .count();
    println!(
        "{} changes acknowledged, {} refused with 412, {KILLS} gateways killed, {} changes in doubt of which {written} are there",
        told.acknowledged.len(),
        told.conflicts,
        told.ambiguous.len(),
    );
}
