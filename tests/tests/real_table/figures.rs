//! What operators see of a table.

use weir_tests::Gateway;
use weir_tests::kafka::Kafka;

use super::scene::{ask, gateway, yaml};

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_seen_to_fill_and_what_came_of_writes_is_counted() {
    let kafka = Kafka::shared().await;
    let topic = "table-figures";
    kafka.create_topic(topic, 2).await;
    let gateway = gateway(kafka, topic).await;
    let at = gateway.addr("public");
    for name in ["ann", "bob", "cid"] {
        let path = format!("/users/{name}");
        assert_eq!(ask(at, "PUT", &path, &[], "{}").await.status, 201);
    }
    for (method, field, status) in [
        ("DELETE", "X: none", 204),
        ("DELETE", "X: none", 404),
        ("PUT", "If-Match: \"0-99\"", 412),
    ] {
        let answer = ask(at, method, "/users/bob", &[field], "{}").await;
        assert_eq!(answer.status, status, "{method} {}", answer.text());
    }
    // What the view says already keeps a patch from being tried.
    let patch = ["Content-Type: application/merge-patch+json"];
    let absent = ask(at, "PATCH", "/users/nobody", &patch, "{}").await;
    assert_eq!(absent.status, 404, "{}", absent.text());
    let labels = [
        ("weir_kafka_cluster", "events"),
        ("messaging_destination_name", topic),
    ];
    for (name, value) in [
        ("ready", 1.0),
        ("keys", 2.0),
        ("lag_records", 0.0),
        ("age_seconds", 0.0),
    ] {
        let name = format!("weir_table_{name}");
        gateway
            .wait_for_metric(&name, &labels, |found| {
                found.to_bits() == f64::to_bits(value)
            })
            .await;
    }
    // Two keys of three letters and two values of two, and what an entry takes up besides.
    gateway
        .wait_for_metric("weir_table_bytes", &labels, |bytes| bytes > 10.0)
        .await;
    for (outcome, count) in [
        ("written", 4.0),
        ("absent", 2.0),
        ("conflict", 1.0),
        ("unknown", 0.0),
        ("failed", 0.0),
    ] {
        let labels = [labels[0], labels[1], ("outcome", outcome)];
        let found = gateway.metric("weir_table_writes_total", &labels).await;
        assert_eq!(found.to_bits(), f64::to_bits(count), "{outcome}: {found}");
    }

    // Wider bounds are a view of its own, of the same series; without the routes there are none.
    let wider = yaml(kafka, topic, ", max_keys: 200000");
    assert_eq!(gateway.reload(&wider).await, "ok");
    gateway
        .wait_for_metric("weir_table_ready", &labels, |ready| ready > 0.0)
        .await;
    let other = yaml(kafka, "table-figures-other", "");
    kafka.create_topic("table-figures-other", 1).await;
    assert_eq!(gateway.reload(&other).await, "ok");
    weir_tests::wait::until("the series to go".to_owned(), || async {
        let is_there = gateway.metrics().await.lines().any(|line| {
            line.contains(&format!("\"{topic}\""))
                && line.starts_with("weir_table_")
                && !line.starts_with("weir_table_writes")
        });
        (!is_there).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_holds_too_much_or_reads_no_topic_is_not_ready() {
    let kafka = Kafka::shared().await;
    let topic = "table-figures-narrow";
    kafka.create_topic(topic, 1).await;
    let all =
        yaml(kafka, topic, "").replace("key: \"{path.id}\"", "key: \"{path.id}\", max_keys: 1");
    let gateway = Gateway::start(&all).await;
    let at = gateway.addr("public");
    let labels = [("messaging_destination_name", topic)];
    assert_eq!(ask(at, "PUT", "/users/a", &[], "1").await.status, 201);
    gateway
        .wait_for_metric("weir_table_ready", &labels, |ready| ready > 0.0)
        .await;
    // The second key is written, and the view holds too much then.
    ask(at, "PUT", "/users/b", &[], "1").await;
    gateway
        .wait_for_metric("weir_table_ready", &labels, |ready| ready < 1.0)
        .await;

    let nowhere = Gateway::start(&yaml(kafka, "table-figures-nowhere", "")).await;
    let scrape = nowhere.metrics().await;
    let line = "weir_table_ready{messaging_destination_name=\"table-figures-nowhere\",weir_kafka_cluster=\"events\"} 0";
    assert!(scrape.contains(line), "{scrape}");
}
