//! Policies: what a route demands of a request before its action, and does to an answer after it.
//!
//! A policy is a folder with `mod.rs`, `config.rs` and `tests.rs`, one `kind:` in the
//! configuration and one arm in [`build`]. It sees the request through [`RequestCx`], never a
//! socket, an upstream or another policy.

pub(crate) mod chain;
mod compression;
mod cors;
mod external_guard;
mod headers;
mod ip_restriction;
pub(crate) mod key_auth;
mod pii;
mod prompt;
mod prompt_guard;
pub(crate) mod quota;
mod request_size;
pub(crate) mod speech;
pub(crate) mod unit;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora_http::{RequestHeader, ResponseHeader};

pub(crate) use unit::{Unit, Units};

use crate::config::policies::PolicyConfig;
use crate::config::routes::Route;
use crate::error::GatewayError;
use crate::proxy::{Reply, Request};
use crate::runtime::Parts;
use chain::Link;

/// The policies of a route, in the order they run.
pub(crate) fn build(route: &Route, parts: &Parts<'_>) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::with_capacity(route.policies.len());
    for attached in &route.policies {
        let kind = attached.config.kind();
        // All the quotas a request falls under are taken together or not at all, whoever wrote
        // them: they are one link.
        // And nothing is compressed twice: what is enforced comes first, and stands.
        let once = matches!(
            attached.config,
            PolicyConfig::Quota(_) | PolicyConfig::Compression(_)
        );
        let taken = once && links.iter().any(|link| link.kind == kind);
        if !taken {
            links.push(Link {
                kind,
                policy: one(&attached.config, route, parts),
            });
        }
    }
    links
}

fn one(config: &PolicyConfig, route: &Route, parts: &Parts<'_>) -> Arc<dyn Policy> {
    let kind = config.kind();
    let findings =
        |rule: &str, direction: &str| parts.metrics.findings(&route.name, kind, rule, direction);
    match config.clone() {
        PolicyConfig::Compression(config) => Arc::new(compression::Compression(config)),
        PolicyConfig::Cors(config) => Arc::new(cors::Cors::new(config)),
        PolicyConfig::Headers(config) => Arc::new(headers::Headers(config)),
        PolicyConfig::IpRestriction(config) => Arc::new(ip_restriction::IpRestriction(config)),
        PolicyConfig::KeyAuth(config) => {
            Arc::new(key_auth::KeyAuth::new(config, parts.directory.clone()))
        }
        PolicyConfig::Quota(_) => Arc::new(quota::build(route, parts)),
        PolicyConfig::RequestSize(config) => Arc::new(request_size::RequestSize(config)),
        PolicyConfig::Prompt(config) => Arc::new(prompt::Prompt(config)),
        PolicyConfig::PromptGuard(config) => {
            Arc::new(prompt_guard::PromptGuard::new(*config, &findings))
        }
        PolicyConfig::Pii(config) => Arc::new(pii::Pii::new(&config, &findings)),
        PolicyConfig::ExternalGuard(config) => {
            let upstream = parts.upstream(&config.upstream);
            Arc::new(external_guard::ExternalGuard::new(
                config, upstream, &findings,
            ))
        }
    }
}

/// What a policy decides.
pub(crate) enum Verdict {
    /// The request goes on.
    Continue,
    /// The request is answered here.
    Respond(Reply),
}

/// The way a body flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the caller.
    Request,
    /// To the caller.
    Response,
}

/// What a policy sees and may change before the action.
pub(crate) struct RequestCx<'a> {
    /// The request's context.
    pub(crate) request: &'a mut Request,
    /// Its head: what is changed here is what goes upstream.
    pub(crate) head: &'a mut RequestHeader,
}

/// What a policy sees and may change before the answer's head is sent.
pub(crate) struct ResponseCx<'a> {
    /// The request's context.
    pub(crate) request: &'a mut Request,
    /// The request's head, as it was left.
    pub(crate) request_head: &'a RequestHeader,
    /// The answer's head.
    pub(crate) head: &'a mut ResponseHeader,
    /// Whether a body follows that filters see.
    pub(crate) follows: bool,
}

/// What a policy knows when it decides whether to filter a body.
pub(crate) struct FilterCx<'a> {
    /// The request's context.
    pub(crate) request: &'a Request,
    /// The request's head.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for body filters and hooks of policies to come")
    )]
    pub(crate) request_head: &'a RequestHeader,
    /// The answer's head; `None` for the request's direction.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for body filters and hooks of policies to come")
    )]
    pub(crate) response_head: Option<&'a ResponseHeader>,
}

/// One demand on the requests of a route. Built once per snapshot, shared by all its requests.
#[async_trait]
pub(crate) trait Policy: Send + Sync {
    /// Before the action, in order.
    async fn on_request(&self, _cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        Ok(Verdict::Continue)
    }

    /// Before the answer's head is sent, in reverse order.
    async fn on_response(&self, _cx: &mut ResponseCx<'_>) -> Result<Verdict, GatewayError> {
        Ok(Verdict::Continue)
    }

    /// Called once per direction; `None` keeps bodies untouched and unbuffered.
    fn filter(&self, _direction: Direction, _cx: &FilterCx<'_>) -> Option<Box<dyn Filter>> {
        None
    }

    /// What minds the calls of models on its routes; `None` if it does not mind them.
    fn guard(&self) -> Option<&dyn speech::Guard> {
        None
    }

    /// When the request is over, whatever happened to it.
    fn on_finish(&self, _request: &Request) {}
}

/// Sees one direction of one body pass.
pub(crate) trait Filter: Send {
    /// One unit in, any number out.
    fn unit(&mut self, unit: Unit, out: &mut Units) -> Result<(), GatewayError>;

    /// Nothing more is there to come at once: what can go out without it goes.
    fn flush(&mut self, _out: &mut Units) -> Result<(), GatewayError> {
        Ok(())
    }

    /// Some bytes of a plain body in, and out what is to be there instead. The same as
    /// [`Filter::unit`], for who holds nothing back and makes no pieces.
    fn bytes(&mut self, chunk: Bytes) -> Result<Bytes, GatewayError> {
        let mut out = Units::default();
        self.unit(Unit::Bytes(chunk), &mut out)?;
        Ok(out.into_bytes())
    }

    /// The body is over; what was held back goes out.
    fn end(&mut self, _out: &mut Units) -> Result<(), GatewayError> {
        Ok(())
    }
}
