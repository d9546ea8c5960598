//! A Kafka broker for feeds, and who writes to it: librdkafka's own, in this process.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};

use crate::failure::Failure;

/// How long it may take to write a record.
const PATIENCE: Duration = Duration::from_secs(10);

/// The broker.
pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Broker {
    /// Starts one with a topic `quiet` and a topic `loud`.
    pub fn start() -> Result<Self, Failure> {
        let failed = "the broker does not start";
        let cluster = MockCluster::new(1).map_err(Failure::during(failed))?;
        for topic in ["quiet", "loud"] {
            let created = cluster.create_topic(topic, 1, 1);
            created.map_err(Failure::during(failed))?;
        }
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .create()
            .map_err(Failure::during(failed))?;
        Ok(Self { cluster, producer })
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Writes so many records that say this.
    pub fn write(&self, topic: &str, says: &str, many: usize) -> Result<(), Failure> {
        let failed = "a record was not written";
        let record = format!(r#"{{"says":"{says}"}}"#);
        for _ in 0..many {
            let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).payload(&record);
            let sent = self.producer.send(record).map_err(|(error, _)| error);
            sent.map_err(Failure::during(failed))?;
        }
        let written = self.producer.flush(PATIENCE);
        written.map_err(Failure::during(failed))
    }
}
