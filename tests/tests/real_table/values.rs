//! What is said of values: of one, of all, of what is too large, and of what may be old.

use serde_json::json;
use weir_telemetry::Code;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::{Gateway, wait};

use super::scene::{ask, etag, gateway, refused, yaml};

#[tokio::test(flavor = "multi_thread")]
async fn values_are_created_read_changed_and_taken_away() {
    let kafka = Kafka::shared().await;
    let topic = "table-crud";
    kafka.create_topic(topic, 3).await;
    let gateway = gateway(kafka, topic).await;
    let at = gateway.addr("public");
    refused(
        &ask(at, "GET", "/users/ann", &[], "").await,
        Code::TableKeyUnknown,
    );
    refused(
        &ask(at, "DELETE", "/users/ann", &[], "").await,
        Code::TableKeyUnknown,
    );
    let created = ask(
        at,
        "PUT",
        "/users/ann",
        &["If-None-Match: *"],
        r#"{"a":1,"b":2}"#,
    )
    .await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.header("weir-view-behind"), None);
    let again = ask(at, "PUT", "/users/ann", &["If-None-Match: *"], "{}").await;
    refused(&again, Code::TablePreconditionFailed);
    assert_eq!(etag(&again), etag(&created), "it says what the value is");

    let read = ask(at, "GET", "/users/ann", &[], "").await;
    assert_eq!((read.status, etag(&read)), (200, etag(&created)));
    assert_eq!(read.json(), json!({"a": 1, "b": 2}));
    let has = format!("If-None-Match: {}", etag(&read));
    assert_eq!(ask(at, "GET", "/users/ann", &[&has], "").await.status, 304);

    let same = format!("If-Match: {}", etag(&read));
    let merge = ["Content-Type: application/merge-patch+json", same.as_str()];
    let patched = ask(at, "PATCH", "/users/ann", &merge, r#"{"b":null,"c":3}"#).await;
    assert_eq!(patched.status, 204, "{}", patched.text());
    refused(
        &ask(at, "PATCH", "/users/ann", &merge, "{}").await,
        Code::TablePreconditionFailed,
    );
    refused(
        &ask(at, "PUT", "/users/ann", &[&same], "{}").await,
        Code::TablePreconditionFailed,
    );
    let read = ask(at, "GET", "/users/ann", &[], "").await;
    assert_eq!(read.json(), json!({"a": 1, "c": 3}));

    refused(
        &ask(at, "PUT", "/careful/ann", &[], "{}").await,
        Code::TablePreconditionRequired,
    );
    refused(
        &ask(at, "PUT", "/shown/ann", &[], "{}").await,
        Code::MethodRefused,
    );
    refused(
        &ask(at, "PUT", "/users/ann", &[], "no JSON").await,
        Code::RequestBodyInvalid,
    );
    for name in ["cid", "bob"] {
        assert_eq!(
            ask(at, "PUT", &format!("/users/{name}"), &[], "7")
                .await
                .status,
            201
        );
    }
    let list = ask(at, "GET", "/users?limit=2", &[], "").await;
    let keys: Vec<_> = list
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["key"].clone())
        .collect();
    assert_eq!(keys, ["ann", "bob"]);
    assert_eq!(
        list.header("link"),
        Some("<?limit=2&after=bob>; rel=\"next\"")
    );
    let has = format!("If-None-Match: {}", etag(&list));
    assert_eq!(
        ask(at, "GET", "/users?limit=2", &[&has], "").await.status,
        304
    );
    let rest = ask(at, "GET", "/users?limit=2&after=bob", &[], "")
        .await
        .json();
    assert_eq!(
        (rest[0]["key"].clone(), rest[0]["value"].clone()),
        (json!("cid"), json!(7))
    );

    let deleted = ask(at, "DELETE", "/users/bob", &[], "").await;
    assert_eq!(deleted.status, 204);
    refused(
        &ask(at, "GET", "/users/bob", &[], "").await,
        Code::TableKeyUnknown,
    );

    // Another gateway fills its own view, and waits for what it is told of.
    let other = Gateway::start(&yaml(kafka, topic, "")).await;
    let last = ask(at, "PUT", "/users/dan", &[], "1").await;
    let path = format!("/users/dan?at_least={}", etag(&last).trim_matches('"'));
    let read = ask(other.addr("public"), "GET", &path, &[], "").await;
    assert_eq!((read.status, etag(&read)), (200, etag(&last)));
    let all = ask(other.addr("public"), "GET", "/users", &[], "")
        .await
        .json();
    assert_eq!(all.as_array().unwrap().len(), 3, "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wrote_reads_what_was_written() {
    let kafka = Kafka::shared().await;
    let topic = "table-own";
    kafka.create_topic(topic, 2).await;
    let gateway = gateway(kafka, topic).await;
    let at = gateway.addr("public");
    for number in 0..50 {
        let path = format!("/users/{}", number % 7);
        let written = ask(at, "PUT", &path, &[], &number.to_string()).await;
        assert!(written.status < 300, "{}", written.text());
        let read = ask(at, "GET", &path, &[], "").await;
        assert_eq!((read.json(), etag(&read)), (json!(number), etag(&written)));
    }
    // Nothing of this is worth a word in the log.
    let log = gateway.log();
    let ends: Vec<_> = log
        .iter()
        .filter(|line| line.contains("PartitionEOF"))
        .collect();
    assert_eq!(ends, Vec::<&String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_said_to_be_and_never_served_in_part() {
    let kafka = Kafka::shared().await;
    let topic = "table-large";
    kafka.create_topic(topic, 1).await;
    for key in ["a", "b", "c"] {
        let record = Written {
            key: Some(key),
            value: Some(b"1"),
            ..Written::default()
        };
        kafka.write(topic, 0, &[record]).await;
    }
    let narrow = yaml(kafka, topic, ", max_keys: 2").replace(
        &format!("topic: {topic}, key: \"{{path.id}}\", write: true, require"),
        &format!("topic: {topic}, key: \"{{path.id}}\", max_keys: 2, write: true, require"),
    );
    let narrow = narrow.replace(
        &format!("topic: {topic}, key: \"{{path.id}}\" }}"),
        &format!("topic: {topic}, key: \"{{path.id}}\", max_keys: 2 }}"),
    );
    let gateway = Gateway::start(&narrow).await;
    let read = ask(gateway.addr("public"), "GET", "/users/a", &[], "").await;
    refused(&read, Code::TableTooLarge);
    refused(
        &ask(gateway.addr("public"), "PUT", "/users/a", &[], "2").await,
        Code::TableTooLarge,
    );
    refused(
        &ask(gateway.addr("public"), "GET", "/users", &[], "").await,
        Code::TableTooLarge,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_said_to_be_missing_until_it_is_there() {
    let kafka = Kafka::shared().await;
    let topic = "table-missing";
    let yaml = yaml(kafka, topic, "").replace("timeout: 15s", "timeout: 1h");
    let gateway = Gateway::start(&yaml).await;
    let at = gateway.addr("public");
    // An hour would be too long for this test.
    let missing = ask(at, "GET", "/users/a", &[], "").await;
    refused(&missing, Code::TableNotReady);
    let expected = format!(
        "{} {}",
        Code::TableNotReady.title(),
        Code::KafkaTopicUnknown.title()
    );
    assert_eq!(missing.json()["detail"], expected);
    kafka.create_topic(topic, 1).await;
    wait::until("the topic is served".to_owned(), || async {
        (ask(at, "PUT", "/users/a", &[], "1").await.status == 201).then_some(())
    })
    .await;
    // Its `partitioner` is for those that write, and those that read need not say so.
    assert!(!gateway.log().concat().contains("CONFWARN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_brokers_the_view_is_read_and_said_to_be_old() {
    let kafka = Kafka::start().await;
    let topic = "table-down";
    kafka.create_topic(topic, 1).await;
    let gateway = gateway(&kafka, topic).await;
    let at = gateway.addr("public");
    assert_eq!(ask(at, "PUT", "/users/a", &[], "1").await.status, 201);
    let later = ask(at, "GET", "/users/a?at_least=0-999999", &[], "");
    kafka.stop().await;
    wait::until("an answer that says its age".to_owned(), || async {
        let read = ask(at, "GET", "/users/a", &[], "").await;
        assert_eq!((read.status, read.json()), (200, json!(1)));
        read.header("age").map(drop)
    })
    .await;
    let of = [("messaging_destination_name", topic)];
    let age = "weir_table_age_seconds";
    gateway.wait_for_metric(age, &of, |age| age > 0.0).await;
    refused(
        &ask(at, "PUT", "/users/a", &[], "2").await,
        Code::KafkaUnavailable,
    );
    refused(&later.await, Code::TableNotReady);
    let mut kafka = kafka;
    kafka.restart().await;
    wait::until("a write after the brokers are back".to_owned(), || async {
        (ask(at, "PUT", "/users/a", &[], "3").await.status == 204).then_some(())
    })
    .await;
    assert_eq!(ask(at, "GET", "/users/a", &[], "").await.json(), json!(3));
    gateway.wait_for_metric(age, &of, |age| age <= 0.0).await;
}
