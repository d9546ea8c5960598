//! `publish` with `async`: the caller is answered once the records are on disk, whatever the brokers do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use weir_telemetry::Code;

use super::batch::refused as unmade;
use super::{Publish, delivery};
use crate::action::record::written;
use crate::error::GatewayError;
use crate::idempotency::{Answer, Attempt, Conclusion};
use crate::kafka::Outgoing;
use crate::policy::quota::Usage;
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::quota;
use crate::spool::{Id, Refusal, Spool};

/// When to try again: brokers or a person have to make room first.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why each part of a batch is no record; nothing, where it is one.
type Unmade = Vec<Option<GatewayError>>;

impl Publish {
    /// Puts a record of so many bytes into the spool, and answers once it lasts.
    pub(super) async fn spool(
        &self,
        spool: &Arc<Spool>,
        request: &mut Request,
        down: &mut Downstream,
        (outgoing, size): (Outgoing, u64),
        attempt: Option<Attempt>,
    ) -> Result<(), GatewayError> {
        let one = |ids: &[Id]| {
            let id = ids.first().map(ToString::to_string);
            let answer = Answer {
                status: StatusCode::ACCEPTED,
                body: json!({ "spooled": true, "id": id }).to_string().into(),
            };
            (Conclusion::Done(answer.clone()), answer)
        };
        let kept = keep(spool, vec![outgoing], attempt, one);
        answer(request, down, kept, size).await
    }

    /// Puts those parts of a batch into the spool that are records, of so many bytes together: all of them or
    /// none. Answers once they last.
    pub(super) async fn spool_batch(
        &self,
        spool: &Arc<Spool>,
        request: &mut Request,
        down: &mut Downstream,
        (made, size): (Vec<Result<Outgoing, GatewayError>>, u64),
        attempt: Option<Attempt>,
    ) -> Result<(), GatewayError> {
        let mut records = Vec::with_capacity(made.len());
        let unmade: Unmade = made
            .into_iter()
            .map(|made| made.map(|record| records.push(record)).err())
            .collect();
        let again = unmade.iter().flatten().find(|error| error.code.retryable());
        if let (Some(error), Some(_)) = (again, &attempt) {
            // Sent again with its key it could not be told which of its records are in the spool already.
            request.usage = Some(Usage::nothing());
            return Err(error.clone());
        }
        let all = move |ids: &[Id]| {
            let answer = say(&unmade, ids);
            let outcomes = unmade
                .iter()
                .map(|unmade| unmade.as_ref().map_or(Ok(()), Err));
            (delivery::conclusion(outcomes, &answer), answer)
        };
        let kept = keep(spool, records, attempt, all);
        answer(request, down, kept, size).await
    }
}

/// 202 if every part is in the spool, 207 if not, with the id of each that is, in order.
fn say(unmade: &Unmade, ids: &[Id]) -> Answer {
    let mut ids = ids.iter();
    let one = |unmade: &Option<GatewayError>| match unmade {
        None => json!({ "spooled": true, "id": ids.next().map(ToString::to_string) }),
        Some(error) => self::unmade(error),
    };
    let results: Vec<Value> = unmade.iter().map(one).collect();
    let status = match unmade.iter().all(Option::is_none) {
        true => StatusCode::ACCEPTED,
        false => StatusCode::MULTI_STATUS,
    };
    Answer {
        status,
        body: json!({ "results": results }).to_string().into(),
    }
}

/// Puts records into the spool, all or none; what is said of that. For one who has a key it goes on where the
/// caller leaves, so that the key always knows what became of it.
async fn keep(
    spool: &Arc<Spool>,
    records: Vec<Outgoing>,
    attempt: Option<Attempt>,
    say: impl FnOnce(&[Id]) -> (Conclusion, Answer) + Send + 'static,
) -> Result<(Vec<Id>, Answer), GatewayError> {
    let Some(attempt) = attempt else {
        let ids = spool.append_all(records).await;
        let ids = ids.map_err(|refusal| refused(&refusal))?;
        let (_, answer) = say(&ids);
        return Ok((ids, answer));
    };
    let spool = spool.clone();
    let kept = tokio::spawn(async move {
        match spool.append_all(records).await {
            Ok(ids) => {
                let (conclusion, answer) = say(&ids);
                attempt.conclude(conclusion, Ok(answer.clone())).await;
                Ok((ids, answer))
            }
            Err(refusal) => {
                let error = refused(&refusal);
                attempt
                    .conclude(Conclusion::Nothing, Err(error.clone()))
                    .await;
                Err(error)
            }
        }
    });
    kept.await
        .map_err(|error| GatewayError::new(Code::InternalError).source(error))?
}

/// Waits until records of so many bytes last, and answers.
async fn answer(
    request: &mut Request,
    down: &mut Downstream,
    kept: impl Future<Output = Result<(Vec<Id>, Answer), GatewayError>>,
    size: u64,
) -> Result<(), GatewayError> {
    // They count among their topic's records when brokers have them.
    request.topic_metrics = None;
    let begun = Instant::now();
    let kept = kept.await;
    request.waits.upstream += begun.elapsed();
    if let Some(kafka) = &mut request.record.kafka {
        kafka.took = begun.elapsed();
        // Those of a batch follow one another.
        let first = kept.as_ref().ok().and_then(|(ids, _)| ids.first());
        kafka.spooled = first.map(|id| id.to_string().into());
    }
    let (_, answer) = kept.inspect_err(|_| request.usage = Some(Usage::nothing()))?;
    request.usage = Some(written(size, quota::Provenance::Counted));
    reply::answer(request, down, Reply::json(answer.status, answer.body)).await
}

/// 503 and not 507, although that is the name of it: clients and proxies know the one as worth another try,
/// and few know the other at all.
fn refused(refusal: &Refusal) -> GatewayError {
    let code = match refusal {
        Refusal::Full(_) | Refusal::NoSpace(_) => Code::SpoolFull,
        Refusal::Failed(_) => Code::SpoolUnavailable,
    };
    GatewayError::new(code)
        .source(refusal)
        .retry_after(RETRY_AFTER)
}
