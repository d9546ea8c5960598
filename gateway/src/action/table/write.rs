//! How a value is written, and what is said of that: that it is, that it is not, or that nobody knows.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use serde_json::value::RawValue;
use weir_telemetry::record::Kafka;
use weir_telemetry::{Code, trace};

use super::merge::merge;
use super::{Table, expect};
use crate::error::GatewayError;
use crate::kafka::Outgoing;
use crate::policy::quota::{Bound, Usage, charge};
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::quota::{Amounts, Provenance, Unit};
use crate::schema;
use crate::table::{self, Condition, Outcome};

/// Says that this gateway's own view does not have what was written yet.
const BEHIND: HeaderName = HeaderName::from_static("weir-view-behind");

impl Table {
    /// Writes a value, or takes it away.
    pub(super) async fn change(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        method: &Method,
        key: &str,
    ) -> Result<(), GatewayError> {
        let mut condition = expect::condition(&down.head().headers, self.config.require_if_match)?;
        down.limit(self.config.max_body)?;
        let body = down.read_whole().await?;
        let within = self.config.timeout;
        let outcome = if *method == Method::PATCH {
            self.patch(request, down, key, condition, &body).await?
        } else if *method == Method::DELETE {
            condition.needs_one = true;
            self.put(request, down, key, condition, None, within)
                .await?
        } else {
            self.check_body(&body)?;
            let value = self.encode(request, down, body).await?;
            self.put(request, down, key, condition, Some(value), within)
                .await?
        };
        match outcome {
            Outcome::Mismatch(now) => Err(expect::failed(now)),
            Outcome::Absent => Err(GatewayError::new(Code::TableKeyUnknown)),
            Outcome::Written {
                at,
                replaced,
                visible,
            } => {
                let status = match replaced || *method == Method::DELETE {
                    true => StatusCode::NO_CONTENT,
                    false => StatusCode::CREATED,
                };
                let mut answer = Reply::empty(status).header(ETAG, expect::etag(at));
                if !visible {
                    answer = answer.header(BEHIND, HeaderValue::from_static("true"));
                }
                reply::answer(request, down, answer).await
            }
        }
    }

    /// What is said to be JSON is.
    fn check_body(&self, body: &[u8]) -> Result<(), GatewayError> {
        if self.config.schema.is_some() || !self.config.is_json() {
            return Ok(());
        }
        let read: Result<&RawValue, _> = serde_json::from_slice(body);
        read.map(drop).map_err(|error| {
            let public = "Values of this route are JSON, and the body is not.";
            GatewayError::public(Code::RequestBodyInvalid, public).source(error)
        })
    }

    async fn encode(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        value: Bytes,
    ) -> Result<Bytes, GatewayError> {
        let values = self.values.as_ref();
        schema::encode(values, &self.config.name, value, request, down).await
    }

    /// Merges a patch with what the value is, again and again where others write meanwhile.
    async fn patch(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        key: &str,
        condition: Condition,
        body: &[u8],
    ) -> Result<Outcome, GatewayError> {
        let patch = read_patch(&down.head().headers, body)?;
        // What the caller expects may have been told by another gateway, which is ahead.
        let expected = condition.is.iter().flatten().max_by_key(|tag| tag.offset);
        let waited = self.view.ready(expected.copied(), self.config.timeout);
        match waited.await {
            Err(error) if expected.is_none() => return Err(error),
            _ => {}
        }
        let begun = Instant::now();
        let until = begun + self.config.timeout;
        let is = condition.is.as_ref();
        // Who names the value is refused if another was faster; who does not waits for those before it.
        let _turn = match is {
            None => Some(self.view.turn(key, self.config.timeout).await?),
            Some(_) => None,
        };
        request.waits.upstream += begun.elapsed();
        loop {
            let Some(entry) = self.view.get(key) else {
                return Ok(self.view.refuse(match condition.exists || is.is_some() {
                    true => Outcome::Mismatch(None),
                    false => Outcome::Absent,
                }));
            };
            if condition.is_absent || is.is_some_and(|tags| !tags.contains(&entry.tag)) {
                return Ok(self.view.refuse(Outcome::Mismatch(Some(entry.tag))));
            }
            let within = until.saturating_duration_since(Instant::now());
            if within.is_zero() {
                return Err(table::contended());
            }
            let shown = self.shown(request, down, &entry).await?;
            let mut value: Value = serde_json::from_slice(&shown).map_err(|error| {
                let public = "The value is not JSON, and cannot be merged with.";
                GatewayError::public(Code::RequestBodyInvalid, public).source(error)
            })?;
            merge(&mut value, patch.clone());
            let value = self.encode(request, down, value.to_string().into()).await?;
            let same = Condition {
                is: Some(vec![entry.tag]),
                ..Condition::default()
            };
            let outcome = self.put(request, down, key, same, Some(value), within);
            let outcome = outcome.await?;
            if !matches!(outcome, Outcome::Mismatch(_)) || is.is_some() {
                return Ok(outcome);
            }
        }
    }

    /// Writes a record within that time, and writes down what came of it.
    async fn put(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        key: &str,
        condition: Condition,
        value: Option<Bytes>,
        within: Duration,
    ) -> Result<Outcome, GatewayError> {
        let span_id = trace::span_id();
        let record = self.record(request, span_id, key, value);
        let size = record.size();
        let bound = Bound {
            amounts: Amounts::default().with(Unit::KafkaBytes, size),
            ..Bound::default()
        };
        charge(request, &down.head().headers, bound).await?;
        let written = |provenance| Usage {
            amounts: Amounts::default().with(Unit::KafkaBytes, size),
            provenance,
        };
        request.usage = Some(written(Provenance::Estimated));
        self.note(request, span_id, &record);
        let begun = Instant::now();
        let outcome = self.view.write(key, condition, record, within).await;
        request.waits.upstream += begun.elapsed();
        request.usage = Some(match &outcome {
            Ok(Outcome::Written { .. }) => written(Provenance::Counted),
            Err(error) if error.code == Code::KafkaOutcomeUnknown => written(Provenance::Estimated),
            _ => Usage::nothing(),
        });
        if let Some(kafka) = &mut request.record.kafka {
            kafka.took = begun.elapsed();
            if let Ok(Outcome::Written { at, .. }) = &outcome {
                kafka.partition = Some(at.partition);
                kafka.offset = Some(at.offset);
            }
        }
        outcome
    }

    fn record(
        &self,
        request: &Request,
        span_id: [u8; 8],
        key: &str,
        value: Option<Bytes>,
    ) -> Outgoing {
        let context = &request.record.trace;
        let parent = context.traceparent_of(span_id).to_string();
        let mut headers = vec![("traceparent".into(), Some(parent.into()))];
        if value.is_some() && self.config.schema.is_none() {
            let content_type = self.config.content_type.as_bytes();
            let content_type = Bytes::copy_from_slice(content_type);
            headers.push((CONTENT_TYPE.as_str().into(), Some(content_type)));
        }
        Outgoing {
            topic: self.config.name.clone(),
            // The key decides.
            partition: None,
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value,
            headers,
            timestamp: None,
        }
    }

    fn note(&self, request: &mut Request, span_id: [u8; 8], record: &Outgoing) {
        let cluster = &self.config.topic.cluster;
        request.topic_metrics = Some(self.metrics.topic(cluster, &self.config.name));
        request.record.kafka = Some(Box::new(Kafka {
            cluster: cluster.clone(),
            topic: self.config.name.clone(),
            batch: None,
            span_id,
            started: request.began.elapsed(),
            partition: None,
            offset: None,
            bytes: record.content() as u64,
            took: std::time::Duration::ZERO,
            spooled: None,
        }));
    }
}

fn read_patch(headers: &HeaderMap, body: &[u8]) -> Result<Value, GatewayError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/merge-patch+json" {
        let public = "A patch is application/merge-patch+json (RFC 7396).";
        return Err(GatewayError::public(Code::MediaTypeUnsupported, public));
    }
    serde_json::from_slice(body).map_err(|error| {
        let public = "The patch is not JSON.";
        GatewayError::public(Code::RequestBodyInvalid, public).source(error)
    })
}
