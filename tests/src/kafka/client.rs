//! What tests do at the brokers of a cluster as any client would.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::wait;

const PATIENCE: Duration = Duration::from_secs(30);

/// A client of a cluster.
#[derive(Debug, Clone)]
pub struct Client {
    bootstrap: String,
    /// How many brokers are to have each record.
    replicas: i32,
}

/// A record as a consumer reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A record to write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written<'a> {
    /// The key.
    pub key: Option<&'a str>,
    /// The value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// In milliseconds since 1970; now, if it is not said.
    pub timestamp: Option<i64>,
}

impl Record {
    /// The value as text, empty for a tombstone.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }

    /// The first header of that name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        Some(String::from_utf8_lossy(value.as_deref()?).into_owned())
    }
}

impl Client {
    pub(super) const fn new(bootstrap: String, replicas: i32) -> Self {
        Self {
            bootstrap,
            replicas,
        }
    }

    /// The bootstrap servers, `127.0.0.1:PORT`, with commas between them.
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// Creates a topic and waits until it has leaders.
    ///
    /// # Panics
    /// If the broker refuses.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(self.replicas));
        self.create(&topic).await;
    }

    /// The same, with settings of its own.
    ///
    /// # Panics
    /// If the broker refuses.
    pub async fn create_topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(self.replicas));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        self.create(&topic).await;
    }

    /// Creates a topic of which each partition is on one of these nodes only, numbered from 1: none leads it
    /// while that one is away.
    ///
    /// # Panics
    /// If the broker refuses.
    pub async fn create_topic_on(&self, name: &str, nodes: &[i32]) {
        let places: Vec<_> = nodes.iter().map(std::slice::from_ref).collect();
        let partitions = i32::try_from(nodes.len()).expect("a test has few partitions");
        let topic = NewTopic::new(name, partitions, TopicReplication::Variable(&places));
        self.create(&topic.set("min.insync.replicas", "1")).await;
    }

    /// Gives a topic more partitions, so that there are so many.
    ///
    /// # Panics
    /// If the broker refuses.
    pub async fn add_partitions(&self, topic: &str, count: usize) {
        let more = NewPartitions::new(topic, count);
        let results = self
            .admin()
            .create_partitions([&more], &AdminOptions::new())
            .await
            .unwrap_or_else(|error| panic!("{topic} gets no more partitions: {error}"));
        for result in results {
            result.unwrap_or_else(|(_, code)| panic!("{topic} gets no more partitions: {code}"));
        }
        wait::until(format!("leaders of the topic {topic}"), || async {
            (self.partitions(topic).await.len() == count).then_some(())
        })
        .await;
    }

    /// Takes away the records of a partition before an offset, as retention does.
    ///
    /// # Panics
    /// If the broker refuses.
    pub async fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("it is an offset");
        let deleted = self.admin();
        let deleted = deleted.delete_records(&list, &AdminOptions::new()).await;
        let deleted = deleted.unwrap_or_else(|error| panic!("{topic} keeps its records: {error}"));
        for element in deleted.elements() {
            let result = element.error();
            result.unwrap_or_else(|error| panic!("{topic} keeps its records: {error}"));
        }
    }

    /// What a group has committed of a topic, by partition.
    ///
    /// # Panics
    /// If the brokers do not answer.
    pub async fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions(topic).await {
            list.add_partition(topic, partition);
        }
        let mut config = self.config();
        config.set("group.id", group);
        blocking(move || {
            let consumer: StreamConsumer = config.create().expect("the properties are valid");
            let committed = consumer.committed_offsets(list, PATIENCE);
            let committed = committed.unwrap_or_else(|error| panic!("no offsets: {error}"));
            let offset = |offset| match offset {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            let elements = committed.elements();
            elements.iter().map(|e| offset(e.offset())).collect()
        })
        .await
    }

    async fn create(&self, topic: &NewTopic<'_>) {
        let (name, partitions) = (topic.name, topic.num_partitions);
        let admin = self.admin();
        let results = admin
            .create_topics([topic], &AdminOptions::new())
            .await
            .unwrap_or_else(|error| panic!("the topic {name} cannot be created: {error}"));
        for result in results {
            result.unwrap_or_else(|(name, code)| panic!("the topic {name} is refused: {code}"));
        }
        wait::until(format!("leaders of the topic {name}"), || async {
            let ready = self.partitions(name).await;
            (ready.len() == partitions.max(0).unsigned_abs() as usize).then_some(())
        })
        .await;
    }

    /// Reads the first `count` records of a topic, in the order they arrive.
    ///
    /// # Panics
    /// If so many do not come.
    pub async fn consume(&self, topic: &str, count: usize) -> Vec<Record> {
        let consumer: StreamConsumer = self
            .config()
            .set("group.id", "weir-tests")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .create()
            .expect("the consumer's properties are valid");
        let mut list = TopicPartitionList::new();
        for partition in self.partitions(topic).await {
            list.add_partition_offset(topic, partition, Offset::Beginning)
                .expect("the beginning is an offset");
        }
        consumer.assign(&list).expect("a list can be assigned");
        let mut records = Vec::new();
        while records.len() < count {
            let what = format!("record {} of {count} in {topic}", records.len() + 1);
            let message = wait::for_end(what, consumer.recv())
                .await
                .unwrap_or_else(|error| panic!("{topic} cannot be read: {error}"));
            records.push(record(&message));
        }
        records
    }

    /// Reads what is committed of a topic, whatever was compacted away.
    ///
    /// # Panics
    /// If the brokers do not answer.
    pub async fn read_to_end(&self, topic: &str) -> Vec<Record> {
        let mut config = self.config();
        config.set("enable.partition.eof", "true");
        config.set("isolation.level", "read_committed");
        let consumer: StreamConsumer = config
            .set("group.id", "weir-tests")
            .set("enable.auto.commit", "false")
            .create()
            .expect("the consumer's properties are valid");
        let mut open = self.partitions(topic).await;
        let mut list = TopicPartitionList::new();
        for partition in &open {
            list.add_partition_offset(topic, *partition, Offset::Beginning)
                .expect("the beginning is an offset");
        }
        consumer.assign(&list).expect("a list can be assigned");
        let mut records = Vec::new();
        while !open.is_empty() {
            match wait::for_end(format!("the end of {topic}"), consumer.recv()).await {
                Ok(message) => records.push(record(&message)),
                Err(KafkaError::PartitionEOF(ended)) => {
                    open.retain(|partition| *partition != ended)
                }
                Err(error) => panic!("{topic} cannot be read: {error}"),
            }
        }
        records
    }

    /// Reads all that a topic holds by now.
    ///
    /// # Panics
    /// If the brokers do not answer.
    pub async fn read_all(&self, topic: &str) -> Vec<Record> {
        let count = self.count(topic).await.unsigned_abs();
        let count = usize::try_from(count).expect("so many fit into memory");
        self.consume(topic, count).await
    }

    /// Writes records to a partition, one after the other, and waits until the broker has them.
    ///
    /// # Panics
    /// If it refuses one.
    pub async fn write(&self, topic: &str, partition: i32, records: &[Written<'_>]) {
        let producer: FutureProducer = self
            .config()
            .set("enable.idempotence", "true")
            .create()
            .expect("the producer's properties are valid");
        let sent = records.iter().map(|record| {
            let mut headers = OwnedHeaders::new();
            for (key, value) in record.headers {
                let value = Some(*value);
                headers = headers.insert(Header { key, value });
            }
            let sent: FutureRecord<'_, [u8], [u8]> = FutureRecord {
                topic,
                partition: Some(partition),
                key: record.key.map(str::as_bytes),
                payload: record.value,
                timestamp: record.timestamp,
                headers: Some(headers),
            };
            producer
                .send_result(sent)
                .unwrap_or_else(|(error, _)| panic!("{topic} takes no record: {error}"))
        });
        // All are handed over before the first is waited for.
        let sent: Vec<_> = sent.collect();
        for sent in sent {
            let taken = wait::for_end("a record is taken", sent).await;
            taken
                .expect("the producer lives")
                .unwrap_or_else(|(error, _)| panic!("{topic} takes no record: {error}"));
        }
    }

    /// The end offsets of a topic's partitions summed up: how many records it was given (control
    /// records of transactions included).
    ///
    /// # Panics
    /// If the broker does not answer.
    pub async fn count(&self, topic: &str) -> i64 {
        let partitions = self.partitions(topic).await;
        let (this, topic) = (self.clone(), topic.to_owned());
        blocking(move || {
            let consumer = this.consumer();
            let end = |partition: i32| {
                let (_, high) = consumer
                    .fetch_watermarks(&topic, partition, PATIENCE)
                    .unwrap_or_else(|error| panic!("no end of {topic}/{partition}: {error}"));
                high
            };
            partitions.into_iter().map(end).sum()
        })
        .await
    }

    /// The partitions of a topic that have a leader.
    async fn partitions(&self, topic: &str) -> Vec<i32> {
        let (this, topic) = (self.clone(), topic.to_owned());
        blocking(move || {
            let metadata = this.consumer().fetch_metadata(Some(&topic), PATIENCE);
            let metadata = metadata.unwrap_or_else(|error| panic!("no metadata: {error}"));
            let led = metadata
                .topics()
                .iter()
                .flat_map(|topic| topic.partitions());
            led.filter(|partition| partition.leader() >= 0)
                .map(|partition| partition.id())
                .collect()
        })
        .await
    }

    /// Whether brokers answer, and how many.
    pub(super) async fn brokers(&self) -> usize {
        let this = self.clone();
        blocking(move || {
            let metadata = this.consumer().fetch_metadata(None, Duration::from_secs(5));
            metadata.map_or(0, |metadata| metadata.brokers().len())
        })
        .await
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    fn consumer(&self) -> StreamConsumer {
        self.config()
            .set("group.id", "weir-tests")
            .create()
            .expect("the client's properties are valid")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config()
            .create()
            .expect("the client's properties are valid")
    }
}

/// librdkafka's synchronous calls, away from the test's own thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn record(message: &impl Message) -> Record {
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    });
    Record {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}
