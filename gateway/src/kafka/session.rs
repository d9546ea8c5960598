//! What speaks to a cluster with one set of credentials: its producers, its transactions, and its readers.
//! What one reads is never given to another, as brokers decide for each what it may.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use weir_telemetry::metrics::backlog::Figures;
use weir_telemetry::{Code, Metrics};

use super::ends::Ends;
use super::history::History;
use super::lookup::{self, Marks};
use super::tail::{Entered, Tail};
use super::transaction::{Failed, Transactions};
use super::{
    Acknowledged, Follower, Outgoing, Partition, Partitioner, Positions, Producer, Start,
    Subscription, producer,
};
use crate::config::kafka_clusters as config;
use crate::config::routes::publish::Ack;
use crate::error::GatewayError;

/// How many topics are searched at a time for records that nobody was told of.
const SEARCHES: usize = 2;

/// One set of credentials at work.
pub(crate) struct Session {
    /// No two of a process have the same.
    id: u64,
    /// The cluster, with these credentials.
    definition: config::Cluster,
    /// By which records are sent that all in-sync replicas have.
    producer: ArcSwap<Producer>,
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

impl Session {
    /// Begins to speak to a cluster. An unreachable broker is no error yet.
    pub(super) fn start(definition: config::Cluster, metrics: &Metrics) -> Result<Self, String> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let history = History::new(&definition);
        Ok(Self {
            id: STARTED.fetch_add(1, Ordering::Relaxed),
            producer: ArcSwap::from_pointee(Producer::start(&definition, Ack::All)?),
            leader: Mutex::default(),
            transactions: Transactions::new(&definition),
            tails: Mutex::default(),
            ends: Ends::new(&history),
            history,
            searches: Arc::new(Semaphore::new(SEARCHES)),
            metrics: metrics.clone(),
            definition,
        })
    }

    /// Tells it from every other.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Whether records of its wait for brokers.
    pub(super) fn is_sending(&self) -> bool {
        let leader = self.leader.lock();
        self.producer.load().is_sending()
            || leader.as_ref().is_some_and(|leader| leader.is_sending())
    }

    /// What its producers hold until brokers answer.
    pub(super) fn held(&self) -> Figures {
        let leader = self.leader.lock();
        let leader = leader.as_ref().map(|leader| leader.held());
        self.producer.load().held().and(leader.unwrap_or_default())
    }

    /// By which records are sent that are acknowledged so; another, where the last one broke for good.
    pub(crate) fn producer(&self, ack: Ack) -> Result<Arc<Producer>, GatewayError> {
        let start = || {
            let started = Producer::start(&self.definition, ack).map(Arc::new);
            started.map_err(|why| GatewayError::new(Code::KafkaUnavailable).source(why))
        };
        if ack == Ack::All {
            let known = self.producer.load_full();
            if known.is_broken() {
                let started = start()?;
                self.producer.store(started.clone());
                return Ok(started);
            }
            return Ok(known);
        }
        let mut leader = self.leader.lock();
        match &*leader {
            Some(known) if !known.is_broken() => Ok(known.clone()),
            _ => Ok(leader.insert(start()?).clone()),
        }
    }

    /// Sends records in one transaction, and waits at most `within` for its end. Only an error whose
    /// outcome is unknown leaves open whether they were written; of any other, none was that counts.
    pub(crate) async fn transact(
        &self,
        records: Vec<Outgoing>,
        within: Duration,
    ) -> Result<Vec<Acknowledged>, Failed> {
        let whole = |error: GatewayError| Failed {
            error: error.into(),
            record: None,
        };
        let producer = self.producer(Ack::All).map_err(whole)?;
        if let Some(error) = producer.refused() {
            return Err(whole(error));
        }
        if producer.is_down() {
            return Err(whole(producer::unavailable("no broker is connected")));
        }
        let topics: Vec<Arc<str>> = records.iter().map(|record| record.topic.clone()).collect();
        let committed = self.transactions.run(records, within).await?;
        topics.iter().for_each(|topic| producer.note(topic));
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

    /// A partition, to be written by one at a time. It blocks.
    pub(crate) fn partition(
        &self,
        topic: &Arc<str>,
        number: i32,
    ) -> Result<Partition, GatewayError> {
        Partition::open(&self.definition, topic, number)
    }

    /// Which partitions keys belong to.
    pub(crate) fn partitioner(&self) -> Option<Partitioner> {
        let mut properties = self.definition.properties.iter();
        let named = properties.find(|(name, _)| name == "partitioner");
        Partitioner::named(named.map(|(_, value)| value.expose()))
    }

    /// Whether no broker has been to be reached for a while.
    pub(crate) fn is_down(&self) -> bool {
        self.producer.load().is_down()
    }

    /// After how long a record that was handed over is written, or never will be.
    pub(crate) const fn delivery_timeout(&self) -> Duration {
        self.definition.delivery_timeout
    }

    /// Where a topic's records begin that are no older than that, in milliseconds since 1970.
    pub(crate) async fn since(
        &self,
        topic: &Arc<str>,
        time: i64,
    ) -> Result<Positions, GatewayError> {
        self.history.seek(topic, Start::Timestamp(time)).await
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

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody comes again for what these read.
        let tails = self.tails.get_mut().values();
        tails
            .filter_map(Weak::upgrade)
            .for_each(|tail| tail.leave());
    }
}
