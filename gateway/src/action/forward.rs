//! `forward`: passes any HTTP to an upstream, upgrades and trailers included.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use http::HeaderValue;
use http::header::{CONTENT_LENGTH, HOST};

use crate::action::template;
use crate::config::template::Template;
use crate::error::GatewayError;
use crate::proxy::head::{self, Length, Target};
use crate::proxy::{Downstream, Request, respond};
use crate::routing::PathRewrite;
use crate::upstream::{self, Body, Call, Upstream};

/// An upstream that requests of the route go to.
pub(crate) struct Backend {
    /// Where requests go.
    pub(crate) upstream: Arc<Upstream>,
    /// What its endpoint is chosen by, where it hashes.
    pub(crate) hash_key: Option<Template>,
}

/// The action.
pub(crate) struct Forward {
    /// At least one.
    pub(crate) backends: Vec<Backend>,
    /// The share of each backend; at least one is not 0.
    pub(crate) weights: Vec<u32>,
    /// What becomes of the path.
    pub(crate) path: PathRewrite,
    /// A new Host.
    pub(crate) host: Option<HeaderValue>,
    /// Counts requests, to share them out by weight.
    pub(crate) turn: AtomicUsize,
}

impl Forward {
    /// Forwards the request and passes on the answer.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let backend = self.pick();
        let path = self.target(request, down);
        let hash_key = backend.hash_key.as_ref().map(|key| {
            template::render(key, &request.captures, down.head())
                .unwrap_or_default()
                .into_bytes()
        });
        let upgrade = head::wants_upgrade(down.head());
        request.record.long_lived = upgrade;
        let deadline = if upgrade {
            // An upgraded connection lasts as long as both sides want; idleness still ends it.
            Instant::now() + ONE_YEAR
        } else {
            Instant::now() + backend.upstream.timeouts.total
        };
        let body = Body::of(down).await?;
        let said =
            down.head().headers.contains_key(CONTENT_LENGTH) && down.request_filters.is_empty();
        let length = match body {
            Body::Stream { .. } if !said => Length::Unknown,
            _ => Length::AsSaid,
        };
        let mut call = Call {
            body,
            hash_key,
            deadline,
        };
        // HTTP/1.0 callers need not name a host; HTTP/1.1 and HTTP/2 upstreams want one.
        let unnamed =
            down.head().uri.authority().is_none() && !down.head().headers.contains_key(HOST);
        let upstream_name = unnamed
            .then(|| HeaderValue::from_str(&backend.upstream.name).ok())
            .flatten();
        let host = self.host.as_ref().or(upstream_name.as_ref());
        let target = Target {
            path: path.as_deref(),
            host,
            upgrade,
            length,
        };
        let as_spelled = backend.upstream.preserves_header_case();
        let answer = upstream::call(
            &backend.upstream,
            request,
            down,
            &mut call,
            |request, down, span| {
                let head = down.head();
                if as_spelled {
                    head::outgoing_as_spelled(request, head, &target, span)
                } else {
                    head::outgoing(request, head, &target, span).into()
                }
            },
        )
        .await?;
        respond::stream(request, down, answer, &mut call.body).await
    }

    fn pick(&self) -> &Backend {
        let index = upstream::pick_weighted(&self.weights, &self.turn);
        &self.backends[index.expect("`check` wants a backend with a weight")]
    }

    /// The path and query that go upstream, where they are not the caller's.
    fn target(&self, request: &Request, down: &Downstream) -> Option<String> {
        let uri = &down.head().uri;
        let normal = request.normal_path.as_deref();
        if self.path == PathRewrite::None && normal.is_none() {
            return None;
        }
        let mut target = normal.unwrap_or(uri.path()).to_owned();
        if let Some(query) = uri.query() {
            target.push('?');
            target.push_str(query);
        }
        Some(self.path.apply(&target, &request.captures).into_owned())
    }
}

const ONE_YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);
