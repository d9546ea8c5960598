//! `upstreams`, checked.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

pub use super::raw::upstreams::Protocol;

pub(super) mod check;
use super::template::Template;

/// A group of endpoints that answer alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Its name. That of a provider's own upstream is `provider/NAME`.
    pub name: Arc<str>,
    /// At least one, of which at least one has a weight.
    pub endpoints: Vec<Endpoint>,
    /// What is spoken to it.
    pub protocol: Protocol,
    /// TLS, if it is spoken.
    pub tls: Option<Tls>,
    /// How an endpoint is picked.
    pub balance: Balance,
    /// How long each wait may last.
    pub timeouts: Timeouts,
    /// Regular checks.
    pub active: Option<Active>,
    /// Ejection of outliers.
    pub passive: Option<Passive>,
    /// When calls are refused instead of made.
    pub breaker: Breaker,
    /// When a call is tried again.
    pub retries: Retries,
    /// The most connections to one endpoint at once.
    pub max_connections_per_endpoint: Option<usize>,
    /// Whether names of header fields stay as HTTP/1 spelled them.
    pub preserve_header_case: bool,
}

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where it runs.
    pub host: Host,
    /// Its port; never 0.
    pub port: u16,
    /// Its share of calls; 0 takes it out.
    pub weight: u32,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Where an endpoint runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A DNS name, to be resolved again and again.
    Name(Arc<str>),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// TLS towards an upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// The server name asked for and verified; the endpoint's host, if none.
    pub sni: Option<Arc<str>>,
    /// The authorities trusted; the system's, if none.
    pub ca: Option<Arc<[X509]>>,
    /// Whether the certificate and its name are verified.
    pub verify: bool,
    /// What is presented to the upstream.
    pub identity: Option<Arc<Identity>>,
}

/// A certificate presented to an upstream.
#[derive(Debug)]
pub struct Identity {
    /// The chain, leaf first; at least one.
    pub chain: Vec<X509>,
    /// The leaf's private key.
    pub key: PKey<Private>,
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        // The certificate says which key it is for, and `check` saw that they fit.
        self.chain == other.chain && self.key.public_eq(&other.key)
    }
}

/// How an endpoint is picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// The fewest requests in flight for its weight.
    LeastRequests,
    /// The same endpoint for the same key; holds no `{path.…}`.
    ConsistentHash {
        /// What is hashed.
        key: Template,
    },
}

/// How long each wait may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS handshake together.
    pub connect: Duration,
    /// From the request being sent to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub stream_idle: Duration,
    /// The whole call, all attempts included.
    pub total: Duration,
    /// How long an unused connection is kept.
    pub pool_idle: Duration,
}

/// Regular checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// What is checked.
    pub probe: Probe,
    /// Time between two checks of one endpoint.
    pub interval: Duration,
    /// How long one check may take; less than `interval` or equal.
    pub timeout: Duration,
    /// Good checks in a row until an endpoint is used again.
    pub healthy_after: u32,
    /// Bad checks in a row until an endpoint is left out.
    pub unhealthy_after: u32,
}

/// What a regular check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A GET that has to be answered with 2xx.
    Http {
        /// Origin-form target.
        path: Arc<str>,
        /// The Host sent; the endpoint's, if none.
        host: Option<Arc<str>>,
    },
    /// A call of `grpc.health.v1.Health/Check` that has to be answered with SERVING.
    Grpc {
        /// The service asked about; the server as a whole, if empty.
        service: Arc<str>,
        /// The authority sent; the endpoint's, if none.
        host: Option<Arc<str>>,
    },
    /// A connection that has to be accepted.
    Tcp,
}

/// Ejection of outliers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passive {
    /// Failures in a row that eject an endpoint; at least 1.
    pub failures: u32,
    /// How long it stays ejected.
    pub eject_for: Duration,
    /// The share of endpoints that may be ejected at once, from 0 to 100.
    pub max_ejected_percent: u8,
}

/// When calls are refused instead of made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// The most calls at once.
    pub max_in_flight: Option<usize>,
    /// When failures open it.
    pub errors: Option<ErrorRate>,
}

/// The share of failures that opens a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRate {
    /// Failed calls of a hundred, from 1 to 100.
    pub percent: u8,
    /// Calls within `window` below which it stays closed; at least 1.
    pub minimum_requests: u32,
    /// Over what time calls are counted.
    pub window: Duration,
    /// How long it refuses before it lets one call try.
    pub open_for: Duration,
}

/// When a call is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Attempts after the first.
    pub max: u32,
    /// The share retries may add to the calls, from 0 to 100.
    pub budget_percent: u8,
}

impl Tls {
    /// The system's authorities, and the endpoint's own name.
    pub(super) fn verified() -> Self {
        Self {
            sni: None,
            ca: None,
            verify: true,
            identity: None,
        }
    }
}
