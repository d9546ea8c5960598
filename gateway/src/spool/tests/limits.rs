//! The spool's own limit, and disks that fail.

use super::*;
use crate::spool::directory;

const SMALL: u64 = 1 << 20;

async fn fill(spool: &Spool, value: &str) -> (usize, Refusal) {
    for count in 0.. {
        if let Err(refusal) = append(spool, value).await {
            return (count, refusal);
        }
    }
    unreachable!("it has a limit")
}

#[tokio::test]
async fn at_its_limit_it_refuses_and_takes_again_what_there_is_room_for() {
    let home = Directory::new();
    let cluster = Cluster::down();
    let spool = open_sized(home.path(), &cluster, SMALL);
    let value = "x".repeat(10_000);
    let (count, refusal) = fill(&spool, &value).await;
    assert_eq!(refusal, Refusal::Full(SMALL));
    let bytes = directory::bytes(home.path()).unwrap();
    assert!((SMALL - 20_000..=SMALL).contains(&bytes), "{bytes} bytes");
    assert_eq!(left(home.path()).0.len(), count);
    // However long it is full, there are no more files.
    let files = || std::fs::read_dir(home.path()).unwrap().count();
    let before = files();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(append(&spool, &value).await.is_err());
    }
    assert!(files() <= before + 1, "{} files after {before}", files());

    cluster.set(false);
    until(|| cluster.values().len() == count).await;
    until(|| directory::bytes(home.path()).unwrap() < SMALL / 2).await;
    let again = async {
        while append(&spool, "again").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again)
        .await
        .unwrap();
}

#[tokio::test]
async fn many_at_once_that_do_not_all_fit_are_told_apart() {
    let home = Directory::new();
    let cluster = Cluster::down();
    let spool = Arc::new(open_sized(home.path(), &cluster, SMALL));
    let callers = (0..200).map(|n| {
        let spool = Arc::clone(&spool);
        let value = format!("{n:010000}");
        tokio::spawn(async move { append(&spool, &value).await.is_ok().then_some(value) })
    });
    let answers = futures_util::future::join_all(callers).await;
    let mut taken: Vec<String> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert!((80..105).contains(&taken.len()), "{} fit", taken.len());
    let mut there = left(home.path()).0;
    there.sort();
    taken.sort();
    assert_eq!(there, taken);
}

#[tokio::test]
async fn of_several_at_once_all_are_kept_or_none() {
    let home = Directory::new();
    let cluster = Cluster::down();
    let spool = open_sized(home.path(), &cluster, SMALL);
    let batch = |size: usize, count: usize| {
        let value = "x".repeat(size);
        (0..count)
            .map(move |_| record("orders", value.clone()))
            .collect()
    };
    let ids = spool.append_all(batch(10_000, 60)).await.unwrap();
    assert_eq!(ids.len(), 60);
    let mut later = ids.clone();
    later.sort_unstable();
    later.dedup();
    assert_eq!(later, ids, "in the order of the batch, each its own");
    // Forty of them would fit.
    let refused = spool.append_all(batch(10_000, 60)).await;
    assert_eq!(refused, Err(Refusal::Full(SMALL)));
    assert_eq!(spool.append_all(Vec::new()).await, Ok(Vec::new()));
    let next = spool.append_all(batch(1, 2)).await.unwrap();
    assert!(next[0] > ids[59] || next[0].to_string()[..16] != ids[59].to_string()[..16]);
    assert_eq!(left(home.path()).0.len(), 62);
}

#[tokio::test]
async fn a_full_spool_of_one_segment_that_was_sent_is_not_full_for_ever() {
    let home = Directory::new();
    let cluster = Cluster::default();
    let spool = open_sized(home.path(), &cluster, SMALL);
    let value = "x".repeat(usize::try_from(SMALL).unwrap() - 1000);
    append(&spool, &value).await.unwrap();
    until(|| cluster.values().len() == 1).await;
    let again = async {
        while append(&spool, &value).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_with_the_systems_words_until_it_can() {
    let home = Directory::new();
    let path = home.path().join("spool");
    std::fs::write(&path, "no directory").unwrap();
    let cluster = Cluster::default();
    // A place that is no directory is seen when it is opened.
    let settings = settings(&path, SMALL);
    assert!(Spool::open(settings.clone(), cluster.clone(), &Metrics::new()).is_err());
    std::fs::remove_file(&path).unwrap();
    let spool = Spool::open(settings, cluster.clone(), &Metrics::new()).unwrap();
    // The directory of the next segment is gone, and a file is in its place.
    until(|| path.join("position").exists()).await;
    std::fs::rename(&path, home.path().join("elsewhere")).unwrap();
    std::fs::write(&path, "no directory").unwrap();
    match append(&spool, "refused").await {
        Err(Refusal::Failed(why)) => assert!(!why.is_empty()),
        other => panic!("{other:?}"),
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(home.path().join("elsewhere"), &path).unwrap();
    append(&spool, "taken").await.unwrap();
    cluster.has(&["taken".to_owned()]).await;
}

#[tokio::test]
async fn what_brokers_refuse_is_bounded_and_the_oldest_of_it_goes_first() {
    let home = Directory::new();
    let cluster = Cluster::default();
    cluster.0.lock().refused.insert("nowhere".to_owned());
    let metrics = Metrics::new();
    let settings = settings(home.path(), SMALL);
    let spool = Spool::open(settings, cluster.clone(), &metrics).unwrap();
    let count = 120;
    for n in 0..count {
        let record = record("nowhere", format!("{n:010000}"));
        while spool.append_all(vec![record.clone()]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    append(&spool, "last").await.unwrap();
    cluster.has(&["last".to_owned()]).await;
    spool.rest().await;
    let (waiting, rejected) = left(home.path());
    assert_eq!(waiting, Vec::<String>::new());
    let bytes = directory::bytes(&directory::rejected(home.path())).unwrap();
    assert!(bytes <= SMALL / 4, "{bytes}");
    let lost = count - rejected.len();
    let kept: Vec<String> = (lost..count).map(|n| format!("{n:010000}")).collect();
    assert_eq!(rejected, kept);
    assert!(lost > 0);
    let line = format!("weir_spool_lost_total{{weir_kafka_cluster=\"events\"}} {lost}\n");
    assert!(metrics.encode().contains(&line), "{}", metrics.encode());
}

/// Something that can be neither read nor taken away, where there should be less of it.
#[tokio::test]
async fn what_brokers_refuse_is_kept_once_even_if_no_room_can_be_made() {
    let home = Directory::new();
    let cluster = Cluster::default();
    cluster.0.lock().refused.insert("nowhere".to_owned());
    let stays = directory::segment(&directory::rejected(home.path()), 1);
    std::fs::create_dir_all(stays.join("inside")).unwrap();
    let metrics = Metrics::new();
    let settings = settings(home.path(), 1024);
    let spool = Spool::open(settings, cluster.clone(), &metrics).unwrap();
    spool
        .append_all(vec![record("nowhere", "refused")])
        .await
        .unwrap();
    until(|| metrics.encode().contains("weir_spool_rejected_total{")).await;
    spool.rest().await;
    std::fs::remove_dir_all(&stays).unwrap();
    assert_eq!(left(home.path()).1, ["refused"]);
    let lost = "weir_spool_lost_total{weir_kafka_cluster=\"events\"} 0\n";
    assert!(metrics.encode().contains(lost), "{}", metrics.encode());
}
