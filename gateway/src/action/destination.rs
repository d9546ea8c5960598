//! Where a route's requests go: its upstreams by weight, and what changes on the way.
//!
//! It knows heads, not what bodies mean: that is the business of the actions that send through it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use http::HeaderValue;
use http::header::HOST;
use pingora_http::RequestHeader;

use crate::action::template;
use crate::config::routes::destination as config;
use crate::config::template::{Template, Variable};
use crate::config::upstreams::Balance;
use crate::error::GatewayError;
use crate::proxy::head::{self, Length, Target};
use crate::proxy::{Downstream, Request};
use crate::routing::PathRewrite;
use crate::runtime::Parts;
use crate::upstream::{self, Answer, Call, Upstream};

/// An upstream that requests of the route go to.
pub(crate) struct Backend {
    /// Where requests go.
    pub(crate) upstream: Arc<Upstream>,
    /// What its endpoint is chosen by, where it hashes.
    hash_key: Option<Template>,
}

impl Backend {
    /// What this request's endpoint is chosen by, where the upstream hashes.
    pub(crate) fn hash_key(&self, request: &Request, down: &Downstream) -> Option<Vec<u8>> {
        self.hash_key.as_ref().map(|key| {
            template::render(key, &request.captures, down.head())
                .unwrap_or_default()
                .into_bytes()
        })
    }
}

/// Where a route's requests go.
pub(crate) struct Destination {
    /// At least one.
    backends: Vec<Backend>,
    /// The share of each backend; at least one is not 0.
    weights: Vec<u32>,
    /// What becomes of the path.
    path: PathRewrite,
    /// A new Host.
    host: Option<HeaderValue>,
    /// Counts requests, to share them out by weight.
    turn: AtomicUsize,
}

/// What goes upstream of what its caller asks of us, besides the request.
pub(crate) struct Sending {
    /// How long the body is.
    pub(crate) length: Length,
    /// Whether the caller's wish to leave HTTP is passed on.
    pub(crate) upgrade: bool,
    /// Whether its wish to be told before it sends the body is.
    pub(crate) expect: bool,
}

impl Sending {
    /// A request alone, of which all is here.
    pub(crate) const fn request(length: Length) -> Self {
        Sending {
            length,
            upgrade: false,
            expect: false,
        }
    }
}

impl Destination {
    /// Makes one ready from what the configuration says.
    pub(crate) fn build(said: &config::Destination, parts: &Parts<'_>) -> Result<Self, String> {
        let backends: Vec<_> = said
            .backends
            .iter()
            .map(|backend| Backend {
                upstream: parts.upstream(&backend.upstream),
                hash_key: hash_key(&backend.upstream, parts),
            })
            .collect();
        Ok(Destination {
            weights: said.backends.iter().map(|backend| backend.weight).collect(),
            backends,
            path: rewrite(said.path.as_ref())?,
            host: said.host.clone(),
            turn: AtomicUsize::new(0),
        })
    }

    /// The backend whose turn it is.
    pub(crate) fn pick(&self) -> &Backend {
        let index = upstream::pick_weighted(&self.weights, &self.turn);
        &self.backends[index.expect("`check` wants a backend with a weight")]
    }

    /// Sends the request, as the policies left it, to a backend; `edit` has the last word on the head
    /// of each attempt.
    pub(crate) async fn call(
        &self,
        backend: &Backend,
        request: &mut Request,
        down: &mut Downstream,
        call: &mut Call,
        Sending {
            length,
            upgrade,
            expect,
        }: Sending,
        edit: impl Fn(&mut RequestHeader),
    ) -> Result<Answer, GatewayError> {
        let path = self.target(request, down);
        // HTTP/1.0 callers need not name a host; HTTP/1.1 and HTTP/2 upstreams want one.
        let unnamed =
            down.head().uri.authority().is_none() && !down.head().headers.contains_key(HOST);
        let upstream_name = unnamed
            .then(|| HeaderValue::from_str(&backend.upstream.name).ok())
            .flatten();
        let target = Target {
            path: path.as_deref(),
            host: self.host.as_ref().or(upstream_name.as_ref()),
            upgrade,
            length,
            expect,
        };
        let as_spelled = backend.upstream.preserves_header_case();
        upstream::call(
            &backend.upstream,
            request,
            down,
            call,
            |request, down, span| {
                let head = down.head();
                let mut head = if as_spelled {
                    head::outgoing_as_spelled(request, head, &target, span)
                } else {
                    head::outgoing(request, head, &target, span).into()
                };
                if upgrade && backend.upstream.speaks_http2() {
                    head::extend_connect(&mut head);
                }
                edit(&mut head);
                head
            },
        )
        .await
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

/// A rewrite in the router's terms, which keep captures as they were in the path.
fn rewrite(path: Option<&config::PathRewrite>) -> Result<PathRewrite, String> {
    let made = match path {
        None => return Ok(PathRewrite::None),
        Some(config::PathRewrite::StripPrefix(prefix)) => PathRewrite::strip(prefix),
        Some(config::PathRewrite::Replace(path)) => PathRewrite::template(path, &[]),
        Some(config::PathRewrite::Template(template)) => {
            let text = template.render(|variable| match variable {
                Variable::Path(name) => Some(format!("{{{name}}}").into()),
                _ => None,
            });
            let text = text.map_err(|other| format!("a path cannot be made of {other}"))?;
            PathRewrite::template(&text, &[])
        }
    };
    made.map_err(|fault| fault.to_string())
}

fn hash_key(upstream: &str, parts: &Parts<'_>) -> Option<Template> {
    let definition = parts
        .config
        .upstreams
        .iter()
        .find(|u| *u.name == *upstream)?;
    match &definition.balance {
        Balance::ConsistentHash { key } => Some(key.clone()),
        Balance::RoundRobin | Balance::LeastRequests => None,
    }
}
