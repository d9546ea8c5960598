//! Coming again: what was missed is told, however much that is, by whichever gateway.

use std::collections::HashMap;

use serde_json::{Value, json};
use weir_tests::events::EventSource;
use weir_tests::kafka::Kafka;
use weir_tests::{Gateway, wait, wire};

use super::{gateway, write};

/// Reads on from the last id until so many records more were told.
async fn read_on(gateway: &Gateway, target: &str, last: &mut String, count: usize) -> Vec<Value> {
    let mut feed = EventSource::open(gateway.addr("public"), target, Some(last)).await;
    let told = feed.take(count).await;
    *last = told
        .last()
        .map_or_else(|| last.clone(), |event| event.id.clone());
    told.iter().map(|event| event.json()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_between_gateways() {
    const RECORDS: usize = 6_000;
    let kafka = Kafka::shared().await;
    kafka.create_topic("missed", 3).await;
    let gateways = [gateway(kafka).await, gateway(kafka).await];
    let first = EventSource::open(gateways[0].addr("public"), "/feeds/missed", None).await;
    let mut last = { first }.first_id().await;
    let writes = async {
        for round in 0..RECORDS / 300 {
            for partition in 0..3 {
                let texts: Vec<_> = (0..100).map(|n| format!("{}", round * 100 + n)).collect();
                let texts: Vec<_> = texts.iter().map(String::as_str).collect();
                write(kafka, "missed", partition, &texts).await;
            }
        }
    };
    let reads = async {
        let mut found: HashMap<i64, Vec<i64>> = HashMap::new();
        let (mut count, mut turn) = (0, 0);
        while count < RECORDS {
            turn += 1;
            let take = (turn * 37 % 400 + 1).min(RECORDS - count);
            let told = read_on(&gateways[turn % 2], "/feeds/missed", &mut last, take).await;
            count += told.len();
            for record in told {
                let partition = record["partition"].as_i64().unwrap();
                let value = record["value"].as_i64().unwrap();
                found.entry(partition).or_default().push(value);
            }
        }
        found
    };
    let ((), found) = tokio::join!(writes, reads);
    let all: Vec<i64> = (0..(RECORDS / 3) as i64).collect();
    for partition in 0..3 {
        assert!(
            found[&partition] == all,
            "{partition}: a gap, a repetition, or another order"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_far_behind_reads_all_and_joins_the_others() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("behind", 2).await;
    let gateway = gateway(kafka).await;
    // More than is kept of a topic's end.
    let value = format!("\"{}\"", "x".repeat(100_000));
    let start = wire::get(gateway.addr("public"), "/feeds/behind")
        .await
        .json();
    let mut last = start["cursor"].as_str().unwrap().to_owned();
    for partition in 0..2 {
        for _ in 0..6 {
            write(kafka, "behind", partition, &[&*value; 10]).await;
        }
    }
    let told = read_on(&gateway, "/feeds/behind", &mut last, 70).await;
    let mut offsets: HashMap<i64, i64> = HashMap::new();
    let mut pass = |record: &Value| {
        let expected = offsets
            .entry(record["partition"].as_i64().unwrap())
            .or_default();
        assert_eq!(record["offset"].as_i64(), Some(*expected));
        *expected += 1;
    };
    told.iter().for_each(&mut pass);
    let mut feed = EventSource::open(gateway.addr("public"), "/feeds/behind", Some(&last)).await;
    for event in feed.take(50).await {
        pass(&event.json());
    }
    write(kafka, "behind", 1, &["\"new\""]).await;
    let last = feed.take(1).await;
    assert_eq!(last[0].json()["value"], "new");
    pass(&last[0].json());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_transactions_leave_no_gap() {
    use rdkafka::ClientConfig;
    use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
    let kafka = Kafka::shared().await;
    kafka.create_topic("transactions", 1).await;
    let gateway = gateway(kafka).await;
    let bootstrap = kafka.bootstrap();
    let run = move |transactions: Vec<(&'static str, bool)>| {
        let bootstrap = bootstrap.clone();
        tokio::task::spawn_blocking(move || {
            let producer: ThreadedProducer<_> = ClientConfig::new()
                .set("bootstrap.servers", bootstrap)
                .set("transactional.id", "tests")
                .create()
                .unwrap();
            producer.init_transactions(wait::DEADLINE).unwrap();
            for (value, commits) in transactions {
                producer.begin_transaction().unwrap();
                let record: BaseRecord<'_, (), str> = BaseRecord::to("transactions").payload(value);
                producer.send(record).map_err(|(error, _)| error).unwrap();
                producer.flush(wait::DEADLINE).unwrap();
                match commits {
                    true => producer.commit_transaction(wait::DEADLINE).unwrap(),
                    false => producer.abort_transaction(wait::DEADLINE).unwrap(),
                }
            }
        })
    };
    let start = wire::get(gateway.addr("public"), "/feeds/transactions")
        .await
        .json();
    let mut last = start["cursor"].as_str().unwrap().to_owned();
    run(vec![("1", true), ("2", false), ("3", true)])
        .await
        .unwrap();
    let told = read_on(&gateway, "/feeds/transactions", &mut last, 1).await;
    assert_eq!(told[0]["value"], 1);
    // Another gateway begins to read after the end of the last transaction.
    let other = super::gateway(kafka).await;
    let mut feed =
        EventSource::open(other.addr("public"), "/feeds/transactions", Some(&last)).await;
    assert_eq!(feed.take(1).await[0].json()["value"], 3);
    run(vec![("4", false), ("5", true)]).await.unwrap();
    assert_eq!(feed.take(1).await[0].json()["value"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_topic_holds_no_more_is_said_to_be_missing() {
    use rdkafka::ClientConfig;
    use rdkafka::admin::{AdminClient, AdminOptions};
    use rdkafka::client::DefaultClientContext;
    use rdkafka::{Offset, TopicPartitionList};
    let kafka = Kafka::shared().await;
    kafka.create_topic("retained", 1).await;
    let first = gateway(kafka).await;
    let start = wire::get(first.addr("public"), "/feeds/retained")
        .await
        .json();
    let cursor = start["cursor"].as_str().unwrap();
    write(kafka, "retained", 0, &["0", "1", "2", "3"]).await;
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("retained", 0, Offset::Offset(3))
        .unwrap();
    admin
        .delete_records(&list, &AdminOptions::new())
        .await
        .unwrap();
    let second = gateway(kafka).await;
    let target = format!("/feeds/retained?cursor={cursor}");
    let mut feed = EventSource::open(second.addr("public"), &target, None).await;
    let told = feed.take(2).await;
    assert_eq!(told[0].name, "gap");
    assert_eq!(
        told[0].json(),
        json!([{ "partition": 0, "from": 0, "to": 3 }])
    );
    assert_eq!(told[1].json()["value"], 3);
    let polled = wire::get(second.addr("public"), &target).await.json();
    assert_eq!(
        polled["gaps"],
        json!([{ "partition": 0, "from": 0, "to": 3 }])
    );
    assert_eq!(polled["records"][0]["value"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_told_when_the_gateway_goes_and_another_goes_on() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("going", 1).await;
    let first = gateway(kafka).await;
    let mut feed = EventSource::open(first.addr("public"), "/feeds/going", None).await;
    feed.first_id().await;
    write(kafka, "going", 0, &["1"]).await;
    let told = feed.take(1).await;
    let stops = first.stop();
    let ended = async {
        let last = feed.next().await.unwrap();
        assert_eq!(
            (&*last.name, &last.json()["code"]),
            ("error", &json!("draining"))
        );
        assert_eq!(feed.next().await, None);
    };
    tokio::join!(stops, ended);
    write(kafka, "going", 0, &["2"]).await;
    let second = gateway(kafka).await;
    let mut feed =
        EventSource::open(second.addr("public"), "/feeds/going", Some(&told[0].id)).await;
    assert_eq!(feed.take(1).await[0].json()["value"], 2);
}
