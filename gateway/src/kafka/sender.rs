//! A client that sends records, and the thread on which it is told what becomes of them. The bindings' own such
//! clients look ten times a second, and spin for the last millisecond of each look: a percent of a core for
//! each client that has nothing to do.

use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{
    BaseProducer, DeliveryResult, Producer as _, ProducerContext, PurgeConfig,
};
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;

use super::outgoing::Outgoing;
use super::watch::Watch;

/// How often it is looked whether the client is needed still. What it is told wakes its thread at once.
const PACE: Duration = Duration::from_secs(1);

/// What the broker said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// What became of a record.
pub(super) type Place = Result<Acknowledged, KafkaError>;

/// Whom to tell what becomes of a record.
pub(super) trait Ticket: Send + Sync + 'static {
    fn told(self, place: Place);
}

impl Ticket for oneshot::Sender<Place> {
    fn told(self, place: Place) {
        // Of a record that was given up nobody waits to hear.
        drop(self.send(place));
    }
}

/// The client. Dropped, it gives up what it holds, and its thread ends it.
pub(super) struct Sender<T: Ticket> {
    client: Arc<BaseProducer<Told<T>>>,
    ended: Arc<AtomicBool>,
}

impl<T: Ticket> Sender<T> {
    /// Starts one, whose connections are watched so.
    pub(super) fn start(config: &ClientConfig, watch: Watch) -> KafkaResult<Self> {
        let told = Told(watch, PhantomData);
        let client = Arc::new(BaseProducer::from_config_and_context(config, told)?);
        let ended = Arc::new(AtomicBool::default());
        let this = Self {
            client: client.clone(),
            ended: ended.clone(),
        };
        let work = move || {
            while !ended.load(Ordering::Acquire) {
                client.poll(PACE);
            }
        };
        let thread = std::thread::Builder::new().name("weir-kafka".to_owned());
        let thread = thread.spawn(work);
        thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(this)
    }

    /// Takes a record; who holds the ticket is told what becomes of it, unless it is given back.
    pub(super) fn send(
        &self,
        record: &Outgoing,
        ticket: Box<T>,
    ) -> Result<(), (KafkaError, Box<T>)> {
        let sent = self.client.send(record.as_record(ticket));
        sent.map_err(|(error, refused)| (error, refused.delivery_opaque))
    }

    /// What else can be done with it.
    pub(super) fn client(&self) -> &BaseProducer<Told<T>> {
        &self.client
    }

    /// Gives up what was not sent yet. Does not wait for that.
    pub(super) fn give_up_unsent(&self) {
        self.client
            .purge(PurgeConfig::default().queue().non_blocking());
    }
}

impl<T: Ticket> Drop for Sender<T> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        let all = PurgeConfig::default().queue().inflight();
        self.client.purge(all.non_blocking());
    }
}

/// Passes on what the client is told.
pub(super) struct Told<T>(Watch, PhantomData<fn(T)>);

impl<T> Told<T> {
    pub(super) const fn watch(&self) -> &Watch {
        &self.0
    }
}

impl<T: Ticket> ClientContext for Told<T> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn stats(&self, statistics: Statistics) {
        self.0.stats(statistics);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }

    fn generate_oauth_token(&self, said: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.generate_oauth_token(said)
    }
}

impl<T: Ticket> ProducerContext for Told<T> {
    type DeliveryOpaque = Box<T>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<T>) {
        ticket.told(match result {
            Ok(message) => Ok(Acknowledged {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => Err(error.clone()),
        });
    }
}
