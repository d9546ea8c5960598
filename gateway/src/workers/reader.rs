//! What is read, and what becomes of a record of it: done, tried again, held, or given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_telemetry::metrics::worker::{self, Kind, Outcome as Told, Pause};
use weir_telemetry::record::Delivery;
use weir_telemetry::trace::Context;

use super::dead_letter::letter;
use super::fate::{Failure, Fate, backoff};
use crate::config::routes::publish::Ack;
use crate::config::webhooks::Retries;
use crate::error::GatewayError;
use crate::kafka::group::{Outcome, Plan, Task};
use crate::kafka::{Acknowledged, Cluster, Outgoing};
use crate::proxy::Errand;
use crate::runtime::Snapshot;

/// When to try again what could not be done here.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// When to try again to write to the dead-letter topic.
const REST: Duration = Duration::from_secs(5);
/// How long a broker has to take a record.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is read by whom.
pub(crate) struct Reader {
    pub(crate) kind: Kind,
    pub(crate) name: Arc<str>,
    pub(crate) team: Option<Arc<str>>,
    /// The cluster's name in the configuration.
    pub(crate) cluster_name: Arc<str>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) plan: Plan,
    pub(crate) retries: Retries,
    pub(crate) dead_letter: Option<Arc<str>>,
    pub(crate) metrics: Arc<worker::Worker>,
}

/// Nothing of the partition for that long; this was no try.
pub(crate) fn hold(after: Duration, pause: Pause, why: String) -> Outcome {
    Outcome::Hold {
        after,
        cause: pause.as_str(),
        why,
    }
}

/// Nothing could be begun here.
pub(crate) fn unready(error: &GatewayError) -> Outcome {
    hold(SOON, Pause::Reload, error.to_string())
}

/// The trace that a record belongs to: that of its headers, or one of its own.
pub(crate) fn trace(snapshot: &Snapshot, task: &Task) -> Context {
    let text = |name| std::str::from_utf8(task.record.header(name)?).ok();
    let parent = text("traceparent");
    let parent = parent.and_then(|parent| Context::parse(parent, text("tracestate")));
    snapshot.sampler.begin(parent.as_ref())
}

/// Where a record is, in words.
pub(crate) fn place(task: &Task) -> String {
    format!(
        "{}/{}/{}",
        task.topic, task.record.partition, task.record.offset
    )
}

impl Reader {
    /// Writes down what the record is.
    pub(crate) fn note(&self, errand: &mut Errand, task: &Task) {
        let (request, _) = errand.parts();
        let length = |bytes: &Option<Box<[u8]>>| bytes.as_deref().map_or(0, <[u8]>::len);
        request.record.team.clone_from(&self.team);
        request.record.action = self.kind.as_str();
        request.record.delivery = Some(Box::new(Delivery {
            kind: self.kind,
            name: self.name.clone(),
            cluster: self.cluster_name.clone(),
            group: self.plan.group.clone(),
            topic: task.topic.clone(),
            partition: task.record.partition,
            offset: task.record.offset,
            bytes: (length(&task.record.key) + length(&task.record.value)) as u64,
            tries: task.tries,
            outcome: None,
        }));
    }

    /// Writes down what came of a record that was handed over at `begun`, and ends the errand.
    pub(crate) fn end(&self, mut errand: Errand, task: &Task, told: Told, begun: Instant) {
        let (request, _) = errand.parts();
        if let Some(delivery) = &mut request.record.delivery {
            delivery.outcome = Some(told);
        }
        self.metrics.processed(&task.topic, told, begun.elapsed());
        errand.end();
    }

    /// What follows of what came of working on a record.
    pub(crate) async fn judge(&self, fate: Fate, task: &Task) -> (Told, Outcome) {
        match fate {
            Fate::Delivered => (Told::Delivered, Outcome::Done),
            Fate::NotNow {
                after,
                pause,
                failure,
            } => (Told::Held, hold(after, pause, failure.detail)),
            Fate::Refused(failure) => self.give_up(task, failure).await,
            Fate::Failed(failure) => match self.again(task) {
                Some(after) => {
                    let why = failure.detail;
                    (Told::Failed, Outcome::Again { after, why })
                }
                None => self.give_up(task, failure).await,
            },
        }
    }

    /// After how long a record that failed is tried again, if it is.
    pub(crate) fn again(&self, task: &Task) -> Option<Duration> {
        let retries = &self.retries;
        let tries = task.tries + 1;
        let after = backoff(retries, tries, chance());
        let too_old = retries
            .max_age
            .is_some_and(|age| task.since.elapsed() + after > age);
        (tries < retries.max_attempts && !too_old).then_some(after)
    }

    /// Writes a record that all in-sync replicas then have.
    pub(crate) async fn write(&self, record: &Outgoing) -> Result<Acknowledged, GatewayError> {
        let producer = self.cluster.own()?.producer(Ack::All)?;
        producer.send(record, PATIENCE).await
    }

    /// Writes a record to the dead-letter topic; it is done only once a broker has it there.
    async fn give_up(&self, task: &Task, failure: Failure) -> (Told, Outcome) {
        let (place, name, kind) = (place(task), &self.name, self.kind.as_str());
        let Some(topic) = &self.dead_letter else {
            log::error!(
                "the {kind} \"{name}\" cannot be done with {place}, and its partition waits: {}",
                failure.detail
            );
            let after = self.retries.max;
            let held = hold(after, Pause::Undeliverable, failure.detail);
            return (Told::Held, held);
        };
        match self.write(&letter(topic, self, task, &failure)).await {
            Ok(_) => {
                log::warn!(
                    "the {kind} \"{name}\" gave up {place}, which is in \"{topic}\" now: {}",
                    failure.detail
                );
                (Told::DeadLetter, Outcome::Done)
            }
            Err(error) => {
                log::error!("the {kind} \"{name}\" cannot write {place} to \"{topic}\": {error}");
                let held = hold(REST, Pause::DeadLetter, error.to_string());
                (Told::Held, held)
            }
        }
    }
}

/// From 0 to 1: so that those who failed together do not come again together.
fn chance() -> f64 {
    let [byte, ..] = weir_telemetry::trace::span_id();
    f64::from(byte) / 255.0
}
