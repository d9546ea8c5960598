//! Records that come as the messages of a gRPC call. They are taken a few at a time, in their order: those
//! that come while brokers are asked of the ones before wait, and once there are many of these, so does the caller.
//!
//! | Module | Knows |
//! |---|---|
//! | `message` | what a message is as a record |
//! | `intake` | what came and was not dealt with |
//! | `tally` | what became of those that were |
//! | `told` | what is said of that, and in whose words |

mod intake;
mod message;
mod tally;
mod told;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use weir_telemetry::trace;

use self::intake::Intake;
use self::tally::Tally;
use self::told::Answer;
use super::{Outcomes, Publish};
use crate::action::grpc::served::Served;
use crate::action::record::Maker;
use crate::config::routes::method::publish::Call;
use crate::error::GatewayError;
use crate::kafka::{Access, Outgoing};
use crate::policy::quota::{self, Bound, Quotas};
use crate::proxy::{Downstream, Request, reply};
use crate::quota::Unit;

/// What became of each record that was taken, with its topic.
type Taken = Vec<Result<told::Place, GatewayError>>;

/// A call, as far as it has come.
struct Course<'a> {
    action: &'a Publish,
    call: &'a Call,
    access: &'a Access,
    /// What counts the bytes of its records, if anything does.
    quotas: Option<Arc<Quotas>>,
    intake: Intake,
    tally: Tally,
    span_id: [u8; 8],
}

/// Answers until all that was sent is dealt with.
pub(super) async fn run(
    action: &Publish,
    call: &Call,
    access: &Access,
    (request, down): (&mut Request, &mut Downstream),
) -> Result<(), GatewayError> {
    let max = u32::try_from(action.config.max_body).unwrap_or(u32::MAX);
    let served = Served::begin(request, down, &call.method.path, max)?;
    let quotas = request.deferred_quotas.clone();
    let quotas = quotas.filter(|quotas| quotas.count(Unit::KafkaBytes));
    quota::charge(request, &down.head().headers, Bound::default()).await?;
    let span_id = trace::span_id();
    action.note_batch(request, span_id, &[]);
    let course = Course {
        action,
        call,
        access,
        quotas,
        intake: Intake::new(served),
        tally: Tally::default(),
        span_id,
    };
    match call.method.server_streaming {
        true => course.answer_each(request, down).await,
        false => course.answer_all(request, down).await,
    }
}

impl Course<'_> {
    /// Answers each record in its turn.
    async fn answer_each(
        mut self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        if let Some(instead) = self.intake.served.open(request, down).await? {
            return reply::send(request, down, instead).await;
        }
        let answer = Answer::of(self.call);
        loop {
            let taken = self.take(request, down).await;
            let (said, failed) = match taken {
                Ok(Some(taken)) => answer.each(taken),
                Ok(None) => return self.intake.served.end(request, down).await,
                Err(error) => (Bytes::new(), Some(error)),
            };
            if !said.is_empty() {
                self.intake.served.send(request, down, said).await?;
            }
            if let Some(error) = failed {
                let mut error = self.tally.tell(error);
                let said = std::mem::take(&mut error.headers);
                return self.intake.served.fail(request, down, error, said).await;
            }
        }
    }

    /// Answers once, for all that came.
    async fn answer_all(
        mut self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let answer = Answer::of(self.call);
        let mut all = told::All::default();
        loop {
            let taken = self.take(request, down).await;
            match taken.map_err(|error| self.of_one_or_all(error))? {
                None => break,
                Some(taken) => {
                    for place in taken {
                        all.add(place.map_err(|error| self.of_one_or_all(error))?);
                    }
                }
            }
        }
        let said = match self.call.method.client_streaming {
            true => answer.all(all)?,
            false => answer.one(all)?,
        };
        if let Some(instead) = self.intake.served.open(request, down).await? {
            return reply::send(request, down, instead).await;
        }
        self.intake.served.send(request, down, said).await?;
        self.intake.served.end(request, down).await
    }

    /// Where a call has one record, all is said of it by the failure.
    fn of_one_or_all(&self, error: GatewayError) -> GatewayError {
        match self.call.method.client_streaming {
            true => self.tally.tell(error),
            false => error,
        }
    }

    /// Whether the first failure ends the call: nobody is there to be told of it otherwise.
    fn ends_by_failure(&self) -> bool {
        !(self.call.method.server_streaming && self.call.answers_own)
    }

    /// Takes the next few records, and says what became of each; none, once there are no more.
    async fn take(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Option<Taken>, GatewayError> {
        let one = !self.call.method.client_streaming;
        let Some(messages) = self.intake.next(request, down, one).await? else {
            return Ok(None);
        };
        let made = self.make(request, down, messages).await;
        let records: Vec<&Outgoing> = made.iter().flatten().collect();
        self.tally.sending(request, &records);
        let begun = Instant::now();
        let sent = self.send(down, &records).await;
        let took = begun.elapsed();
        request.waits.upstream += took;
        self.action.count(self.access, took, &records, &sent);
        let mut sent = sent.into_iter();
        let taken = made.iter().map(|made| {
            let outgoing = made.as_ref().map_err(GatewayError::clone)?;
            let acknowledged = sent.next().unwrap_or_else(|| Err(super::unsaid()))?;
            Ok(told::Place::new(&outgoing.topic, acknowledged))
        });
        let taken: Taken = taken.collect();
        self.tally.taken(request, &taken);
        Ok(Some(taken))
    }

    /// Makes the records, and charges for them; where a failure ends the call, none after the first.
    async fn make(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        messages: Vec<Bytes>,
    ) -> Vec<Result<Outgoing, GatewayError>> {
        let mut made: Vec<Result<Outgoing, GatewayError>> = {
            let config = &self.action.config.record;
            let maker = Maker::new(config, self.access, request, down, self.span_id);
            let one = |message| {
                let (part, seen) = message::read(self.call, message)?;
                maker.record_of(part, &seen)
            };
            messages.into_iter().map(one).collect()
        };
        for index in 0..made.len() {
            if let Ok(outgoing) = &mut made[index]
                && let Err(error) = self.ready(request, down, outgoing).await
            {
                made[index] = Err(error);
            }
            if made[index].is_err() && self.ends_by_failure() {
                made.truncate(index + 1);
                break;
            }
        }
        made
    }

    /// Makes a record's value what its schema says, and charges for it.
    async fn ready(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        outgoing: &mut Outgoing,
    ) -> Result<(), GatewayError> {
        self.action.encode(request, down, outgoing).await?;
        let Some(quotas) = &self.quotas else {
            return Ok(());
        };
        let headers = &down.head().headers;
        let spent = quotas.spend(request, headers, Unit::KafkaBytes, outgoing.size());
        spent.await
    }

    /// Hands records to the producer, and takes in meanwhile what the caller sends.
    async fn send(&mut self, down: &mut Downstream, records: &[&Outgoing]) -> Outcomes {
        if records.is_empty() {
            return Vec::new();
        }
        let producer = match self.access.session().producer(self.action.config.ack) {
            Ok(producer) => producer,
            Err(error) => return vec![Err(error); records.len()],
        };
        let within = self.intake.served.left();
        let within = within.map_or(self.action.config.timeout, |left| {
            left.min(self.action.config.timeout)
        });
        let sending = producer.send_all(records, within);
        self.intake.meanwhile(down, sending).await
    }
}
