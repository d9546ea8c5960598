//! What is in Kafka's topics, asked of the broker itself: whoever says that it wrote a record is held
//! against this.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::time::sleep;

use super::broker::Broker;
use crate::failure::Failure;

/// Partitions of every topic.
pub const PARTITIONS: i32 = 4;

/// How long a broker may take to start, and to answer.
const READY_WITHIN: Duration = Duration::from_secs(120);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// The broker's topics.
pub struct Topics {
    admin: AdminClient<DefaultClientContext>,
    reader: BaseConsumer,
}

impl Topics {
    /// Those of a broker, once it answers.
    pub async fn of(broker: &mut Broker) -> Result<Self, Failure> {
        let failed = "cannot make a client of Kafka";
        let config = client(broker.address);
        let admin = config.create().map_err(Failure::during(failed))?;
        let reader: BaseConsumer = config.create().map_err(Failure::during(failed))?;
        let deadline = Instant::now() + READY_WITHIN;
        while let Err(error) = reader.fetch_metadata(None, Duration::from_secs(1)) {
            broker.check_alive()?;
            if Instant::now() > deadline {
                return Err(Failure::new(format!("Kafka does not answer: {error}")));
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(Self { admin, reader })
    }

    /// Makes a topic, and waits until it can be written to.
    pub async fn create(&self, topic: &str) -> Result<(), Failure> {
        let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
        let failed = format!("cannot make the topic {topic}");
        let created = self.admin.create_topics([&new], &AdminOptions::new());
        let created = created.await.map_err(Failure::during(&failed))?;
        if let Some(Err((_, error))) = created.into_iter().next() {
            return Err(Failure::new(format!("{failed}: {error}")));
        }
        let deadline = Instant::now() + ANSWERS_WITHIN;
        while let Err(failure) = self.written(topic) {
            if Instant::now() > deadline {
                return Err(failure);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Where its partitions end, all together: how many records were ever written to it.
    pub fn written(&self, topic: &str) -> Result<u64, Failure> {
        (0..PARTITIONS)
            .map(|partition| {
                let ends = self
                    .reader
                    .fetch_watermarks(topic, partition, ANSWERS_WITHIN);
                let (_, end) = ends.map_err(Failure::during(format_args!(
                    "cannot ask where the topic {topic} ends"
                )))?;
                u64::try_from(end).map_err(Failure::during("an end that is none"))
            })
            .sum()
    }
}

/// A client of the broker at this address.
pub fn client(broker: SocketAddr) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.to_string());
    config
}
