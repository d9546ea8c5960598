//! Two spools on one directory, as two processes have for a while when one takes the other's place.

use std::fs::File;

use nix::fcntl::{Flock, FlockArg};

use super::*;

#[tokio::test]
async fn a_second_one_takes_records_at_once_and_sends_when_the_first_has_ended() {
    let home = Directory::new();
    let (first_cluster, second_cluster) = (Cluster::slow(), Cluster::default());
    let values = numbered(0..8);
    let first = open(home.path(), &first_cluster);
    append_all(&first, &values[..3]).await;
    until(|| first_cluster.0.lock().held.len() == 3).await;
    let second = open(home.path(), &second_cluster);
    append_all(&second, &values[3..6]).await;
    assert_eq!(second_cluster.values(), Vec::<String>::new());
    first.retire();
    second_cluster.has(&values[..6]).await;
    // Whoever still has the first one is served all the same, and what it takes goes out.
    append_all(&first, &values[6..]).await;
    second_cluster.has(&values).await;
    assert_eq!(first_cluster.values(), Vec::<String>::new());
}

#[tokio::test]
async fn one_that_goes_on_writing_is_waited_for_and_nothing_of_it_is_skipped() {
    let home = Directory::new();
    let (keeper, cluster) = (Cluster::slow(), Cluster::default());
    let first = open_first(home.path(), &keeper).await;
    append(&first, "value 0").await.unwrap();
    until(|| keeper.0.lock().held.len() == 1).await;
    // Not told to leave its segments to others: only its lock is gone.
    first.rest().await;
    let second = open(home.path(), &cluster);
    append(&second, "value 2").await.unwrap();
    until(|| cluster.values() == ["value 0"]).await;
    append(&first, "value 1").await.unwrap();
    drop(first);
    cluster.has(&numbered(0..3)).await;
}

#[tokio::test]
async fn what_was_added_while_another_sent_is_looked_for_and_then_sent() {
    let home = Directory::new();
    let cluster = Cluster::down();
    // As another process has it.
    let lock = File::create(home.path().join("drain.lock")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();
    let spool = open(home.path(), &cluster);
    let values = numbered(0..3);
    append_all(&spool, &values).await;
    assert_eq!(cluster.0.lock().looked, 0);
    drop(lock);
    until(|| cluster.0.lock().looked > 1).await;
    assert_eq!(cluster.0.lock().held.len(), 0, "it may be there already");
    cluster.set(false);
    cluster.has(&values).await;
    spool.rest().await;
    assert_eq!(left(home.path()).0, Vec::<String>::new());
}

/// Takes over while callers add; how many records are said to wait, and how many do.
async fn taken_over_amid_writes() -> (Metrics, usize) {
    let home = Directory::new();
    let lock = File::create(home.path().join("drain.lock")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();
    let metrics = Metrics::new();
    let settings = settings(home.path(), ROOMY);
    let spool = Spool::open(settings, Cluster::down(), &metrics).unwrap();
    let batch = || (0..100).map(|n| record("orders", format!("value {n}")));
    for _ in 0..20 {
        spool.append_all(batch().collect()).await.unwrap();
    }
    drop(lock);
    // For as long as it takes it over, and longer.
    for _ in 0..100 {
        spool.append_all(batch().collect()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let waiting = left(home.path()).0.len();
    let figure = format!("weir_spool_records{{weir_kafka_cluster=\"events\"}} {waiting}\n");
    until(|| metrics.encode().contains(&figure)).await;
    // Nor is that so only for a moment.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    (metrics, waiting)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_added_while_it_takes_over_is_counted_once() {
    let rounds = (0..8).map(|_| taken_over_amid_writes());
    for (metrics, waiting) in futures_util::future::join_all(rounds).await {
        assert_eq!(waiting, 12_000);
        let figure = format!("weir_spool_records{{weir_kafka_cluster=\"events\"}} {waiting}\n");
        assert!(metrics.encode().contains(&figure), "{}", metrics.encode());
    }
}

/// What one added to a spool that was its own already, nobody else can have sent.
#[tokio::test]
async fn what_is_added_by_who_sends_is_not_looked_for() {
    let home = Directory::new();
    let cluster = Cluster::down();
    let spool = open(home.path(), &cluster);
    append(&spool, "value 0").await.unwrap();
    until(|| cluster.0.lock().looked > 0).await;
    spool.rest().await;
    drop(spool);
    let spool = open(home.path(), &cluster);
    let looked = cluster.0.lock().looked;
    until(|| cluster.0.lock().looked > looked).await;
    append(&spool, "value 1").await.unwrap();
    cluster.set(false);
    cluster.has(&numbered(0..2)).await;
    assert_eq!(cluster.0.lock().sought, 1, "only what was there before");
}

/// As two gateways have it that were given the same directory.
#[tokio::test]
async fn one_that_waits_for_its_turn_holds_up_nobody() {
    let home = Directory::new();
    let (cluster, idle) = (Cluster::default(), Cluster::default());
    let first = open(home.path(), &cluster);
    append(&first, "value 0").await.unwrap();
    cluster.has(&numbered(0..1)).await;
    let second = open(home.path(), &idle);
    append(&second, "value 1").await.unwrap();
    cluster.has(&numbered(0..2)).await;
    for n in 2..40 {
        let spool = if n % 5 == 0 { &second } else { &first };
        append(spool, &format!("value {n}")).await.unwrap();
    }
    // All of it without anything more being added to the second.
    until(|| cluster.values().len() == 40).await;
    let mut values = cluster.values();
    values.sort_by_key(|value| value[6..].parse::<usize>().unwrap());
    assert_eq!(values, numbered(0..40));
    assert_eq!(idle.values(), [""; 0]);
    second.rest().await;
}

#[tokio::test]
async fn what_nobody_would_send_is_warned_of() {
    let data = Directory::new();
    let directory = data.path().join("spool").join("events");
    let spool = open(&directory, &Cluster::down());
    append_all(&spool, &numbered(0..2)).await;
    spool.rest().await;
    let warnings = |clusters: &str| {
        let yaml = format!(
            "{{ version: 1, listeners: [{{ name: public, address: 127.0.0.1:0 }}], \
             server: {{ data_dir: {} }}, kafka_clusters: [{clusters}] }}",
            data.path().display()
        );
        let loaded = crate::config::parse_str(&yaml).unwrap_or_else(|faults| panic!("{faults}"));
        let said = |warning: &crate::config::Fault| warning.to_string();
        loaded.warnings.iter().map(said).collect::<Vec<_>>()
    };
    let (with, without) = ("spool: {}", "delivery_timeout: 1s");
    let cluster = |name: &str, more: &str| {
        format!("{{ name: {name}, bootstrap_servers: ['127.0.0.1:1'], {more} }}")
    };
    assert_eq!(warnings(&cluster("events", with)), [""; 0]);
    let path = directory.display();
    let expected = format!(
        "kafka_clusters: 2 records in {path} are sent by nobody; give a cluster \"events\" a `spool`, \
         or see `weir spool export {path}`"
    );
    for clusters in [
        cluster("events", without),
        cluster("other", with),
        String::new(),
    ] {
        assert_eq!(warnings(&clusters), [&*expected], "{clusters}");
    }
}
