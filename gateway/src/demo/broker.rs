//! The demo's Kafka broker: librdkafka's mock cluster.
//!
//! It speaks Kafka's protocol over loopback sockets, so any client can produce to it and consume
//! from it; it keeps records in memory, and forgets them with the demo.

use std::mem::ManuallyDrop;

use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// The topic that is there from the start.
pub(super) const TOPIC: &str = "orders";

const PARTITIONS: i32 = 3;

/// A cluster of one broker, gone with the process: clients end on threads of their own, and would
/// complain of a broker that went before them.
pub(super) struct Broker(ManuallyDrop<MockCluster<'static, DefaultProducerContext>>);

impl Broker {
    /// Starts the broker on a free port of the loopback address, with [`TOPIC`].
    pub(super) fn start() -> KafkaResult<Self> {
        let cluster = MockCluster::new(1)?;
        cluster.create_topic(TOPIC, PARTITIONS, 1)?;
        Ok(Broker(ManuallyDrop::new(cluster)))
    }

    /// Its address, as clients are told it.
    pub(super) fn bootstrap_servers(&self) -> String {
        self.0.bootstrap_servers()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};

    use super::*;

    #[test]
    fn a_client_finds_the_topic_with_its_partitions() {
        let broker = Broker::start().unwrap();
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .create()
            .unwrap();
        let metadata = client
            .fetch_metadata(Some(TOPIC), Duration::from_secs(30))
            .unwrap();
        assert_eq!(metadata.topics()[0].name(), TOPIC);
        assert_eq!(metadata.topics()[0].partitions().len(), 3);
    }
}
