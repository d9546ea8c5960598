//! No update is lost, whoever writes beside it and whatever becomes of gateways.

use std::net::SocketAddr;

use serde_json::json;
use weir_tests::child::Kind;
use weir_tests::kafka::Kafka;
use weir_tests::wait;

use super::scene::{ask, etag, gateway};

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
