//! A real Apache Kafka: one node in KRaft mode, from the jars `make deps` fetched.
//!
//! Its ports, its log and its life belong to the test. It knows no topic but those it is told of.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::OnceCell;

use crate::child::{self, Child, Kind};
use crate::scratch::{self, Scratch};
use crate::{ports, wait};

/// A JVM on a busy machine takes its time.
const DEADLINE: Duration = Duration::from_secs(180);

/// Heaps this small start fast and hold what a test writes.
const JAVA: [&str; 5] = [
    "-Xmx384m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// A running broker; killed when dropped.
#[derive(Debug)]
pub struct Kafka {
    dir: Scratch,
    port: u16,
    child: Child,
}

/// What else is said of a broker.
#[derive(Debug, Default)]
pub struct Further {
    /// Listeners, each after a comma.
    pub listeners: String,
    /// What each of them speaks, likewise.
    pub protocols: String,
    /// Lines of `server.properties`.
    pub properties: String,
    /// Given when the storage is formatted.
    pub arguments: Vec<String>,
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

impl Kafka {
    /// The broker all tests of this binary share: use topics of your own, and leave it running.
    ///
    /// It ends with the process, whatever ends that.
    pub async fn shared() -> &'static Kafka {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED.get_or_init(Kafka::start).await
    }

    /// Starts a broker of one's own, to stop and pause.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start() -> Kafka {
        Self::start_with(&Further::default()).await
    }

    /// The same, of which more is said.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start_with(further: &Further) -> Kafka {
        let mut failure = String::new();
        for _ in 0..3 {
            let dir = Scratch::new("kafka");
            let port = ports::free();
            format(&dir, port, further).await;
            let child = Child::start("kafka", java(&dir, "kafka.Kafka", &["server.properties"]));
            if child.ready(DEADLINE, || serves(port)).await {
                return Kafka { dir, port, child };
            }
            // Most likely somebody took a port meanwhile.
            failure = child.transcript();
        }
        panic!("Kafka does not start:\n{failure}");
    }

    /// The bootstrap server, `127.0.0.1:PORT`.
    pub fn bootstrap(&self) -> String {
        bootstrap(self.port)
    }

    /// The broker's process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Creates a topic and waits until it has leaders.
    ///
    /// # Panics
    /// If the broker refuses.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let admin = admin(self.port);
        let results = admin
            .create_topics([&topic], &AdminOptions::new())
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
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
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

    /// Writes records to a partition, one after the other, and waits until the broker has them.
    ///
    /// # Panics
    /// If it refuses one.
    pub async fn write(&self, topic: &str, partition: i32, records: &[Written<'_>]) {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
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
        let (port, topic) = (self.port, topic.to_owned());
        blocking(move || {
            let consumer = client(port);
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

    /// Freezes the broker: connections stay, nothing is answered.
    pub fn pause(&self) {
        self.child.signal(Kind::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.child.signal(Kind::SIGCONT);
    }

    /// Stops the broker in order; its log stays for [`Kafka::restart`].
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) {
        // A frozen process gets no SIGTERM.
        self.resume();
        self.child.stop().await;
    }

    /// Starts a stopped broker again, on the same port and log.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn restart(&mut self) {
        self.stop().await;
        let command = java(&self.dir, "kafka.Kafka", &["server.properties"]);
        self.child = Child::start("kafka", command);
        let port = self.port;
        assert!(
            self.child.ready(DEADLINE, || serves(port)).await,
            "Kafka does not start again:\n{}",
            self.child.transcript()
        );
    }

    /// The partitions of a topic that have a leader.
    async fn partitions(&self, topic: &str) -> Vec<i32> {
        let (port, topic) = (self.port, topic.to_owned());
        blocking(move || {
            let metadata = client(port).fetch_metadata(Some(&topic), PATIENCE);
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
}

const PATIENCE: Duration = Duration::from_secs(30);

async fn serves(port: u16) -> bool {
    // Cheaper than a client while the JVM still starts.
    if tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_err()
    {
        return false;
    }
    blocking(move || {
        client(port)
            .fetch_metadata(None, Duration::from_secs(5))
            .is_ok_and(|metadata| !metadata.brokers().is_empty())
    })
    .await
}

/// librdkafka's synchronous calls, away from the test's own thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn client(port: u16) -> StreamConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap(port))
        .set("group.id", "weir-tests")
        .create()
        .expect("the client's properties are valid")
}

fn admin(port: u16) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap(port))
        .create()
        .expect("the client's properties are valid")
}

fn bootstrap(port: u16) -> String {
    format!("127.0.0.1:{port}")
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

/// Writes the configuration and formats the storage.
async fn format(dir: &Scratch, port: u16, further: &Further) {
    let controller = ports::free();
    let data = dir.path().join("data");
    let Further {
        listeners,
        protocols,
        properties,
        arguments,
    } = further;
    dir.write(
        "server.properties",
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}{listeners}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}\n\
             controller.listener.names=CONTROLLER\n\
             log.dirs={}\n\
             auto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n\
             log.cleaner.dedupe.buffer.size=2097152\n\
             num.network.threads=2\n\
             num.io.threads=2\n\
             {properties}",
            data.display()
        ),
    );
    let mut all = vec![
        "format",
        "-t",
        "WeirTestsClusterId0000",
        "-c",
        "server.properties",
    ];
    all.extend(arguments.iter().map(String::as_str));
    let tool = Child::start("kafka-storage", java(dir, "kafka.tools.StorageTool", &all));
    let status = tool.wait_exit().await;
    assert!(
        status.success(),
        "the storage cannot be formatted:\n{}",
        tool.transcript()
    );
}

fn java(dir: &Scratch, class: &str, arguments: &[&str]) -> Command {
    let program = match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin").join("java"),
        None => PathBuf::from("java"),
    };
    let jars = scratch::target_dir().join("servers/kafka/libs");
    assert!(
        jars.is_dir(),
        "no Kafka in {}: `make deps WHAT=test` fetches it",
        jars.display()
    );
    let mut command = child::command(program);
    command
        .current_dir(dir.path())
        .args(JAVA)
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(class)
        .args(arguments);
    command
}
