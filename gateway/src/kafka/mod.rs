//! Kafka clusters as this process speaks to them. It knows neither routes nor callers.
//!
//! | Module | Knows |
//! |---|---|
//! | `outgoing` | a record to send |
//! | `producer` | what the broker said of a record |
//! | `record` | one that was read |
//! | `positions` | how far a topic was read |
//! | `subscription` | one who reads a topic from some place on |
//! | `transaction` | how records are written all or none |
//! | `patient` | how a record is sent for as long as it takes |
//! | `tail` | the end of one topic, read once for all who follow it |
//! | `ring` | the latest records of a topic, within so many bytes |
//! | `end` | how a topic is read from its end on |
//! | `history` | what was written before, read piece by piece |
//! | [`group`] | a member of a consumer group, and what it promises |
//! | `ends` | how far topics are, at least |
//! | `lookup` | whether a record is there that nobody was told of |
//! | `consumer` | what a topic is to one who reads it |
//! | `watch` | whether brokers can be reached |

mod consumer;
mod end;
mod ends;
pub(crate) mod group;
mod history;
mod lookup;
mod outgoing;
mod patient;
mod positions;
mod producer;
mod record;
mod ring;
mod subscription;
mod tail;
mod transaction;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use tokio::sync::Semaphore;
use weir_telemetry::{Code, Metrics};

pub(crate) use history::{Gap, Start};
pub(crate) use lookup::Marks;
pub(crate) use outgoing::{Headers, Outgoing};
pub(crate) use patient::{Answer, Patient};
pub(crate) use positions::Positions;
pub(crate) use producer::{Acknowledged, Producer};
pub(crate) use record::{Header, Record};
pub(crate) use subscription::{Next, Subscription};
pub(crate) use tail::Follower;
pub(crate) use transaction::Failed;

use ends::Ends;
use group::{Group, Handler, Plan};
use history::History;
use tail::{Entered, Tail};
use transaction::Transactions;

use crate::config::kafka_clusters as config;
use crate::config::routes::publish::Ack;
use crate::error::GatewayError;

/// What a client of a cluster is made with: `defaults`, and what its own properties say otherwise.
fn client(cluster: &config::Cluster, defaults: &[(&str, &str)]) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (name, value) in defaults {
        client.set(*name, *value);
    }
    for (name, value) in &cluster.properties {
        client.set(name, value.expose());
    }
    client
        .set("bootstrap.servers", &cluster.bootstrap_servers)
        .set_log_level(RDKafkaLogLevel::Warning);
    client
}

/// How many topics are searched at a time for records that nobody was told of.
const SEARCHES: usize = 2;

/// A cluster.
pub(crate) struct Cluster {
    /// What it is, as configured.
    definition: config::Cluster,
    /// By which records are sent.
    pub(crate) producer: Arc<Producer>,
    /// By which those are sent that only a leader needs to have, once there are any.
    leader: Mutex<Option<Arc<Producer>>>,
    transactions: Transactions,
    /// Those that somebody follows, by topic.
    tails: Mutex<HashMap<Arc<str>, Weak<Tail>>>,
    history: Arc<History>,
    ends: Arc<Ends>,
    searches: Arc<Semaphore>,
    metrics: Metrics,
}

impl Cluster {
    /// Begins to speak to it. An unreachable broker is no error yet.
    pub(crate) fn start(definition: &config::Cluster, metrics: &Metrics) -> Result<Self, String> {
        let history = History::new(definition);
        Ok(Self {
            producer: Arc::new(Producer::start(definition, Ack::All)?),
            leader: Mutex::default(),
            transactions: Transactions::new(definition),
            definition: definition.clone(),
            tails: Mutex::default(),
            ends: Ends::new(&history),
            history,
            searches: Arc::new(Semaphore::new(SEARCHES)),
            metrics: metrics.clone(),
        })
    }

    /// Whether this is what `definition` asks for.
    pub(crate) fn fits(&self, definition: &config::Cluster) -> bool {
        self.definition == *definition
    }

    /// By which records are sent that are acknowledged so.
    pub(crate) fn producer(&self, ack: Ack) -> Result<Arc<Producer>, GatewayError> {
        if ack == Ack::All {
            return Ok(self.producer.clone());
        }
        let mut leader = self.leader.lock();
        if let Some(leader) = &*leader {
            return Ok(leader.clone());
        }
        let started = Producer::start(&self.definition, ack);
        let started =
            started.map_err(|why| GatewayError::new(Code::KafkaUnavailable).source(why))?;
        Ok(leader.insert(Arc::new(started)).clone())
    }

    /// Sends records in one transaction, and waits at most `within` for its end. Only an error whose
    /// outcome is unknown leaves open whether they were written; of any other, none was that counts.
    pub(crate) async fn transact(
        &self,
        records: Vec<Outgoing>,
        within: Duration,
    ) -> Result<Vec<Acknowledged>, Failed> {
        if self.producer.is_down() {
            let error = producer::unavailable("no broker is connected");
            return Err(Failed {
                error: error.into(),
                record: None,
            });
        }
        let topics: Vec<Arc<str>> = records.iter().map(|record| record.topic.clone()).collect();
        let committed = self.transactions.run(records, within).await?;
        topics.iter().for_each(|topic| self.producer.note(topic));
        Ok(committed)
    }

    /// Follows a topic from its end: what is written once this returns is seen, all of it and in the order
    /// of each partition.
    pub(crate) async fn follow(&self, topic: &Arc<str>) -> Result<Follower, GatewayError> {
        self.enter(topic).follow().await
    }

    /// Reads a topic from there on. Its end was to be followed before `start` was known, so that nothing is
    /// written in between.
    pub(crate) async fn subscribe(
        &self,
        topic: &Arc<str>,
        follower: Follower,
        start: Start,
    ) -> Result<Subscription, GatewayError> {
        let start = match start {
            Start::Latest => None,
            Start::At(positions) => Some(positions),
            Start::Earliest | Start::Timestamp(_) => Some(self.history.seek(topic, start).await?),
        };
        let received = self.metrics.received(&self.definition.name, topic);
        let history = self.history.clone();
        let topic = topic.clone();
        Ok(Subscription::new(topic, history, received, follower, start))
    }

    /// Joins a consumer group; to be called on the runtime that records are to be handled on.
    pub(crate) fn join(&self, plan: Plan, handler: Arc<dyn Handler>) -> Group {
        Group::join(&self.definition, plan, handler, &self.metrics)
    }

    /// After how long a record that was handed over is written, or never will be.
    pub(crate) const fn delivery_timeout(&self) -> Duration {
        self.definition.delivery_timeout
    }

    /// How far a topic is at least: what is written from now on comes after that.
    pub(crate) async fn end(&self, topic: &Arc<str>) -> Result<Positions, GatewayError> {
        self.ends.of(topic).await
    }

    /// Looks for records that may have been written after those positions, and says where each is; none,
    /// where a mark is not there.
    ///
    /// # Errors
    /// Where nobody can say: [`Code::KafkaOutcomeUnknown`] if the topic does not hold all of it any more,
    /// [`Code::KafkaUnavailable`] and [`Code::KafkaTopicUnknown`] if it cannot be read.
    pub(crate) async fn find(
        &self,
        topic: &Arc<str>,
        from: Positions,
        marks: Marks,
    ) -> Result<Vec<Option<Acknowledged>>, GatewayError> {
        let stopped = |error: String| GatewayError::new(Code::InternalError).source(error);
        let permit = self.searches.clone().acquire_owned().await;
        let permit = permit.map_err(|error| stopped(error.to_string()))?;
        let (definition, topic) = (self.definition.clone(), topic.clone());
        let values = marks.values.clone();
        let found = tokio::task::spawn_blocking(move || {
            let found = lookup::find(&definition, &topic, &from, &marks);
            drop(permit);
            found
        });
        let found = found.await.map_err(|error| stopped(error.to_string()))??;
        let places = values.iter().map(|value| found.records.get(value).copied());
        let places: Vec<_> = places.collect();
        if found.gone && places.contains(&None) {
            return Err(producer::unknown(
                "the topic does not hold what was written then any more",
            ));
        }
        Ok(places)
    }

    /// Takes up the end of a topic; that of a new reader, if nobody follows it or the last one broke.
    fn enter(&self, topic: &Arc<str>) -> Entered {
        let mut tails = self.tails.lock();
        let known = tails.get(topic).and_then(Weak::upgrade);
        let known = known.filter(|tail| !tail.is_over());
        if let Some(entered) = known.and_then(|tail| tail.enter()) {
            return entered;
        }
        tails.retain(|_, tail| tail.strong_count() > 0);
        let received = self.metrics.received(&self.definition.name, topic);
        let tail = Tail::start(&self.definition, topic.clone(), received);
        tails.insert(topic.clone(), Arc::downgrade(&tail));
        tail.enter().expect("one that has just begun is not over")
    }
}
