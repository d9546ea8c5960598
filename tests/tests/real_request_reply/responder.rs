//! Who replies: reads requests from a topic, and writes what they ask for to the topic that they name.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Header, Headers as _, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use weir_tests::kafka::Kafka;

/// The trace that replies say they come from.
pub(crate) const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Replies until it is dropped.
pub(crate) struct Responder(JoinHandle<()>);

impl Drop for Responder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Responder {
    /// Replies to all requests of a topic of two partitions, from the first one on.
    pub(crate) fn start(kafka: &Kafka, requests: &str) -> Self {
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka.bootstrap())
            .set("group.id", "responder")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka.bootstrap())
            .set("linger.ms", "0")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..2 {
            all.add_partition_offset(requests, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        Self(tokio::spawn(async move {
            loop {
                // What cannot be read now is read later.
                if let Ok(message) = consumer.recv().await {
                    tokio::spawn(reply(producer.clone(), message.detach()));
                }
            }
        }))
    }
}

fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    Some(String::from_utf8_lossy(found.value?).into_owned())
}

/// A body says what becomes of it: `never`, `after` so many milliseconds, `times`, `status`, `text`.
async fn reply(producer: FutureProducer, request: OwnedMessage) {
    let asked: Value = serde_json::from_slice(request.payload().unwrap_or_default()).unwrap();
    if asked["never"] == true {
        return;
    }
    tokio::time::sleep(Duration::from_millis(asked["after"].as_u64().unwrap_or(0))).await;
    let id = header(&request, "correlation-id").unwrap();
    let to = header(&request, "reply-to").unwrap();
    for time in 0..asked["times"].as_u64().unwrap_or(1) {
        let mut headers = OwnedHeaders::new()
            .insert(text("correlation-id", &id))
            .insert(text("traceparent", TRACE))
            .insert(text("http-x-worker", "seven"))
            .insert(text("http-content-length", "1"))
            .insert(text("http-weir-error", "mine"));
        if let Some(status) = asked["status"].as_str() {
            headers = headers.insert(text("status", status));
        }
        let value = match asked["text"].as_str() {
            Some(text) => text.to_owned(),
            None => {
                let who = header(&request, "weir-consumer");
                json!({ "asked": asked, "who": who, "time": time }).to_string()
            }
        };
        // By one key: of several, the first is before the others.
        let record = FutureRecord::to(&to)
            .key(&id)
            .payload(&value)
            .headers(headers);
        producer
            .send(record, Duration::from_secs(30))
            .await
            .unwrap();
    }
}

fn text<'a>(key: &'a str, value: &'a str) -> Header<'a, &'a str> {
    Header {
        key,
        value: Some(value),
    }
}
