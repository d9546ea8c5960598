//! `key_auth`: who calls, by an API key.
//!
//! Keys are known by their SHA-256 only. The consumer becomes the request's identity and, with
//! `hide`, the key goes no further.

mod directory;
mod subprotocol;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use http::HeaderValue;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use percent_encoding::percent_decode_str;
use pingora_http::RequestHeader;
use weir_telemetry::Code;

pub(crate) use directory::Directory;

use super::{Policy, RequestCx, Verdict};
use crate::config::policies::key_auth::{Allow, Config, Source};
use crate::error::GatewayError;
use crate::runtime::Consumer;

/// The policy.
pub(crate) struct KeyAuth {
    config: Config,
    directory: Arc<Directory>,
}

impl KeyAuth {
    /// Builds it; `directory` knows all keys.
    pub(crate) fn new(config: Config, directory: Arc<Directory>) -> Self {
        KeyAuth { config, directory }
    }

    fn authenticate(&self, head: &RequestHeader) -> Result<(Arc<Consumer>, &Source), GatewayError> {
        let presented = self
            .config
            .sources
            .iter()
            .find_map(|s| Some((key_at(s, head)?, s)));
        let Some((key, source)) = presented else {
            return Err(challenge(GatewayError::new(Code::CredentialMissing)));
        };
        let Some((consumer, key)) = self.directory.find(&key) else {
            return Err(challenge(GatewayError::new(Code::CredentialInvalid)));
        };
        if key
            .expires
            .is_some_and(|expires| expires <= SystemTime::now())
        {
            let error = GatewayError::new(Code::CredentialExpired)
                .source(format!("key {} of {} has expired", key.id, consumer.name));
            return Err(challenge(error));
        }
        self.admit(consumer)?;
        Ok((consumer.clone(), source))
    }

    fn admit(&self, consumer: &Consumer) -> Result<(), GatewayError> {
        let allow = self.config.allow.as_ref();
        if allow.is_none_or(|allow| admits(allow, consumer)) {
            return Ok(());
        }
        let public = "This consumer is not among those the route admits.";
        let error = GatewayError::public(Code::ConsumerDenied, public);
        Err(error.source(format!("{} is not admitted", consumer.name)))
    }
}

#[async_trait]
impl Policy for KeyAuth {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        if let Some(consumer) = cx.request.consumer.as_ref().filter(|_| cx.request.vouched) {
            self.admit(consumer)?;
            return Ok(Verdict::Continue);
        }
        let (consumer, source) = self.authenticate(cx.head)?;
        // A subprotocol is one that the upstream might choose.
        if self.config.hide || *source == Source::Subprotocol {
            hide(source, cx.head);
        }
        cx.request.record.consumer = Some(consumer.name.clone());
        if consumer.team.is_some() {
            cx.request.record.team.clone_from(&consumer.team);
        }
        cx.request.consumer = Some(consumer);
        Ok(Verdict::Continue)
    }
}

fn admits(allow: &Allow, consumer: &Consumer) -> bool {
    allow.consumers.contains(&consumer.name)
        || consumer
            .groups
            .iter()
            .any(|group| allow.groups.contains(group))
}

fn challenge(error: GatewayError) -> GatewayError {
    error.header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"weir\""),
    )
}

fn key_at<'a>(source: &Source, head: &'a RequestHeader) -> Option<Cow<'a, [u8]>> {
    match source {
        Source::Header(name) => head.headers.get(name).map(|v| Cow::Borrowed(v.as_bytes())),
        Source::Bearer => {
            let value = head.headers.get(AUTHORIZATION)?.as_bytes();
            let (scheme, key) = value.split_at_checked(7)?;
            scheme
                .eq_ignore_ascii_case(b"bearer ")
                .then(|| Cow::Borrowed(key.trim_ascii()))
        }
        Source::Subprotocol => subprotocol::key(&head.headers).map(Cow::Owned),
        Source::Query(name) => pairs(head.uri.query()?)
            .find(|(key, _)| *key == &**name)
            .map(|(_, value)| Cow::from(percent_decode_str(value))),
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Takes the key out of what goes upstream.
fn hide(source: &Source, head: &mut RequestHeader) {
    match source {
        Source::Header(name) => {
            head.remove_header(name);
        }
        Source::Bearer => {
            head.remove_header(&AUTHORIZATION);
        }
        Source::Subprotocol => subprotocol::hide(head),
        Source::Query(name) => {
            let Some(query) = head.uri.query() else {
                return;
            };
            let kept: Vec<&str> = query
                .split('&')
                .filter(|pair| pair.split_once('=').map_or(*pair, |(key, _)| key) != &**name)
                .collect();
            let path = head.uri.path();
            let target = if kept.is_empty() {
                path.to_owned()
            } else {
                format!("{path}?{}", kept.join("&"))
            };
            // A part of a valid target is one; were it not, the request would be sent with none.
            let target = if head.uri.authority().is_some() {
                let mut parts = head.uri.clone().into_parts();
                parts.path_and_query = target.parse().ok();
                http::Uri::from_parts(parts).ok()
            } else {
                target.parse().ok()
            };
            head.set_uri(target.unwrap_or_default());
        }
    }
}
