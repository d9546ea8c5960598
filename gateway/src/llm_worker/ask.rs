//! How a prompt goes the way of its route, and what follows of the answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::Deserialize;
use weir_telemetry::Code;
use weir_telemetry::metrics::worker::{Kind, Outcome as Told};

use super::{LlmWorker, completion, verdict};
use crate::config::llm_workers::As;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::kafka::group::{Outcome, Task};
use crate::proxy::{Answer, Asked, Downstream, Errand};
use crate::runtime::{Consumer, Snapshot};
use crate::workers::{self, Failure, Fate, Reader, Worker, place};

/// The largest answer that is taken, in bytes; brokers may want less.
const MOST: usize = 32 << 20;
/// When to try again to write an answer: what is paid for is not asked for again meanwhile.
const REST: Duration = Duration::from_secs(5);

#[async_trait]
impl Worker for LlmWorker {
    const KIND: Kind = Kind::LlmWorker;

    fn all(snapshot: &Snapshot) -> &HashMap<Arc<str>, Arc<Self>> {
        snapshot.llm_workers()
    }

    fn reader(&self) -> &Reader {
        &self.reader
    }

    fn to(&self) -> (&'static str, &str) {
        ("route", &self.config.route)
    }

    async fn take(
        self: Arc<Self>,
        gateway: &Arc<Gateway>,
        snapshot: &Arc<Snapshot>,
        task: &Task,
    ) -> Outcome {
        let begun = Instant::now();
        let body = task.record.value.as_deref().unwrap_or_default();
        let down = match Downstream::posting(&self.config.path, body, MOST).await {
            Ok(down) => down,
            Err(error) => return workers::unready(&error),
        };
        let trace = workers::trace(snapshot, task);
        let mut errand = Errand::with(down, gateway, snapshot, &self.connection, trace);
        self.reader.note(&mut errand, task);
        let (told, outcome) = match self.consumer(task) {
            Ok(consumer) => {
                errand.enter(&self.route, consumer);
                let asked = self.ask(&mut errand, body).await;
                self.conclude(&mut errand, asked, task).await
            }
            // Nobody is answered whom nobody knows.
            Err(error) => {
                let failure = Failure::of(&error);
                errand.refuse(error).await;
                self.reader.judge(Fate::Refused(failure), task).await
            }
        };
        self.reader.end(errand, task, told, begun);
        outcome
    }
}

impl LlmWorker {
    /// In whose name a prompt is answered.
    fn consumer(&self, task: &Task) -> Result<&Arc<Consumer>, GatewayError> {
        let denied = |why: String| GatewayError::new(Code::ConsumerDenied).source(why);
        let name = match &self.config.consumer {
            As::Consumer(name) => &**name,
            As::Header(header) => {
                let name = task.record.header(header);
                let name = name.and_then(|name| std::str::from_utf8(name).ok());
                name.ok_or_else(|| denied(format!("no header `{header}` names a consumer")))?
            }
        };
        let known = self.consumers.get(name);
        known.ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            denied(format!("there is no consumer \"{name}\""))
        })
    }

    async fn ask(&self, errand: &mut Errand, body: &[u8]) -> Asked {
        if wants_stream(body) {
            let public = "stream: an answer is one record here; leave it out";
            let error = GatewayError::public(Code::RequestBodyInvalid, public);
            return errand.refuse(error.param("stream")).await;
        }
        errand.ask(&self.route, self.config.timeout).await
    }

    /// What follows of what was answered.
    async fn conclude(&self, errand: &mut Errand, asked: Asked, task: &Task) -> (Told, Outcome) {
        let (request, _) = errand.parts();
        let fate = verdict::of(&asked, !request.record.attempts.is_empty());
        let wait = verdict::asked_to_wait(&asked);
        let waited_for = completion::is_waited_for(task);
        match (fate, asked.answer) {
            (Fate::Delivered, Some(answer)) => match self.put(errand, task, answer).await {
                Ok(()) => (Told::Delivered, Outcome::Done),
                Err(error) => self.unfit(errand, error, task).await,
            },
            (Fate::Refused(_), Some(answer)) if waited_for => self.tell(errand, task, answer).await,
            (Fate::Failed(failure), answer) => {
                if let Some(after) = self.reader.again(task) {
                    let (after, why) = (after.max(wait), failure.detail);
                    return (Told::Failed, Outcome::Again { after, why });
                }
                let Some(answer) = answer.filter(|_| waited_for) else {
                    return self.reader.judge(Fate::Refused(failure), task).await;
                };
                self.give_up(errand, task, failure, answer).await
            }
            (fate, _) => self.reader.judge(fate, task).await,
        }
    }

    /// A prompt is given up that somebody waits for: it is kept where that goes, if anywhere, and whoever
    /// waits is told.
    async fn give_up(
        &self,
        errand: &mut Errand,
        task: &Task,
        failure: Failure,
        answer: Answer,
    ) -> (Told, Outcome) {
        if self.reader.dead_letter.is_none() {
            return self.tell(errand, task, answer).await;
        }
        let kept = self.reader.judge(Fate::Refused(failure), task).await;
        if kept.1 == Outcome::Done {
            let _ = self.tell(errand, task, answer).await;
        }
        kept
    }

    /// Has an error take the place of the answer.
    async fn tell(&self, errand: &mut Errand, task: &Task, answer: Answer) -> (Told, Outcome) {
        match self.put(errand, task, answer).await {
            Ok(()) => (Told::Refused, Outcome::Done),
            Err(error) => {
                let failure = Failure::of(&error);
                self.reader.judge(Fate::Refused(failure), task).await
            }
        }
    }

    /// No broker will ever take the answer.
    async fn unfit(
        &self,
        errand: &mut Errand,
        error: GatewayError,
        task: &Task,
    ) -> (Told, Outcome) {
        let failure = Failure::of(&error);
        let refused = errand.refuse(error).await;
        match refused.answer {
            Some(answer) if completion::is_waited_for(task) => {
                self.tell(errand, task, answer).await
            }
            _ => self.reader.judge(Fate::Refused(failure), task).await,
        }
    }

    /// Writes an answer, for as long as it takes: it was paid for, and would be asked for anew otherwise.
    ///
    /// # Errors
    /// Where brokers will never take it.
    async fn put(
        &self,
        errand: &mut Errand,
        task: &Task,
        answer: Answer,
    ) -> Result<(), GatewayError> {
        let (request, _) = errand.parts();
        let record = completion::of(&self.config, task, answer, &request.record);
        loop {
            let error = match self.reader.write(&record).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if matches!(
                error.code,
                Code::KafkaRecordTooLarge | Code::KafkaRecordRejected
            ) {
                return Err(error);
            }
            log::error!(
                "the llm_worker \"{}\" cannot write the answer to {} to \"{}\" yet: {error}",
                self.config.name,
                place(task),
                self.config.to
            );
            tokio::time::sleep(REST).await;
        }
    }
}

/// Whether a body asks for a stream. What is no JSON is for the route to refuse.
fn wants_stream(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Wants {
        #[serde(default)]
        stream: Option<bool>,
    }
    serde_json::from_slice::<Wants>(body).is_ok_and(|wants| wants.stream == Some(true))
}
