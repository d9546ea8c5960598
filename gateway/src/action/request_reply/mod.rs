//! `request_reply`: makes a request a Kafka record, and answers with the record that replies to it; now, or later
//! at a status URL.
//!
//! Nothing is kept of who does not wait: which reply it is, and where it may be, is in the status URL, so that any
//! gateway answers it.
//!
//! | Module | Knows |
//! |---|---|
//! | `ask` | how a request is sent, and how long its caller waits |
//! | `status` | what is said at a status URL |
//! | `correlation` | what a request and its reply share |
//! | `token` | what a status URL says |
//! | `prefer` | what callers say of waiting |
//! | `replies` | how a reply is had |
//! | `desk` | who waits for which |
//! | `known` | what was found of those that were looked for |
//! | `answer` | what of a reply is answered |

mod answer;
mod ask;
mod correlation;
mod desk;
mod known;
mod prefer;
mod replies;
mod status;
mod token;

use std::sync::Arc;
use std::time::Instant;

use weir_telemetry::code::Fault;
use weir_telemetry::metrics::reply::Outcome;
use weir_telemetry::trace::Context;
use weir_telemetry::{Code, Metrics, metrics, record, trace};

pub(super) use self::replies::Replies;
use self::token::Signer;
use super::subscribe::cursor::Keys;
use crate::config::kafka_identity::Operation;
use crate::config::routes::request_reply as config;
use crate::error::GatewayError;
use crate::kafka::{Cluster, Record};
use crate::proxy::{Downstream, Request};

/// The action.
pub(crate) struct RequestReply {
    /// What it does, as configured.
    pub(crate) config: config::RequestReply,
    /// The cluster that the topics are in.
    pub(crate) cluster: Arc<Cluster>,
    /// What status URLs are signed with.
    pub(crate) keys: Keys,
    /// Its replies.
    pub(super) replies: Replies,
    /// Where the figures of topics go.
    pub(crate) metrics: Metrics,
    /// Its own.
    pub(crate) figures: Arc<metrics::Replies>,
}

impl RequestReply {
    /// Sends what the request brought and answers with the reply, or says what there is of one.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let access = self.cluster.of(request.consumer.as_ref())?;
        access.may(Operation::Read, &self.config.reply_topic)?;
        let token = request.captures.get(config::TOKEN).map(ToOwned::to_owned);
        let came = match token.filter(|_| self.config.status_urls) {
            Some(token) => self.status(request, down, &access, &token).await,
            None => self.ask(request, down, &access).await,
        };
        match came {
            Ok(outcome) => {
                self.figures.came(outcome);
                Ok(())
            }
            Err(error) => {
                match error.code {
                    Code::KafkaReplyTimeout => self.figures.came(Outcome::TimedOut),
                    Code::KafkaReplyGone => self.figures.came(Outcome::Gone),
                    code if matches!(code.fault(), Fault::Client | Fault::Policy) => {}
                    _ => self.figures.came(Outcome::Failed),
                }
                Err(error)
            }
        }
    }

    /// Signs the status URLs of who calls.
    fn signer(&self, request: &Request, cluster_id: &str) -> Signer {
        let consumer = request.consumer.as_ref().map(|consumer| &*consumer.name);
        Signer::new(&self.keys, cluster_id, &self.config.reply_topic, consumer)
    }

    /// Writes down which record replied, that was waited for since then.
    fn note(&self, request: &mut Request, reply: &Record, since: Instant) {
        let text = |name| std::str::from_utf8(reply.header(name)?).ok();
        let length = |part: &Option<Box<[u8]>>| part.as_deref().map_or(0, <[u8]>::len);
        request.record.reply = Some(Box::new(record::Reply {
            cluster: self.config.record.topic.cluster.clone(),
            topic: self.config.reply_topic.clone(),
            partition: reply.partition,
            offset: reply.offset,
            bytes: (length(&reply.key) + length(&reply.value)) as u64,
            span_id: trace::span_id(),
            context: text("traceparent").and_then(|it| Context::parse(it, text("tracestate"))),
            started: since.saturating_duration_since(request.began),
            took: since.elapsed(),
        }));
    }
}
