//! How a request is sent, and how long its caller waits. How far the topic of replies is, is known before: whatever
//! becomes of the caller or of this gateway, the reply comes after that.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use tokio::time::timeout_at;
use weir_telemetry::metrics::reply::Outcome;
use weir_telemetry::{Code, trace};

use super::correlation::Id;
use super::desk::Waiter;
use super::prefer::Preferred;
use super::replies::Had;
use super::token::{self, Token};
use super::{RequestReply, answer};
use crate::action::record::{self, Maker, Part};
use crate::action::subscribe::while_there;
use crate::config::routes::publish::Ack;
use crate::config::routes::request_reply::{CONSUMER, Respond};
use crate::error::GatewayError;
use crate::kafka::{Access, Acknowledged, Outgoing, Positions};
use crate::proxy::{Downstream, Reply, Request, reply};

/// The field that says which preference was followed (RFC 7240).
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long a caller waits for the reply, and what it is told if there is none then.
struct Plan {
    until: Instant,
    /// That it may come back for it; else that it was in vain.
    accepts: bool,
    /// Because it said so.
    preferred: bool,
}

/// A request on its way.
struct Asked {
    id: Id,
    /// How far the topic of replies was before it was sent.
    from: Positions,
    /// None, if nobody waits.
    waiter: Option<Waiter>,
    /// Where its caller may come back.
    location: Option<HeaderValue>,
    topic: Arc<str>,
    begun: Instant,
}

impl RequestReply {
    /// Sends a request, and answers it as its caller wants.
    pub(super) async fn ask(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        access: &Access,
    ) -> Result<Outcome, GatewayError> {
        down.limit(self.config.max_body)?;
        let body = down.read_whole().await?;
        let plan = self.plan(&down.head().headers, Instant::now());
        let (id, span_id) = (Id::new()?, trace::span_id());
        let part = self.part(request, id, body);
        let outgoing =
            Maker::new(&self.config.record, access, request, down, span_id).record(part)?;
        let size = outgoing.size();
        record::charge(request, &down.head().headers, size).await?;
        self.note_topic(request, access, &outgoing.topic);

        let prepared = self.prepare(access, id, plan.until > Instant::now());
        let prepared = while_there(request, down, prepared).await;
        let (waiter, from, cluster_id) = prepared.inspect_err(|_| {
            // Nothing was sent.
            request.usage = Some(crate::policy::quota::Usage::nothing());
        })?;
        let _waiting = waiter.as_ref().map(|_| self.figures.wait());
        let asked = Asked {
            location: self.location(request, down, &cluster_id, id, &from),
            id,
            from,
            waiter,
            topic: outgoing.topic.clone(),
            begun: Instant::now(),
        };
        record::note(
            request,
            &self.config.record.topic.cluster,
            span_id,
            &outgoing,
        );
        let sent = self.send(request, access, &outgoing, size).await;
        self.note_topic(request, access, &outgoing.topic);
        self.conclude(request, down, access, &plan, asked, sent)
            .await
    }

    /// How long the caller waits.
    fn plan(&self, headers: &HeaderMap, now: Instant) -> Plan {
        let until = now + self.config.timeout;
        let preferred = match self.config.respond {
            Respond::Prefer => Preferred::read(headers),
            Respond::Sync | Respond::Async => Preferred::default(),
        };
        let wait = preferred.wait.map(|wait| wait.min(self.config.timeout));
        let accepts = preferred.respond_async || self.config.respond == Respond::Async;
        Plan {
            until: match (accepts, wait) {
                (_, Some(wait)) => now + wait,
                (true, None) => now,
                (false, None) => until,
            },
            accepts,
            preferred: preferred.respond_async,
        }
    }

    /// The body, and what the gateway says of it: nothing else says that.
    fn part(&self, request: &Request, id: Id, body: bytes::Bytes) -> Part {
        let topic = self.config.reply_topic.to_string();
        let mut headers = vec![
            (self.config.correlation.clone(), Some(id.to_string().into())),
            (self.config.reply_to.clone(), Some(topic.into())),
        ];
        if let Some(consumer) = &request.consumer {
            let name = consumer.name.to_string();
            headers.push((CONSUMER.into(), Some(name.into())));
        }
        Part {
            headers,
            ..Part::from(body)
        }
    }

    /// Has the reply waited for, if anybody waits, and finds out from where on it can be.
    async fn prepare(
        &self,
        access: &Access,
        id: Id,
        waits: bool,
    ) -> Result<(Option<Waiter>, Positions, Arc<str>), GatewayError> {
        let session = access.session();
        let waiter = match waits {
            true => Some(self.replies.wait_for(session, id).await?),
            false => None,
        };
        let (from, cluster_id) = self.replies.end(session).await?;
        Ok((waiter, from, cluster_id))
    }

    /// Where the caller may come back: below the path that it asked at.
    fn location(
        &self,
        request: &Request,
        down: &Downstream,
        cluster_id: &str,
        id: Id,
        from: &Positions,
    ) -> Option<HeaderValue> {
        if !self.config.status_urls {
            return None;
        }
        let token = Token {
            id,
            until: token::after(SystemTime::now(), self.config.keep),
            from: from.clone(),
        };
        let token = self.signer(request, cluster_id).write(&token);
        let path = down.head().uri.path().trim_end_matches('/');
        HeaderValue::try_from(format!("{path}/{token}")).ok()
    }

    /// Hands the record to the producer, and writes down what came of it.
    async fn send(
        &self,
        request: &mut Request,
        access: &Access,
        outgoing: &Outgoing,
        size: u64,
    ) -> Result<Acknowledged, GatewayError> {
        let begun = Instant::now();
        let sent = match access.session().producer(Ack::All) {
            Ok(producer) => producer.send(outgoing, self.config.timeout).await,
            Err(error) => Err(error),
        };
        record::settle(request, &sent, size, begun.elapsed());
        sent
    }

    fn note_topic(&self, request: &mut Request, access: &Access, topic: &str) {
        let producer = access.session().producer(Ack::All);
        let series = record::series(&self.metrics, &self.config.record, producer, topic);
        request.topic_metrics = Some(series);
    }

    /// Answers once there is a reply, or the caller waits no longer.
    async fn conclude(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        access: &Access,
        plan: &Plan,
        mut asked: Asked,
        sent: Result<Acknowledged, GatewayError>,
    ) -> Result<Outcome, GatewayError> {
        let at = match sent {
            Ok(at) => at,
            Err(error) if error.code == Code::KafkaOutcomeUnknown => {
                // Who replies has seen it, whatever the broker did not say.
                if let Some(reply) = asked.waiter.as_mut().and_then(Waiter::reply_now) {
                    return self.answer(request, down, &reply, asked.begun).await;
                }
                return Err(with_location(error, asked.location));
            }
            Err(error) => return Err(error),
        };
        if let Some(waiter) = asked.waiter.take() {
            let drain = request.gateway.clone();
            let waiting = async {
                tokio::select! {
                    biased;
                    () = drain.drain.must_end() => Err(GatewayError::new(Code::Draining)
                        .source("no reply had come when the drain timeout passed")),
                    had = self.wait(access, &asked, waiter, plan.until) => had,
                }
            };
            match while_there(request, down, waiting).await {
                Ok(Had::Reply(reply)) => {
                    return self.answer(request, down, &reply, asked.begun).await;
                }
                Ok(Had::NotYet | Had::Gone) => {}
                // It may come back to another gateway.
                Err(error) if error.code == Code::Draining && plan.accepts => {}
                Err(error) => return Err(with_location(error, asked.location)),
            }
        }
        match plan.accepts {
            true => self.accept(request, down, plan, &asked, at).await,
            false => Err(with_location(self.late(&asked, at), asked.location)),
        }
    }

    /// The reply, as it comes; where nobody is told of it any more, what is in the topic.
    async fn wait(
        &self,
        access: &Access,
        asked: &Asked,
        mut waiter: Waiter,
        until: Instant,
    ) -> Result<Had, GatewayError> {
        let session = access.session();
        match timeout_at(until.into(), waiter.reply()).await {
            Ok(Ok(reply)) => Ok(Had::Reply(reply)),
            Err(_) => Ok(Had::NotYet),
            Ok(Err(broken)) => {
                log::debug!("kafka: replies are looked for: {broken}");
                drop(waiter);
                let had = self
                    .replies
                    .have(session, asked.id, &asked.from, until.into());
                had.await
            }
        }
    }

    /// Answers with a reply.
    async fn answer(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        record: &crate::kafka::Record,
        begun: Instant,
    ) -> Result<Outcome, GatewayError> {
        self.figures.took(begun.elapsed());
        self.note(request, record, begun);
        let answer = answer::of(&self.config, record)?;
        reply::answer(request, down, answer).await?;
        Ok(Outcome::Answered)
    }

    /// The request is in its topic, and the caller may come back for the reply.
    async fn accept(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        plan: &Plan,
        asked: &Asked,
        at: Acknowledged,
    ) -> Result<Outcome, GatewayError> {
        let location = asked.location.as_ref();
        let url = location.and_then(|location| location.to_str().ok());
        let body = json!({ "status_url": url, "request": place(asked, at) });
        let mut answer = Reply::json(StatusCode::ACCEPTED, body.to_string())
            .header(RETRY_AFTER, HeaderValue::from_static("1"));
        answer
            .headers
            .extend(location.map(|it| (LOCATION, it.clone())));
        if plan.preferred {
            answer = answer.header(APPLIED, HeaderValue::from_static("respond-async"));
        }
        reply::answer(request, down, answer).await?;
        Ok(Outcome::Accepted)
    }

    /// The request is in its topic, and the caller waited in vain.
    fn late(&self, asked: &Asked, at: Acknowledged) -> GatewayError {
        let Acknowledged { partition, offset } = at;
        let more = match asked.location {
            Some(_) => " Do not send it again: look for the reply at the URL in Location.",
            None => " Sent again, it would be a second request.",
        };
        let message = format!(
            "The request is in its topic (partition {partition}, offset {offset}); no reply came in \
             time.{more}"
        );
        let mut error = GatewayError::public(Code::KafkaReplyTimeout, message);
        error.member = Some(Box::new(("request", place(asked, at))));
        error
    }
}

/// Where a request is.
fn place(asked: &Asked, at: Acknowledged) -> serde_json::Value {
    json!({
        "topic": asked.topic,
        "partition": at.partition,
        "offset": at.offset,
        "correlation_id": asked.id.to_string(),
    })
}

fn with_location(error: GatewayError, location: Option<HeaderValue>) -> GatewayError {
    match location {
        Some(location) => error.header(LOCATION, location),
        None => error,
    }
}
