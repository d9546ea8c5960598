//! One finished request, as plain data.
//!
//! The access log, the spans, the metrics and the flight recorder are all
//! derived from this one value, so they cannot disagree. It holds no header,
//! no query and no body, so no secret can reach any of them. Nothing here is
//! formatted: a name is a shared pointer, a time a [`Duration`].

mod attempt;
mod delivery;
mod kafka;
mod llm;
mod reply;
mod rpc;
pub mod websocket;

pub use attempt::{Attempt, NotRetried, Race};
pub use delivery::Delivery;
pub use kafka::{Batch, Kafka};
pub use llm::{Llm, Sampling, Target, Tokens, known_provider};
pub use reply::Reply;
pub use rpc::{Rpc, RpcStatus};

use crate::code::{Code, Fault};
use crate::trace::{Context, RequestId};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The HTTP version the client spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Protocol {
    /// OpenTelemetry's `network.protocol.version`.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// One finished request, whatever happened to it.
#[derive(Clone, Debug)]
pub struct Record {
    /// What the caller was told in `X-Request-Id`.
    pub request_id: RequestId,
    /// The SERVER span of this request: its own id, and its caller's as parent.
    pub trace: Context,
    /// When the first byte of the request's head was read.
    pub started_at: SystemTime,
    /// From then to the last byte written, or to the failure.
    pub duration: Duration,
    /// The part of it spent in the gateway: neither waiting for the client
    /// nor for an upstream.
    pub gateway_time: Duration,
    /// The part of it spent waiting for upstreams: connecting, first byte,
    /// and gaps within bodies, over all attempts.
    pub upstream_wait: Duration,
    /// The listener's name.
    pub listener: Arc<str>,
    /// The HTTP version of the request.
    pub protocol: Protocol,
    /// Whether the client's connection is TLS.
    pub tls: bool,
    /// Who called, after trusted proxies were taken off.
    pub client: IpAddr,
    /// The other end of the socket, where there is one.
    pub peer: Option<SocketAddr>,
    /// The request's method.
    pub method: http::Method,
    /// The request's path as it came, without the query.
    pub path: String,
    /// Whether it had a query, which is not kept.
    pub query: bool,
    /// The request's authority (`name` or `name:port`), without userinfo.
    pub host: String,
    /// `User-Agent`, if sent.
    pub user_agent: Option<String>,
    /// The route's name, once one matched.
    pub route: Option<Arc<str>>,
    /// What the rule that matched asks of a request: host, path, methods and so on.
    pub matched: Option<Arc<str>>,
    /// That rule's pattern of paths, as written: a name for the path of which there are few.
    pub pattern: Option<Arc<str>>,
    /// The team that owns the route, or the consumer's once authenticated.
    pub team: Option<Arc<str>>,
    /// Who the caller proved to be.
    pub consumer: Option<Arc<str>>,
    /// The kind of the route's action (`forward`, `llm`, …); empty before one
    /// was chosen.
    pub action: &'static str,
    /// The status sent, or the one that would have been sent: 499 if the
    /// client left before a head was written.
    pub status: u16,
    /// Why it failed; `None` also for an upstream's own 5xx passed through.
    pub code: Option<Code>,
    /// More about the failure, for operators only; redacted where it is made.
    pub detail: Option<String>,
    /// Bytes of the request's body that were read.
    pub request_bytes: u64,
    /// Bytes of the response's body that were written.
    pub response_bytes: u64,
    /// Every try to have an upstream answer, in order.
    pub attempts: Vec<Attempt>,
    /// Every policy that ran, in order.
    pub policies: Vec<PolicyRun>,
    /// Every quota the request was measured by.
    pub quotas: Vec<QuotaUse>,
    /// What a language model was asked and answered.
    pub llm: Option<Box<Llm>>,
    /// What is known of the remote procedure call that it was.
    pub rpc: Option<Rpc>,
    /// What that calls, as in `/package.Service/Method`, where the path does not say it.
    pub called: Option<Arc<str>>,
    /// What was written to Kafka.
    pub kafka: Option<Box<Kafka>>,
    /// The connection it became.
    pub websocket: Option<Box<websocket::WebSocket>>,
    /// What it was given of a topic, if it subscribed to one.
    pub subscription: Option<Box<Subscription>>,
    /// The reply it was given, if it was replied to in a topic.
    pub reply: Option<Box<Reply>>,
    /// The record of Kafka that it sent to a receiver, of the gateway's own accord.
    pub delivery: Option<Box<Delivery>>,
    /// What was asked in GraphQL.
    pub graphql: Option<Box<Graphql>>,
    /// The revision of the configuration the request was served under.
    pub config_revision: u64,
    /// The response was cut after its head was sent; `code` says why.
    pub aborted: bool,
    /// A WebSocket, a subscription or another stream whose length is the
    /// caller's choice: its duration never counts as slow.
    pub long_lived: bool,
}

/// One policy's part in a request.
#[derive(Clone, Debug)]
pub struct PolicyRun {
    /// The policy's kind, as configured.
    pub kind: &'static str,
    /// The time it took, request and response side together.
    pub took: Duration,
    /// `continue`, `respond`, or the slug of the code it failed with.
    pub verdict: &'static str,
}

/// One quota's part in a request.
#[derive(Clone, Debug)]
pub struct QuotaUse {
    /// The quota's name.
    pub quota: Arc<str>,
    /// `requests`, `tokens`, …
    pub unit: &'static str,
    /// What was set aside before anything went upstream.
    pub reserved: u64,
    /// What was settled in the end.
    pub used: u64,
    /// Where `used` comes from: `provider`, `counted` or `estimated`.
    pub provenance: &'static str,
}

/// What a subscriber was given of a Kafka topic.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The cluster's name in the configuration.
    pub cluster: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The id of the CLIENT span.
    pub span_id: [u8; 8],
    /// When it began to be followed, counted from the request's start.
    pub started: Duration,
    /// How many records.
    pub records: u64,
    /// How many it was behind the end of the topic at last.
    pub lag: u64,
}

/// What was asked in GraphQL.
#[derive(Clone, Debug)]
pub struct Graphql {
    /// `query`, `mutation` or `subscription`; of a batch, its first operation's.
    pub operation_type: &'static str,
    /// The operation's name, if it has one: its caller's word for it, bounded where it is read. Of a
    /// batch, its first operation's.
    pub operation_name: Option<String>,
    /// How many operations the request has.
    pub operations: u64,
    /// What they cost together.
    pub cost: u64,
}

impl Record {
    /// A request that has only begun: status 0, nothing measured, no name
    /// known but the listener's. Whoever finishes it fills in the rest.
    pub fn begin(
        request_id: RequestId,
        trace: Context,
        listener: Arc<str>,
        client: IpAddr,
    ) -> Self {
        Self {
            request_id,
            trace,
            started_at: SystemTime::now(),
            duration: Duration::ZERO,
            gateway_time: Duration::ZERO,
            upstream_wait: Duration::ZERO,
            listener,
            protocol: Protocol::Http11,
            tls: false,
            client,
            peer: None,
            method: http::Method::GET,
            path: String::new(),
            query: false,
            host: String::new(),
            user_agent: None,
            route: None,
            matched: None,
            pattern: None,
            team: None,
            consumer: None,
            action: "",
            status: 0,
            code: None,
            detail: None,
            request_bytes: 0,
            response_bytes: 0,
            attempts: Vec::new(),
            policies: Vec::new(),
            quotas: Vec::new(),
            llm: None,
            rpc: None,
            called: None,
            kafka: None,
            websocket: None,
            subscription: None,
            reply: None,
            delivery: None,
            graphql: None,
            config_revision: 0,
            aborted: false,
            long_lived: false,
        }
    }

    /// The configuration's revision, as people read it.
    pub(crate) fn config_revision(&self) -> Revision {
        Revision(self.config_revision)
    }

    /// The part of it spent waiting for the client: for its body, or for it to read the answer.
    pub fn client_wait(&self) -> Duration {
        self.duration
            .saturating_sub(self.gateway_time)
            .saturating_sub(self.upstream_wait)
    }

    /// Whose fault a failure is; an upstream's own 5xx or status of a call, passed through, is
    /// the upstream's. `None` if nothing failed.
    pub fn fault(&self) -> Option<Fault> {
        match self.error_type()? {
            ErrorType::Code(code) => Some(code.fault()),
            ErrorType::Status(_) | ErrorType::Rpc(_) => Some(Fault::Upstream),
        }
    }

    /// What a remote procedure call calls, as in `package.Service/Method`.
    pub fn rpc_method(&self) -> &str {
        let path = self.called.as_deref().unwrap_or(&self.path);
        path.strip_prefix('/').unwrap_or(path)
    }

    /// How a remote procedure call failed at its server.
    fn rpc_error(&self) -> Option<RpcStatus> {
        self.rpc?.status.filter(|status| status.is_error())
    }

    /// Whether somebody other than the caller should look: a 5xx, also one
    /// that came too late to be sent, a call that failed at its server, or a
    /// response cut by anyone but the client.
    pub fn failed(&self) -> bool {
        self.status >= 500
            || (self.code.is_none() && self.rpc_error().is_some())
            || self.code.is_some_and(|code| code.status() >= 500)
            || (self.aborted && self.code != Some(Code::ClientDisconnected))
    }

    /// Whether it took at least `after` and its length was not the caller's
    /// choice.
    pub fn slow(&self, after: Duration) -> bool {
        !self.long_lived && self.duration >= after
    }

    /// OpenTelemetry's `error.type`: the code's slug, the status of an
    /// upstream's own 5xx, or the name of the status it ended a call with.
    pub fn error_type(&self) -> Option<ErrorType> {
        match self.code {
            Some(code) => Some(ErrorType::Code(code)),
            None if self.status >= 500 => Some(ErrorType::Status(self.status)),
            None => self.rpc_error().map(|status| ErrorType::Rpc(status.name)),
        }
    }
}

/// A revision written as 16 hexadecimal digits: as a number, JSON readers would round it.
pub(crate) struct Revision(pub(crate) u64);

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl serde::Serialize for Revision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `name:port` or `[address]:port` taken apart; without a port, the whole.
pub(crate) fn split_port(authority: &str) -> (&str, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            // A bare IPv6 address has colons of its own.
            Ok(port) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        },
        None => (authority, None),
    };
    let inside = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    (inside.unwrap_or(host), port)
}

/// The value of OpenTelemetry's `error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// One of ours.
    Code(Code),
    /// A status somebody else chose.
    Status(u16),
    /// A status somebody else ended a remote procedure call with.
    Rpc(&'static str),
}

impl std::fmt::Display for ErrorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::Status(status) => status.fmt(f),
            Self::Rpc(name) => f.write_str(name),
        }
    }
}

/// Records for the unit tests of this crate.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use std::net::Ipv4Addr;

    /// A request that went well, without an upstream.
    pub(crate) fn plain(id: &str) -> Record {
        let id = RequestId::from_header(id.as_bytes()).expect("a harmless id");
        let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        Record {
            host: "shop.example.com".into(),
            path: "/orders/7".into(),
            route: Some("orders".into()),
            team: Some("shop".into()),
            action: "forward",
            status: 200,
            duration: Duration::from_millis(12),
            ..Record::begin(id, Context::root(), "public".into(), client)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split_port;

    #[test]
    fn an_authority_comes_apart() {
        for (authority, host, port) in [
            ("shop.example.com", "shop.example.com", None),
            ("shop.example.com:8443", "shop.example.com", Some(8443)),
            ("192.0.2.1:80", "192.0.2.1", Some(80)),
            ("[::1]:80", "::1", Some(80)),
            ("[::1]", "::1", None),
            ("::1", "::1", None),
            ("host:port", "host:port", None),
            ("host:99999", "host:99999", None),
            ("", "", None),
        ] {
            assert_eq!(split_port(authority), (host, port), "{authority}");
        }
    }
}
