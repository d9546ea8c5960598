//! `publish` with an `Idempotency-Key`: what is sent several times is done once, and answered as the first
//! time (draft-ietf-httpapi-idempotency-key-header).
//!
//! Knows what a key is and whose. What becomes of records is in `delivery`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora_http::RequestHeader;
use tokio::time::timeout;
use weir_telemetry::Code;
use weir_telemetry::metrics::idempotency::{self as metrics, Met};

use super::Publish;
use crate::config::routes::idempotency as config;
use crate::config::template::{Template, Variable};
use crate::error::GatewayError;
use crate::idempotency::{Answer, Attempt, Fingerprint, Id, Keys, Turn};
use crate::kafka::Access;
use crate::proxy::{Downstream, Reply, Request, reply};

/// The field that callers name a request by.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The field of answers that were given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How long a key may be.
const LONGEST: usize = 255;
/// When to try again after the store was not reached.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long after a record is given up nobody else sends it.
const SLACK: Duration = Duration::from_secs(10);

/// What a route remembers.
pub(crate) struct Once {
    /// What it does, as configured.
    pub(crate) config: config::Idempotency,
    /// Where.
    pub(crate) keys: Arc<Keys>,
    /// Its figures.
    pub(crate) metrics: Arc<metrics::Idempotency>,
}

impl Publish {
    /// Publishes a body, unless that was done before with the same key.
    pub(super) async fn once(
        &self,
        once: &Once,
        request: &mut Request,
        down: &mut Downstream,
        access: &Access,
        body: Bytes,
    ) -> Result<(), GatewayError> {
        let Some(key) = key(&down.head().headers)? else {
            if once.config.required {
                let public = "This route wants an Idempotency-Key: a name of the request that is the same when it is sent again, as a UUID.";
                return Err(GatewayError::public(Code::IdempotencyKeyInvalid, public));
            }
            return self.publish(request, down, access, body, None).await;
        };
        let id = scoped(request, &key);
        let fingerprint = self.fingerprint(down.head(), &body);
        match self.turn(once, access, id, fingerprint).await? {
            Ok(attempt) => {
                self.publish(request, down, access, body, Some(attempt))
                    .await
            }
            Err(answer) => {
                let replayed = HeaderValue::from_static("true");
                let reply = Reply::json(answer.status, answer.body).header(REPLAYED, replayed);
                reply::answer(request, down, reply).await
            }
        }
    }

    /// Whether it is the caller's to do; else what came of it.
    async fn turn(
        &self,
        once: &Once,
        access: &Access,
        id: Id,
        fingerprint: Fingerprint,
    ) -> Result<Result<Attempt, Answer>, GatewayError> {
        let until = Instant::now() + self.config.timeout;
        loop {
            let terms = (self.lease(access), once.config.keep);
            let turn = once.keys.claim(id, fingerprint, terms).await;
            let turn = turn.map_err(|why| {
                once.metrics.met(Met::Unavailable);
                unavailable(&why)
            })?;
            match turn {
                Turn::Ours(attempt) => {
                    once.metrics.met(match attempt.before() {
                        None => Met::First,
                        Some(_) => Met::Resumed,
                    });
                    return Ok(Ok(attempt));
                }
                Turn::Answered(answer) => {
                    once.metrics.met(Met::Replayed);
                    return Ok(Err(answer));
                }
                Turn::Reused => {
                    once.metrics.met(Met::Reused);
                    return Err(GatewayError::new(Code::IdempotencyKeyReused));
                }
                Turn::Busy(left) => {
                    once.metrics.met(Met::InProgress);
                    return Err(in_progress(left));
                }
                Turn::Running(waiting) => {
                    let left = until.saturating_duration_since(Instant::now());
                    match timeout(left, waiting.outcome()).await {
                        // It was given back: perhaps it is ours now.
                        Ok(None) => {}
                        Ok(Some(outcome)) => {
                            once.metrics.met(Met::Replayed);
                            return outcome.map(Err);
                        }
                        Err(_) => {
                            once.metrics.met(Met::InProgress);
                            return Err(in_progress(RETRY_AFTER));
                        }
                    }
                }
            }
        }
    }

    /// After how long nothing that was sent can be written any more.
    fn lease(&self, access: &Access) -> Duration {
        let transaction = match self.in_transaction() {
            true => self.config.timeout,
            false => Duration::ZERO,
        };
        access.session().delivery_timeout() + transaction + SLACK
    }

    /// What has to be the same when a request is sent again: all that its records are made of.
    fn fingerprint(&self, head: &RequestHeader, body: &[u8]) -> Fingerprint {
        let path = head.uri.path_and_query().map_or("", |path| path.as_str());
        let mut fields: Vec<_> = head
            .headers
            .iter()
            .filter(|(name, _)| self.is_part(name))
            .collect();
        fields.sort_by_key(|(name, _)| name.as_str());
        let fields = fields
            .iter()
            .flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        let mut parts = vec![head.method.as_str().as_bytes(), path.as_bytes()];
        parts.extend(fields);
        parts.push(body);
        Fingerprint::of(&parts)
    }

    /// Whether a field is part of what records are made of.
    fn is_part(&self, name: &HeaderName) -> bool {
        let config = &self.config.record;
        let own = *name == http::header::CONTENT_TYPE || name.as_str().starts_with("ce-");
        let parts = [&config.key, &config.partition, &config.timestamp];
        let headers = config.headers.iter().map(|(_, value)| value);
        let mut templates = [&config.topic.name]
            .into_iter()
            .chain(parts.into_iter().flatten())
            .chain(headers)
            .flat_map(Template::variables);
        own || templates
            .any(|variable| matches!(variable, Variable::Header(known) if known == name))
    }
}

/// The key of a route and a consumer. All callers of a route whom nobody knows share theirs.
fn scoped(request: &Request, key: &str) -> Id {
    let route = request.route.as_ref().map_or("", |route| &*route.name);
    let consumer = request.consumer.as_ref();
    let known: &[u8] = if consumer.is_some() { b"consumer" } else { b"" };
    let name = consumer.map_or("", |consumer| &*consumer.name);
    Id::of(&[route.as_bytes(), known, name.as_bytes(), key.as_bytes()])
}

/// The key of a request: a string of structured fields (RFC 9651), or the same without its quotes.
fn key(headers: &HeaderMap) -> Result<Option<String>, GatewayError> {
    let mut fields = headers.get_all(KEY).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    let read = |field: &HeaderValue| unquoted(field.to_str().ok()?.trim());
    let is_key = |key: &String| {
        (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match read(field).filter(is_key) {
        Some(key) if fields.next().is_none() => Ok(Some(key)),
        _ => Err(GatewayError::public(
            Code::IdempotencyKeyInvalid,
            "An Idempotency-Key is one field of 1 to 255 visible characters, in quotes or without, as a UUID.",
        )),
    }
}

fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return Some(text.to_owned());
    };
    let inner = rest.strip_suffix('"')?;
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        key.push(match character {
            '"' => return None,
            '\\' => characters
                .next()
                .filter(|next| matches!(next, '"' | '\\'))?,
            other => other,
        });
    }
    Some(key)
}

/// Nobody knows yet what came of the first request.
pub(super) fn in_progress(left: Duration) -> GatewayError {
    GatewayError::new(Code::IdempotencyInProgress).retry_after(left)
}

/// Without a reservation nothing is sent.
pub(super) fn unavailable(why: &str) -> GatewayError {
    GatewayError::new(Code::IdempotencyStoreUnavailable)
        .source(why)
        .retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(KEY, HeaderValue::from_str(field).expect("a field"));
        }
        key(&headers).map_err(|error| error.code.slug())
    }

    #[test]
    fn a_key_is_one_visible_word_with_or_without_quotes() {
        assert_eq!(read(&[]), Ok(None));
        for field in ["\"8e03978e\"", "8e03978e", " 8e03978e "] {
            assert_eq!(read(&[field]), Ok(Some("8e03978e".into())), "{field}");
        }
        assert_eq!(read(&[r#""a\"\\b""#]), Ok(Some(r#"a"\b"#.into())));
        let longest = "x".repeat(LONGEST);
        assert_eq!(read(&[&longest]), Ok(Some(longest.clone())));
        let longer = format!("{longest}x");
        for bad in [
            &[""][..],
            &["\"\""],
            &["\"a"],
            &["\"a\"b\""],
            &[r#""a\b""#],
            &["a b"],
            &["ü"],
            &[&longer],
            &["a", "a"],
        ] {
            assert_eq!(read(bad), Err("idempotency_key_invalid"), "{bad:?}");
        }
    }
}
