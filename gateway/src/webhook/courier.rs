//! What becomes of one record: it is sent, and then done, tried again, held or given up.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use weir_telemetry::metrics::webhook::{Outcome as Told, Pause};
use weir_telemetry::record::Delivery;
use weir_telemetry::trace::Context;

use super::Webhook;
use super::dead_letter::letter;
use super::verdict::{Failure, Fate, backoff};
use crate::config::routes::publish::Ack;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::kafka::group::{Handler, Outcome, Task};
use crate::kafka::{Acknowledged, Outgoing};
use crate::proxy::Errand;
use crate::runtime::Snapshot;

/// When to try again what could not be done here.
const SOON: Duration = Duration::from_secs(1);
/// When to try again to write to the dead-letter topic.
const REST: Duration = Duration::from_secs(5);
/// How long a broker has to take a dead letter.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who takes the records of one webhook to its receiver, as the configuration in force says.
pub(super) struct Courier {
    name: Arc<str>,
    gateway: Weak<Gateway>,
}

impl Courier {
    pub(super) fn new(name: Arc<str>, gateway: &Arc<Gateway>) -> Self {
        Self {
            name,
            gateway: Arc::downgrade(gateway),
        }
    }
}

#[async_trait]
impl Handler for Courier {
    async fn handle(&self, task: &Task) -> Outcome {
        let Some(gateway) = self.gateway.upgrade() else {
            return hold(
                SOON,
                Pause::Reload,
                "the gateway is about to end".to_owned(),
            );
        };
        let snapshot = gateway.snapshot();
        let Some(webhook) = snapshot.webhooks().get(&self.name).cloned() else {
            return hold(SOON, Pause::Reload, "the webhook is about to go".to_owned());
        };
        webhook.take(&gateway, &snapshot, task).await
    }
}

fn hold(after: Duration, pause: Pause, why: String) -> Outcome {
    Outcome::Hold {
        after,
        cause: pause.as_str(),
        why,
    }
}

/// The trace that a record belongs to: that of its headers, or one of its own.
fn trace(snapshot: &Snapshot, task: &Task) -> Context {
    let text = |name| std::str::from_utf8(task.record.header(name)?).ok();
    let parent = text("traceparent");
    let parent = parent.and_then(|parent| Context::parse(parent, text("tracestate")));
    snapshot.sampler.begin(parent.as_ref())
}

impl Webhook {
    /// Takes a record to its receiver.
    async fn take(
        self: &Arc<Self>,
        gateway: &Arc<Gateway>,
        snapshot: &Arc<Snapshot>,
        task: &Task,
    ) -> Outcome {
        let begun = Instant::now();
        let trace = trace(snapshot, task);
        let begin = Errand::begin(gateway, snapshot, &self.connection, trace);
        let mut errand = match begin.await {
            Ok(errand) => errand,
            Err(error) => return hold(SOON, Pause::Reload, error.to_string()),
        };
        self.note(&mut errand, task);
        let fate = self.send(&mut errand, task).await;
        let (request, _) = errand.parts();
        if let Fate::Failed(failure) | Fate::Refused(failure) | Fate::NotNow { failure, .. } = &fate
        {
            request.record.code = failure.code;
            request.record.detail = Some(failure.detail.clone());
            if let Some(code) = failure.code {
                request.record.status = code.status();
            }
        }
        let (told, outcome) = self.judge(fate, task).await;
        if let Some(delivery) = &mut request.record.delivery {
            delivery.outcome = Some(told);
        }
        self.metrics.processed(&task.topic, told, begun.elapsed());
        errand.end();
        outcome
    }

    /// Writes down what the record is.
    fn note(&self, errand: &mut Errand, task: &Task) {
        let (request, _) = errand.parts();
        let length = |bytes: &Option<Box<[u8]>>| bytes.as_deref().map_or(0, <[u8]>::len);
        request.consumer = Some(self.consumer.clone());
        request.record.team.clone_from(&self.config.team);
        request.record.action = "webhook";
        request.record.delivery = Some(Box::new(Delivery {
            webhook: self.config.name.clone(),
            cluster: self.config.cluster.clone(),
            group: self.config.group.clone(),
            topic: task.topic.clone(),
            partition: task.record.partition,
            offset: task.record.offset,
            bytes: (length(&task.record.key) + length(&task.record.value)) as u64,
            tries: task.tries,
            outcome: None,
        }));
    }

    /// What follows of what came of sending a record.
    async fn judge(&self, fate: Fate, task: &Task) -> (Told, Outcome) {
        match fate {
            Fate::Delivered => (Told::Delivered, Outcome::Done),
            Fate::NotNow {
                after,
                pause,
                failure,
            } => (Told::Held, hold(after, pause, failure.detail)),
            Fate::Refused(failure) => self.give_up(task, failure).await,
            Fate::Failed(failure) => {
                let retries = &self.config.retries;
                let tries = task.tries + 1;
                let after = backoff(retries, tries, chance());
                let too_old = retries
                    .max_age
                    .is_some_and(|age| task.since.elapsed() + after > age);
                if tries >= retries.max_attempts || too_old {
                    return self.give_up(task, failure).await;
                }
                let why = failure.detail;
                (Told::Failed, Outcome::Again { after, why })
            }
        }
    }

    async fn write(&self, letter: &Outgoing) -> Result<Acknowledged, GatewayError> {
        let producer = self.cluster.own()?.producer(Ack::All)?;
        producer.send(letter, PATIENCE).await
    }

    /// Writes a record to the dead-letter topic; it is done only once a broker has it there.
    async fn give_up(&self, task: &Task, failure: Failure) -> (Told, Outcome) {
        let place = format!(
            "{}/{}/{}",
            task.topic, task.record.partition, task.record.offset
        );
        let name = &self.config.name;
        let Some(topic) = &self.config.dead_letter else {
            log::error!(
                "the webhook \"{name}\" cannot deliver {place}, and its partition waits: {}",
                failure.detail
            );
            let held = hold(
                self.config.retries.max,
                Pause::Undeliverable,
                failure.detail,
            );
            return (Told::Held, held);
        };
        let letter = letter(topic, name, task, &failure);
        match self.write(&letter).await {
            Ok(_) => {
                log::warn!(
                    "the webhook \"{name}\" gave up {place}, which is in \"{topic}\" now: {}",
                    failure.detail
                );
                (Told::DeadLetter, Outcome::Done)
            }
            Err(error) => {
                log::error!("the webhook \"{name}\" cannot write {place} to \"{topic}\": {error}");
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
