//! Records on their way for one who has a key: whatever becomes of the caller, somebody stays until it is
//! known what became of them.
//!
//! Knows which of them an earlier attempt has written, and what follows from what brokers say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;
use weir_telemetry::Code;

use super::once::{in_progress, unavailable};
use super::{Outcomes, Publish};
use crate::config::routes::publish::Ack;
use crate::error::GatewayError;
use crate::idempotency::{Answer, Attempt, Conclusion, Id, Outcome, Places};
use crate::kafka::{Access, Acknowledged, Failed, Marks, Outgoing, Session};

/// The header by which a record is found again.
const HEADER: &str = "idempotency-key-id";
/// Within that time of a lease's beginning records are handed to the client, or not at all.
const PROMPT: Duration = Duration::from_secs(5);
/// When to look again after a topic could not be read.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What brokers said of records; also, why none of them is written, if one of them is why.
pub(super) type Sent = (Outcomes, Option<Failed>);

/// Records, and who takes them.
struct Delivery {
    session: Arc<Session>,
    ack: Ack,
    /// How long their transaction may take, if they are written all or none.
    transaction: Option<Duration>,
    records: Vec<Outgoing>,
}

/// Marks a record as one of a key's, by its place in the batch.
pub(super) fn mark(outgoing: &mut Outgoing, id: Id, index: usize) {
    let mark = format!("{id}-{index}");
    outgoing.headers.push((HEADER.into(), Some(mark.into())));
}

/// The mark of a record that has one.
fn mark_of(outgoing: &Outgoing) -> Bytes {
    let last = outgoing.headers.last();
    last.and_then(|(_, mark)| mark.clone()).unwrap_or_default()
}

impl Publish {
    /// Sends marked records in a task of its own, and waits for it as long as the route does. `conclude` says
    /// what follows from what became of them.
    pub(super) async fn deliver_once(
        &self,
        access: &Access,
        mut attempt: Attempt,
        records: Vec<Outgoing>,
        conclude: impl FnOnce(&Sent) -> (Conclusion, Outcome) + Send + 'static,
    ) -> Result<Sent, GatewayError> {
        let (count, all_or_none) = (records.len(), self.in_transaction());
        let delivery = Delivery {
            session: access.session().clone(),
            ack: self.config.ack,
            transaction: all_or_none.then_some(self.config.timeout),
            records,
        };
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            match delivery.run(&mut attempt).await {
                Ok(sent) => {
                    let (conclusion, outcome) = conclude(&sent);
                    // The caller may be gone.
                    let _ = tell.send(Ok(sent));
                    attempt.conclude(conclusion, outcome).await;
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                }
            }
        });
        match timeout(self.config.timeout, told).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Ok(unknown(count, all_or_none, "the task ended that sent it")),
            Err(_) => {
                let why = "no acknowledgement in the route's time";
                Ok(unknown(count, all_or_none, why))
            }
        }
    }
}

impl Delivery {
    /// Sends what no earlier attempt has written. An error says that this one sent nothing.
    async fn run(&self, attempt: &mut Attempt) -> Result<Sent, GatewayError> {
        let found = self.find(attempt).await?;
        let missing: Vec<usize> = (0..found.len()).filter(|at| found[*at].is_none()).collect();
        let mut outcomes: Outcomes = found
            .into_iter()
            .map(|found| found.ok_or_else(|| error("it was not sent")))
            .collect();
        if missing.is_empty() {
            return Ok((outcomes, None));
        }
        let places = match attempt.before() {
            Some(places) => places.clone(),
            None => self.places().await?,
        };
        let begun = Instant::now();
        let ours = attempt.send(places).await;
        let ours = ours.map_err(|why| unavailable(&why))?;
        if !ours || begun.elapsed() > PROMPT {
            return Err(in_progress(LOOK_AGAIN));
        }
        let (sent, failed) = self.send(&missing).await;
        for (at, sent) in missing.into_iter().zip(sent) {
            outcomes[at] = sent;
        }
        Ok((outcomes, failed))
    }

    /// Where earlier attempts have written which of the records.
    async fn find(&self, attempt: &Attempt) -> Result<Vec<Option<Acknowledged>>, GatewayError> {
        let mut all = vec![None; self.records.len()];
        let Some(before) = attempt.before() else {
            return Ok(all);
        };
        let marks = Marks {
            header: HEADER,
            values: self.records.iter().map(mark_of).collect(),
            transaction: self.transaction.is_some(),
        };
        for (topic, from) in &before.0 {
            let found = self.session.find(topic, from.clone(), marks.clone()).await;
            let found = found.map_err(|error| match error.code {
                Code::KafkaOutcomeUnknown => error,
                // It was allowed to write, and perhaps did.
                Code::KafkaTopicDenied | Code::KafkaAccessRefused => {
                    GatewayError::new(Code::KafkaOutcomeUnknown).source(error)
                }
                _ => in_progress(LOOK_AGAIN).source(error),
            })?;
            for (known, found) in all.iter_mut().zip(found) {
                *known = known.or(found);
            }
        }
        Ok(all)
    }

    /// How far the topics of the records are.
    async fn places(&self) -> Result<Places, GatewayError> {
        let mut places = BTreeMap::new();
        for record in &self.records {
            if !places.contains_key(&record.topic) {
                let end = self.session.end(&record.topic).await?;
                places.insert(record.topic.clone(), end);
            }
        }
        Ok(Places(places))
    }

    /// Sends the records of those indices.
    async fn send(&self, which: &[usize]) -> Sent {
        let records: Vec<&Outgoing> = which.iter().map(|at| &self.records[*at]).collect();
        if let Some(within) = self.transaction {
            let owned = records.iter().copied().cloned().collect();
            return match self.session.transact(owned, within).await {
                Ok(places) => (places.into_iter().map(Ok).collect(), None),
                Err(failed) => (
                    vec![Err((*failed.error).clone()); which.len()],
                    Some(failed),
                ),
            };
        }
        // The client gives a record up after its own time; nobody hurries it.
        let within = self.session.delivery_timeout() + PROMPT;
        match self.session.producer(self.ack) {
            Ok(producer) => (producer.send_all(&records, within).await, None),
            Err(error) => (vec![Err(error); which.len()], None),
        }
    }
}

/// What is certain after these outcomes, for which there is this answer.
pub(super) fn conclusion<'a>(
    outcomes: impl Iterator<Item = Result<(), &'a GatewayError>>,
    answer: &Answer,
) -> Conclusion {
    let (mut written, mut again) = (false, false);
    for outcome in outcomes {
        match outcome {
            Ok(()) => written = true,
            Err(error) if error.code == Code::KafkaOutcomeUnknown => return Conclusion::Unknown,
            Err(error) => again |= error.code.retryable(),
        }
    }
    match (written, again) {
        (false, _) => Conclusion::Nothing,
        (true, true) => Conclusion::Part,
        (true, false) => Conclusion::Done(answer.clone()),
    }
}

/// Nobody says what became of any of so many records.
fn unknown(count: usize, transaction: bool, why: &str) -> Sent {
    let failed = transaction.then(|| Failed {
        error: error(why).into(),
        record: None,
    });
    (vec![Err(error(why)); count], failed)
}

fn error(why: &str) -> GatewayError {
    GatewayError::new(Code::KafkaOutcomeUnknown).source(why)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn only_what_is_certain_is_remembered() {
        let answer = Answer {
            status: StatusCode::OK,
            body: Bytes::new(),
        };
        let unknown = error("late");
        let full = GatewayError::new(Code::KafkaQueueFull);
        let invalid = GatewayError::new(Code::RequestBodyInvalid);
        let done = Conclusion::Done(answer.clone());
        for (outcomes, expected) in [
            (&[Ok(())][..], done.clone()),
            (&[Ok(()), Err(&invalid)], done),
            (&[Ok(()), Err(&full)], Conclusion::Part),
            (&[Err(&full), Err(&invalid)], Conclusion::Nothing),
            (&[Ok(()), Err(&unknown), Err(&full)], Conclusion::Unknown),
            (&[], Conclusion::Nothing),
        ] {
            let found = conclusion(outcomes.iter().copied(), &answer);
            assert_eq!(found, expected, "{outcomes:?}");
        }
    }
}
