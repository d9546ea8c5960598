//! One record for each request, whatever became of it; none of them waits for brokers.

use serde_json::json;
use weir_tests::metered::{PROMPT, Speaker, WORD, ask, post, stream};
use weir_tests::wire::{self, Connection};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_request_leaves_one_record_of_what_it_used() {
    let kafka = Kafka::shared().await;
    let topic = "told";
    kafka.create_topic(topic, 2).await;
    let provider = Speaker::new(5).start().await;
    let bootstrap = kafka.bootstrap();
    let gateway = builder(&bootstrap, topic, &provider, "kind: memory", 3)
        .start()
        .await;
    let public = gateway.addr("public");
    for body in [ask(""), stream(""), ask(r#","max_tokens":2"#)] {
        assert_eq!(post(public, "ann", body).await.status, 200);
    }
    assert_eq!(post(public, "ann", ask("")).await.status, 429);
    // What nobody reports is counted.
    provider
        .upstream()
        .set(Speaker::new(4).silent().behaviour());
    assert_eq!(post(public, "bob", ask("")).await.status, 200);
    let told = records(kafka, topic, 5).await;
    assert_eq!(summed(&told), counted(&gateway).await);

    let of = |consumer: &str, status: u64| -> Vec<&Value> {
        let all = told.iter().filter(|one| one["consumer"] == consumer);
        all.filter(|one| one["status"] == status).collect()
    };
    let tokens = |one: &Value| {
        let tokens = &one["llm"]["tokens"];
        (tokens["input"].as_u64(), tokens["output"].as_u64())
    };
    // They are of one key, and in their order.
    let used: Vec<_> = of("ann", 200).into_iter().map(tokens).collect();
    let prompt = Some(PROMPT);
    assert_eq!(
        used,
        [(prompt, Some(5)), (prompt, Some(5)), (prompt, Some(2))]
    );
    for one in of("ann", 200) {
        assert_eq!(one["llm"]["provenance"], "provider", "{one}");
        assert_eq!(one["organisation"], "acme");
        assert_eq!(
            (&one["llm"]["provider"], &one["llm"]["model"]),
            (&json!("mock"), &json!("word-1"))
        );
        let spend = one["quotas"].as_array().unwrap().iter();
        let spend = spend
            .clone()
            .find(|quota| quota["name"] == "spend")
            .unwrap();
        let money = one["llm"]["money"]["amount"].as_str().unwrap();
        assert_eq!(spend["used"].to_string(), money, "{one}");
    }
    assert_eq!(of("bob", 200)[0]["llm"]["provenance"], "counted");
    let refused = of("ann", 429)[0];
    assert_eq!(refused["error"], "quota_exhausted");
    assert_eq!(refused["quotas"], json!([]), "{refused}");
    let line = gateway
        .wait_for_log(|line| line["weir.consumer"] == "bob")
        .await;
    assert_eq!(
        line["request_id"],
        of("bob", 200)[0]["request_id"],
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_in_the_middle_leaves_a_record() {
    let kafka = Kafka::shared().await;
    let topic = "left";
    kafka.create_topic(topic, 1).await;
    let provider = Speaker::new(3).stalling().start().await;
    let bootstrap = kafka.bootstrap();
    let gateway = builder(&bootstrap, topic, &provider, "kind: local", 10)
        .start()
        .await;
    let public = gateway.addr("public");
    let mut caller = Connection::open(public).await;
    let head = [
        "Authorization: Bearer ann",
        "Content-Type: application/json",
    ];
    let path = "/v1/chat/completions";
    let message = wire::message(public, "POST", path, &head, stream("").as_bytes());
    caller.send(message).await.unwrap();
    caller.read_until(WORD).await;
    drop(caller);
    let told = records(kafka, topic, 1).await;
    assert_eq!(told[0]["error"], "client_disconnected", "{}", told[0]);
    assert_eq!(told[0]["aborted"], true);
    assert_eq!(summed(&told), counted(&gateway).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_brokers_and_requests_do_not() {
    let mut kafka = Kafka::start().await;
    let topic = "later";
    kafka.create_topic(topic, 1).await;
    let provider = Speaker::new(5).start().await;
    let bootstrap = kafka.bootstrap();
    let gateway = builder(&bootstrap, topic, &provider, "kind: local", 100)
        .start()
        .await;
    kafka.stop().await;
    for _ in 0..20 {
        assert_eq!(
            post(gateway.addr("public"), "ann", ask("")).await.status,
            200
        );
    }
    // What is still in the queue goes to the disk before the process ends.
    assert!(gateway.stop().await.success());
    let next = gateway.successor().start().await;
    kafka.restart().await;
    let told = records(&kafka, topic, 20).await;
    assert_eq!(summed(&told), counted(&next).await);
    let mut ids: Vec<_> = told.iter().map(|one| one["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_is_counted_and_requests_go_on() {
    let provider = Speaker::new(1).start().await;
    let gateway = builder("127.0.0.1:1", "never", &provider, "kind: memory", 1_000_000);
    let gateway = gateway.start().await;
    let public = gateway.addr("public");
    let mut calls = 0.0;
    let lost = [("reason", "spool_full")];
    while gateway.metric("weir_usage_events_lost_total", &lost).await == 0.0 {
        for _ in 0..50 {
            assert_eq!(post(public, "ann", ask("")).await.status, 200);
            calls += 1.0;
        }
        assert!(calls < 10_000.0, "a spool of 1 MiB never filled");
    }
    let all = || async {
        let kept = gateway.metric("weir_usage_events_total", &[]).await;
        kept + gateway.metric("weir_usage_events_lost_total", &lost).await
    };
    wait::until("every record to be kept or counted", || async {
        (all().await == calls).then_some(())
    })
    .await;
    let log = gateway.log();
    let said = log
        .iter()
        .filter(|line| line.contains("records of usage are lost"));
    assert_eq!(said.count(), 1, "{}", log.join("\n"));
}
