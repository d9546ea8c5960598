//! Server-sent events.

use serde_json::json;
use weir_tests::events::EventSource;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::wire;

use super::{gateway, values, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_told_with_all_that_it_has() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("told", 1).await;
    let gateway = gateway(kafka).await;
    let mut feed = EventSource::open(gateway.addr("public"), "/feeds/told", None).await;
    feed.first_id().await;
    let record = Written {
        key: Some("k1"),
        value: Some(b"{ \"a\": [1, 2] }"),
        headers: &[("kind", b"created"), ("kind", b"\xff")],
        timestamp: Some(1_700_000_000_123),
    };
    let gone = Written {
        key: Some("k1"),
        timestamp: Some(1_700_000_000_124),
        ..Written::default()
    };
    kafka.write("told", 0, &[record, gone]).await;
    let told = feed.take(2).await;
    assert_eq!(
        told[0].json(),
        json!({
            "partition": 0, "offset": 0, "timestamp": 1_700_000_000_123_i64, "key": "k1",
            "headers": [{ "name": "kind", "value": "created" }, { "name": "kind", "value": { "base64": "/w==" } }],
            "value": { "a": [1, 2] }
        })
    );
    assert_eq!(told[0].name, "message");
    assert_eq!(told[1].json()["value"], json!(null));
    assert_ne!(told[0].id, told[1].id);

    let mut plain = EventSource::open(gateway.addr("public"), "/values/told", None).await;
    let told = plain.take(1).await;
    assert_eq!(told[0].data, "{ \"a\": [1, 2] }");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_where_it_is_asked_to() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("begins", 3).await;
    let at = |timestamp: i64, value: &'static str| Written {
        value: Some(value.as_bytes()),
        timestamp: Some(timestamp),
        ..Written::default()
    };
    for partition in 0..3 {
        let records = [at(1_000, "1"), at(2_000, "2"), at(3_000, "3")];
        kafka.write("begins", partition, &records).await;
    }
    let gateway = gateway(kafka).await;
    for (query, expected) in [
        ("start=latest", vec![]),
        ("start=earliest", vec![1, 1, 1, 2, 2, 2, 3, 3, 3, 9]),
        ("start=2000", vec![2, 2, 2, 3, 3, 3, 9, 9]),
        ("start=1970-01-01T00:00:02.5Z", vec![3, 3, 3, 9, 9, 9]),
    ] {
        let target = format!("/feeds/begins?{query}");
        let mut feed = EventSource::open(gateway.addr("public"), &target, None).await;
        feed.first_id().await;
        let mut told = feed.take(expected.len()).await;
        write(kafka, "begins", 1, &["9"]).await;
        told.extend(feed.take(1).await);
        let told: Vec<_> = told.iter().map(|event| event.json()).collect();
        let mut found = values(&told);
        assert_eq!(found.pop(), Some(json!(9)), "{query}");
        found.sort_by_key(ToString::to_string);
        let expected: Vec<_> = expected.iter().map(|n| json!(n)).collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_for_is_told() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("asked", 1).await;
    let gateway = gateway(kafka).await;
    let record =
        |key, kind: &'static [(&'static str, &'static [u8])], value: &'static str| Written {
            key: Some(key),
            value: Some(value.as_bytes()),
            headers: kind,
            timestamp: None,
        };
    let records = [
        record("a", &[("kind", b"new")], r#"{"n":1,"of":{"id":7}}"#),
        record("b", &[("kind", b"new")], r#"{"n":2,"of":{"id":8}}"#),
        record("a", &[("kind", b"old")], r#"{"n":3,"of":{"id":"7"}}"#),
        record("a", &[("kind", b"new")], "no JSON"),
        record("z", &[], r#"{"n":9,"end":true}"#),
    ];
    kafka.write("asked", 0, &records).await;
    for (target, expected) in [
        (
            "/feeds/asked?start=earliest&key=a",
            vec![json!(1), json!(3), json!(null)],
        ),
        (
            "/feeds/asked?start=earliest&header.kind=new&key=b",
            vec![json!(2)],
        ),
        (
            "/feeds/asked?start=earliest&json./of/id=7",
            vec![json!(1), json!(3)],
        ),
        ("/mine/asked/b", vec![json!(2)]),
        ("/mine/asked/a?json./n=3", vec![json!(3)]),
        // What the route gives out cannot be widened.
        ("/mine/asked/z?key=a", vec![]),
    ] {
        let public = gateway.addr("public");
        let mut feed = EventSource::open(public, target, None).await;
        let told = feed.take(expected.len()).await;
        let told: Vec<_> = told
            .iter()
            .map(|event| event.json()["value"]["n"].clone())
            .collect();
        assert_eq!(told, expected, "{target}");
        // And no more than that.
        let polled = wire::get(public, target).await.json();
        let polled = polled["records"].as_array().unwrap().clone();
        let polled: Vec<_> = polled
            .iter()
            .map(|record| record["value"]["n"].clone())
            .collect();
        assert_eq!(polled, expected, "{target}");
    }
    let answer = wire::get(gateway.addr("public"), "/feeds/asked?json.x=1").await;
    assert_eq!(
        (answer.status, answer.header("weir-error")),
        (400, Some("query_invalid"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_given_out_whole_however_they_are_read() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("cloud", 1).await;
    let event = Written {
        value: Some(b"{\"n\":1}"),
        headers: &[
            ("ce_specversion", b"1.0"),
            ("ce_id", b"a"),
            ("ce_source", b"/shop"),
            ("ce_type", b"paid"),
            ("content-type", b"application/json"),
        ],
        ..Written::default()
    };
    kafka.write("cloud", 0, &[event]).await;
    let gateway = gateway(kafka).await;
    let expected = json!({
        "specversion": "1.0", "id": "a", "source": "/shop", "type": "paid",
        "datacontenttype": "application/json", "data": { "n": 1 }
    });
    let public = gateway.addr("public");
    let mut feed = EventSource::open(public, "/cloud-events/cloud", None).await;
    assert_eq!(feed.take(1).await[0].json(), expected);
    let polled = wire::get(public, "/cloud-events/cloud").await.json();
    assert_eq!(polled["records"], json!([expected]));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_who_is_given_what() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("seen", 1).await;
    let gateway = gateway(kafka).await;
    let mut feed = EventSource::open(gateway.addr("public"), "/feeds/seen", None).await;
    feed.first_id().await;
    let labels = [
        ("weir_route", "feed"),
        ("weir_kafka_cluster", "events"),
        ("messaging_destination_name", "seen"),
    ];
    assert_eq!(gateway.metric("weir_subscribers", &labels).await, 1.0);
    write(kafka, "seen", 0, &["1", "2"]).await;
    feed.take(2).await;
    let given = gateway.metric("weir_subscription_records_total", &labels);
    assert_eq!(given.await, 2.0);
    for histogram in [
        "weir_subscription_delivery_duration_seconds_count",
        "weir_subscription_lag_records_count",
    ] {
        assert!(
            gateway.metric(histogram, &labels).await >= 1.0,
            "{histogram}"
        );
    }
    drop(feed);
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "feed")
        .await;
    let expected = json!({ "cluster": "events", "destination.name": "seen", "batch.message_count": 2, "lag": 0 });
    assert_eq!(line["weir.subscription"], expected, "{line}");
    gateway
        .wait_for_metric("weir_subscribers", &labels, |count| count == 0.0)
        .await;
}
