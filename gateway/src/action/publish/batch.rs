//! Several records of one request: sent together, each answered for itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use weir_telemetry::{Code, metrics, record, trace};

use super::{Outcomes, Publish, ack, delivery, transaction, unsaid};
use crate::action::record::{Maker, Part, charge, written};
use crate::error::GatewayError;
use crate::idempotency::{Answer, Attempt};
use crate::kafka::{Access, Acknowledged, Failed, Outgoing};
use crate::policy::quota::Usage;
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::quota::Provenance;
use crate::spool;

impl Publish {
    /// Publishes records, and answers with what the broker said of each. What cannot be made or is
    /// refused does not keep the others from being written.
    pub(super) async fn batch(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        access: &Access,
        parts: Vec<Result<Part, GatewayError>>,
        attempt: Option<Attempt>,
    ) -> Result<(), GatewayError> {
        let span_id = trace::span_id();
        let mut made: Vec<Result<Outgoing, GatewayError>> = {
            let maker = Maker::new(&self.config.record, access, request, down, span_id);
            let parts = parts.into_iter();
            parts.map(|part| maker.record(part?)).collect()
        };
        for made in &mut made {
            if let Ok(outgoing) = made
                && let Err(error) = self.encode(request, down, outgoing).await
            {
                *made = Err(error);
            }
        }
        if self.in_transaction()
            && let Some((index, error)) = first_error(&made)
        {
            return Err(transaction::failed(error.clone(), Some(index), made.len()));
        }
        if let Some(attempt) = &attempt {
            for (index, made) in made.iter_mut().enumerate() {
                if let Ok(record) = made {
                    delivery::mark(record, attempt.id(), index);
                }
            }
        }
        let said = Arc::new(self.said(&made));
        let records: Vec<&Outgoing> = made.iter().flatten().collect();
        let own = self.spool.as_ref().map_or(0, |_| spool::HEADER_SIZE);
        let size = records.iter().map(|record| record.size() + own).sum();
        charge(request, &down.head().headers, size).await?;

        self.note_batch(request, span_id, &records);
        if let Some(spool) = &self.spool {
            return self
                .spool_batch(spool, request, down, (made, size), attempt)
                .await;
        }
        let begun = Instant::now();
        let delivered = match attempt {
            None => Ok(self.deliver(access, &records).await),
            Some(attempt) => self.batch_once(access, attempt, &records, &said).await,
        };
        let took = begun.elapsed();
        request.waits.upstream += took;
        let (sent, failed) = delivered.inspect_err(|_| request.usage = Some(Usage::nothing()))?;
        settle(request, &records, &sent);
        self.count(access, took, &records, &sent);
        let outcomes = said.outcomes(sent);
        conclude(request, took, &outcomes);
        if let Some(Failed { error, record }) = failed {
            return Err(transaction::failed(*error, record, outcomes.len()));
        }
        let answer = said.answer(&outcomes);
        reply::answer(request, down, Reply::json(answer.status, answer.body)).await
    }

    /// Sends records for one who has a key.
    async fn batch_once(
        &self,
        access: &Access,
        attempt: Attempt,
        records: &[&Outgoing],
        said: &Arc<Said>,
    ) -> Result<delivery::Sent, GatewayError> {
        let said = said.clone();
        let conclude = move |(sent, failed): &delivery::Sent| {
            let outcomes = said.outcomes(sent.clone());
            let answer = said.answer(&outcomes);
            let all = outcomes.iter().map(|outcome| outcome.as_ref().map(drop));
            let conclusion = delivery::conclusion(all, &answer);
            let outcome = match failed.clone() {
                None => Ok(answer),
                Some(Failed { error, record }) => {
                    Err(transaction::failed(*error, record, outcomes.len()))
                }
            };
            (conclusion, outcome)
        };
        let owned = records.iter().copied().cloned().collect();
        self.deliver_once(access, attempt, owned, conclude).await
    }

    /// What is known of a batch before any of it is sent.
    fn said(&self, made: &[Result<Outgoing, GatewayError>]) -> Said {
        let topic = |made: &Result<Outgoing, GatewayError>| match made {
            Ok(record) => Ok(record.topic.clone()),
            Err(error) => Err(error.clone()),
        };
        Said {
            ack: ack(self.config.ack),
            transaction: self.in_transaction(),
            made: made.iter().map(topic).collect(),
        }
    }

    pub(super) fn in_transaction(&self) -> bool {
        self.config.batch.is_some_and(|batch| batch.transaction)
    }

    /// Sends records as the route does; also, why none of them is written, if one of them is why.
    async fn deliver(&self, access: &Access, records: &[&Outgoing]) -> (Outcomes, Option<Failed>) {
        let (count, within) = (records.len(), self.config.timeout);
        if count == 0 {
            return (Vec::new(), None);
        }
        if self.in_transaction() {
            let owned = records.iter().copied().cloned().collect();
            return match access.session().transact(owned, within).await {
                Ok(places) => (places.into_iter().map(Ok).collect(), None),
                Err(failed) => (vec![Err((*failed.error).clone()); count], Some(failed)),
            };
        }
        match access.session().producer(self.config.ack) {
            Ok(producer) => (producer.send_all(records, within).await, None),
            Err(error) => (vec![Err(error); count], None),
        }
    }

    /// What is known of the batch before it is sent.
    pub(super) fn note_batch(
        &self,
        request: &mut Request,
        span_id: [u8; 8],
        records: &[&Outgoing],
    ) {
        let first = records.first().map(|record| record.topic.clone());
        let one = |topic: &Arc<str>| records.iter().all(|record| record.topic == *topic);
        let bytes: usize = records.iter().map(|record| record.content()).sum();
        request.record.kafka = Some(Box::new(record::Kafka {
            cluster: self.config.record.topic.cluster.clone(),
            topic: first.filter(one).unwrap_or_else(|| "".into()),
            batch: Some(record::Batch {
                messages: records.len() as u64,
                acknowledged: 0,
                code: None,
            }),
            span_id,
            started: request.began.elapsed(),
            partition: None,
            offset: None,
            bytes: bytes as u64,
            took: Duration::ZERO,
            spooled: None,
        }));
    }

    /// Counts what became of records, by topic.
    pub(super) fn count(
        &self,
        access: &Access,
        took: Duration,
        records: &[&Outgoing],
        sent: &Outcomes,
    ) {
        let mut counts: HashMap<(&str, Option<Code>), u64> = HashMap::new();
        let mut topics: HashMap<&str, Arc<metrics::Topic>> = HashMap::new();
        for (record, outcome) in records.iter().zip(sent) {
            let code = outcome.as_ref().err().map(|error| error.code);
            *counts.entry((&record.topic, code)).or_default() += 1;
        }
        for ((topic, code), records) in counts {
            let series = topics.entry(topic).or_insert_with(|| {
                let series = self.series(access, topic);
                series.took(took);
                series
            });
            series.counted(code, records);
        }
    }
}

/// What is said of a batch whatever brokers say: it outlives the request.
struct Said {
    ack: &'static str,
    transaction: bool,
    /// The topic of each record, or why it was not made.
    made: Vec<Result<Arc<str>, GatewayError>>,
}

impl Said {
    /// What became of each record, after what was said of those that were sent.
    fn outcomes(&self, sent: Outcomes) -> Outcomes {
        let mut sent = sent.into_iter();
        let outcome = |made: &Result<Arc<str>, GatewayError>| match made {
            Ok(_) => sent.next().unwrap_or_else(|| Err(unsaid())),
            Err(error) => Err(error.clone()),
        };
        self.made.iter().map(outcome).collect()
    }

    /// 200 if the broker acknowledged every record, 207 if not; what it said of each, in order.
    fn answer(&self, outcomes: &Outcomes) -> Answer {
        let results = self.made.iter().zip(outcomes);
        let results = results.map(|(made, outcome)| match (made, outcome) {
            (Ok(topic), Ok(Acknowledged { partition, offset })) => {
                json!({ "topic": &**topic, "partition": partition, "offset": offset })
            }
            (_, Err(error)) | (Err(error), Ok(_)) => refused(error),
        });
        let results: Vec<Value> = results.collect();
        let status = match outcomes.iter().all(Result::is_ok) {
            true => StatusCode::OK,
            false => StatusCode::MULTI_STATUS,
        };
        let mut said = json!({ "ack": self.ack, "results": results });
        if self.transaction {
            said["transaction"] = json!("committed");
        }
        Answer {
            status,
            body: said.to_string().into(),
        }
    }
}

/// The first record that cannot be made, and why.
fn first_error(made: &[Result<Outgoing, GatewayError>]) -> Option<(usize, &GatewayError)> {
    let mut made = made.iter().enumerate();
    made.find_map(|(index, made)| Some((index, made.as_ref().err()?)))
}

/// Says what the records that were written took up; those of unknown fate count as written.
fn settle(request: &mut Request, records: &[&Outgoing], sent: &Outcomes) {
    let (mut size, mut provenance) = (0, Provenance::Counted);
    for (record, outcome) in records.iter().zip(sent) {
        match outcome {
            Ok(_) => size += record.size(),
            Err(error) if error.code == Code::KafkaOutcomeUnknown => {
                size += record.size();
                provenance = Provenance::Estimated;
            }
            Err(_) => {}
        }
    }
    request.usage = Some(written(size, provenance));
}

/// Writes down what came of a batch.
fn conclude(request: &mut Request, took: Duration, outcomes: &Outcomes) {
    let Some(kafka) = &mut request.record.kafka else {
        return;
    };
    kafka.took = took;
    kafka.batch = Some(record::Batch {
        messages: outcomes.len() as u64,
        acknowledged: outcomes.iter().flatten().count() as u64,
        code: outcomes
            .iter()
            .find_map(|outcome| Some(outcome.as_ref().err()?.code)),
    });
}

pub(super) fn refused(error: &GatewayError) -> Value {
    json!({ "error": {
        "code": error.code.slug(),
        "detail": &*error.public,
        "retryable": error.code.retryable(),
    } })
}
