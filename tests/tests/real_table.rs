//! `table` on a real Kafka: a compacted topic as a resource, of which no update is lost whatever becomes of
//! gateways.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

use std::net::SocketAddr;

use serde_json::json;
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, wait};

fn yaml(kafka: &Kafka, topic: &str, further: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["{}"], properties: {{ partitioner: murmur2_random }} }}
routes:
  - name: users
    matches: [{{ path: {{ exact: /users }} }}, {{ path: {{ template: "/users/{{id}}" }} }}]
    table: {{ cluster: events, topic: {topic}, key: "{{path.id}}", write: true, timeout: 15s{further} }}
  - name: careful
    matches: [{{ path: {{ template: "/careful/{{id}}" }} }}]
    table: {{ cluster: events, topic: {topic}, key: "{{path.id}}", write: true, require_if_match: true }}
  - name: shown
    matches: [{{ path: {{ template: "/shown/{{id}}" }} }}]
    table: {{ cluster: events, topic: {topic}, key: "{{path.id}}" }}
"#,
        kafka.bootstrap()
    )
}

async fn gateway(kafka: &Kafka, topic: &str) -> Gateway {
    Gateway::start(&yaml(kafka, topic, "")).await
}

async fn ask(at: SocketAddr, method: &str, path: &str, fields: &[&str], body: &str) -> Response {
    // On the heap: a test that asks often would hold all of them on its stack.
    Box::pin(wire::request(at, method, path, fields, body.as_bytes())).await
}

fn refused(response: &Response, code: Code) {
    let slug = response.header("weir-error");
    assert_eq!(
        (response.status, slug),
        (code.status(), Some(code.slug())),
        "{}",
        response.text()
    );
}

fn etag(response: &Response) -> String {
    response.header("etag").unwrap().to_owned()
}

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
}

/// Adds one to a value so many times, and counts how often it was refused because somebody else had.
async fn count(gateways: Vec<SocketAddr>, times: usize) -> usize {
    let mut refusals = 0;
    for at in gateways.iter().cycle().take(times) {
        loop {
            let read = ask(*at, "GET", "/users/counter", &[], "").await;
            assert_eq!(read.status, 200, "{}", read.text());
            let next = read.json().as_u64().unwrap() + 1;
            let same = format!("If-Match: {}", etag(&read));
            let written = ask(*at, "PUT", "/users/counter", &[&same], &next.to_string()).await;
            match written.status {
                204 => break,
                412 => refusals += 1,
                _ => panic!("{}", written.text()),
            }
        }
    }
    refusals
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_is_lost_between_two_gateways() {
    let kafka = Kafka::shared().await;
    let topic = "table-counter";
    kafka.create_topic(topic, 1).await;
    let (one, two) = (gateway(kafka, topic).await, gateway(kafka, topic).await);
    let first = ask(one.addr("public"), "PUT", "/users/counter", &[], "0").await;
    assert_eq!(first.status, 201, "{}", first.text());
    let path = format!("/users/counter?at_least={}", etag(&first).trim_matches('"'));
    assert_eq!(
        ask(two.addr("public"), "GET", &path, &[], "").await.status,
        200
    );
    let (clients, times) = (6, 4);
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let mut gateways = vec![one.addr("public"), two.addr("public")];
            gateways.rotate_left(client % 2);
            tokio::spawn(count(gateways, times))
        })
        .collect();
    let mut refusals = 0;
    for task in tasks {
        refusals += task.await.unwrap();
    }
    println!(
        "{} increments by two gateways, {refusals} refused with 412",
        clients * times
    );
    assert_ne!(refusals, 0, "nobody was in anybody's way");
    let path = "/users/counter";
    wait::until("the sum at both gateways".to_owned(), || async {
        let read = [
            ask(one.addr("public"), "GET", path, &[], "").await,
            ask(two.addr("public"), "GET", path, &[], "").await,
        ];
        let sum = json!(clients * times);
        (read[0].json() == sum && read[1].json() == sum).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_loses_nothing_it_promised() {
    let kafka = Kafka::shared().await;
    let topic = "table-killed";
    kafka.create_topic(topic, 1).await;
    let (one, two) = (gateway(kafka, topic).await, gateway(kafka, topic).await);
    let mut promised = Vec::new();
    for number in 0..10 {
        let path = format!("/users/{number}");
        assert_eq!(
            ask(one.addr("public"), "PUT", &path, &[], "1").await.status,
            201
        );
        promised.push(path);
    }
    one.signal(Kind::SIGKILL);
    // It takes the partition over, whatever the other one had open.
    assert_eq!(
        ask(two.addr("public"), "PUT", "/users/after", &[], "2")
            .await
            .status,
        201
    );
    let anew = gateway(kafka, topic).await;
    for path in &promised {
        for at in [two.addr("public"), anew.addr("public")] {
            assert_eq!(
                ask(at, "GET", path, &[], "").await.json(),
                json!(1),
                "{path}"
            );
        }
    }
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
}
