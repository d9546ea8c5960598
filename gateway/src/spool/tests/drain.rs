//! What is sent, in which order, and what becomes of what is not.

use super::*;

#[tokio::test]
async fn what_is_put_in_goes_out_in_its_order_and_the_files_go() {
    let home = Directory::new();
    let cluster = Cluster::default();
    let spool = open(home.path(), &cluster);
    let values = numbered(0..300);
    append_all(&spool, &values).await;
    cluster.has(&values).await;
    spool.rest().await;
    assert_eq!(left(home.path()), (vec![], vec![]));
    drop(spool);

    // Nothing of it is sent again, and what comes next follows.
    let spool = open(home.path(), &cluster);
    append(&spool, "next").await.unwrap();
    let all = [values, vec!["next".to_owned()]].concat();
    cluster.has(&all).await;
}

#[tokio::test]
async fn each_has_an_id_that_its_caller_was_told() {
    let home = Directory::new();
    let cluster = Cluster::down();
    let spool = open(home.path(), &cluster);
    let mut ids = Vec::new();
    for value in numbered(0..3) {
        ids.push(append(&spool, &value).await.unwrap());
    }
    drop(spool);
    let spool = open(home.path(), &cluster);
    ids.push(append(&spool, "value 3").await.unwrap());
    cluster.set(false);
    cluster.has(&numbered(0..4)).await;
    let taken = cluster.0.lock().taken.clone();
    let sent: Vec<String> = taken.into_iter().map(|(id, _)| id).collect();
    assert_eq!(sent, ids);
}

#[tokio::test]
async fn what_waits_for_the_cluster_survives_any_number_of_starts() {
    let home = Directory::new();
    let cluster = Cluster::down();
    let values = numbered(0..60);
    for piece in values.chunks(20) {
        let spool = open(home.path(), &cluster);
        append_all(&spool, piece).await;
        drop(spool);
    }
    assert_eq!(left(home.path()).0, values);
    let spool = open(home.path(), &cluster);
    cluster.set(false);
    cluster.has(&values).await;
    spool.rest().await;
    assert_eq!(left(home.path()).0, Vec::<String>::new());
}

#[tokio::test]
async fn what_has_to_be_sent_again_goes_before_what_was_behind_it() {
    let home = Directory::new();
    let cluster = Cluster::slow();
    let spool = open(home.path(), &cluster);
    let values = numbered(0..15);
    append_all(&spool, &values[..5]).await;
    until(|| cluster.0.lock().held.len() == 5).await;
    cluster.0.lock().blind = true;
    // The sixth fails at once, with those before it on their way; those behind it have to wait.
    cluster.0.lock().fail = 1;
    append_all(&spool, &values[5..]).await;
    until(|| cluster.0.lock().fail == 0).await;
    assert_eq!(cluster.0.lock().held.len(), 5);
    cluster.set(false);
    cluster.has(&values).await;
    assert_eq!(cluster.0.lock().renewed, 1);
}

#[tokio::test]
async fn what_is_refused_for_good_is_kept_and_holds_up_nobody() {
    let home = Directory::new();
    let cluster = Cluster::default();
    cluster.0.lock().refused.insert("nowhere".to_owned());
    let metrics = Metrics::new();
    let settings = settings(home.path(), ROOMY);
    let spool = Spool::open(settings, cluster.clone(), &metrics).unwrap();
    append(&spool, "before").await.unwrap();
    spool
        .append_all(vec![record("nowhere", "refused")])
        .await
        .unwrap();
    append(&spool, "after").await.unwrap();
    cluster
        .has(&["before".to_owned(), "after".to_owned()])
        .await;
    spool.rest().await;
    assert_eq!(left(home.path()), (vec![], vec!["refused".to_owned()]));
    let mut found = Vec::new();
    survey(home.path(), |_, entry| {
        found.push(entry.clone());
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
    let reason = found[0].reason.as_deref();
    assert_eq!(reason, Some("kafka_topic_unknown: no such topic"));
    assert_eq!(found[0].record.headers.len(), 1, "as its caller sent it");
    let line = "weir_spool_rejected_total{error_type=\"kafka_topic_unknown\",weir_kafka_cluster=\"events\"} 1\n";
    assert!(metrics.encode().contains(line), "{}", metrics.encode());
}

#[tokio::test]
async fn what_was_taken_and_never_acknowledged_is_there_once() {
    let home = Directory::new();
    let cluster = Cluster::slow();
    let spool = open(home.path(), &cluster);
    let values = numbered(0..QUEUE + 5);
    append_all(&spool, &values).await;
    until(|| cluster.0.lock().held.len() == QUEUE).await;
    cluster.0.lock().blind = true;
    // Whoever sent them is not there any more when they are taken.
    spool.rest().await;
    drop(spool);
    let spool = open(home.path(), &cluster);
    append(&spool, "next").await.unwrap();
    cluster.set(false);
    let all = [values, vec!["next".to_owned()]].concat();
    cluster.has(&all).await;
    spool.rest().await;
    assert_eq!(left(home.path()).0, Vec::<String>::new());
}
