//! `upstreams` as written: endpoints and how they are called.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
use crate::config::units::{Duration, Percent};

/// A group of endpoints that answer alike.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The name backends refer to; a label of metrics.
    pub name: Name,
    /// Where it runs.
    #[schemars(length(min = 1))]
    pub endpoints: Vec<Endpoint>,
    /// What is spoken to it.
    #[serde(default)]
    pub protocol: Protocol,
    /// Speaks TLS to it.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// How an endpoint is picked.
    #[serde(default)]
    pub balance: Balance,
    /// How long each wait may last.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How broken endpoints are noticed.
    #[serde(default)]
    pub health: Health,
    /// When calls are refused instead of made.
    #[serde(default)]
    pub breaker: Breaker,
    /// When a call is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// How many connections are kept.
    #[serde(default)]
    pub connections: Connections,
    /// Passes names of header fields, both ways, as HTTP/1 spelled them: for old servers and
    /// callers that look. Names mean the same in any case, and other than this go in small letters.
    #[serde(default)]
    pub preserve_header_case: bool,
}

/// One address of an upstream.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Host or IP address, and port, as `orders.internal:9001`. Names are resolved again and again.
    pub address: String,
    /// Its share of calls, relative to the others. 0 takes it out.
    #[serde(default = "Endpoint::default_weight")]
    #[schemars(range(max = 10000))]
    pub weight: u32,
}

impl Endpoint {
    pub(crate) fn default_weight() -> u32 {
        1
    }
}

/// What is spoken to an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN over TLS, with prior knowledge in the clear.
    Http2,
}

/// TLS towards an upstream.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "UpstreamTls")]
pub struct Tls {
    /// The server name asked for and verified; the endpoint's host, if not said.
    pub sni: Option<String>,
    /// PEM file of the authorities trusted; the system's, if not said.
    pub ca: Option<String>,
    /// Verifies the certificate and its name. Turn off only to find a fault.
    pub verify: bool,
    /// PEM file of the certificate presented to the upstream.
    pub client_cert: Option<String>,
    /// PEM file of its key.
    pub client_key: Option<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            sni: None,
            ca: None,
            verify: true,
            client_cert: None,
            client_key: None,
        }
    }
}

/// How an endpoint is picked.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// The endpoint with the fewest requests in flight for its weight.
    LeastRequests,
    /// The same endpoint for the same key, as long as it is healthy.
    ConsistentHash {
        /// What is hashed, as `{header.x-user}` or `{query.session}`. Requests
        /// without it are spread in turn.
        key: String,
    },
}

/// How long each wait may last.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS handshake together.
    pub connect: Duration,
    /// From the request being sent to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub stream_idle: Duration,
    /// The whole call, all attempts included.
    pub total: Duration,
    /// How long an unused connection is kept. It is not used any more shortly before its endpoint closes it, where
    /// the endpoint says when (`Keep-Alive: timeout=…`) or that was learnt.
    pub pool_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(30),
            stream_idle: Duration::from_secs(60),
            total: Duration::from_secs(300),
            pool_idle: Duration::from_secs(60),
        }
    }
}

/// How broken endpoints are noticed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Asks endpoints regularly. Without it they count as healthy until `passive` says otherwise.
    pub active: Option<Active>,
    /// Watches real answers. Without it no endpoint is ejected.
    pub passive: Option<Passive>,
}

/// Regular checks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Active {
    /// A GET that has to be answered with 2xx.
    Http {
        /// The path asked for.
        path: String,
        /// The Host sent; the endpoint's, if not said.
        #[serde(default)]
        host: Option<String>,
        /// Time between two checks of one endpoint.
        #[serde(default = "probe::interval")]
        interval: Duration,
        /// How long one check may take.
        #[serde(default = "probe::timeout")]
        timeout: Duration,
        /// Good checks in a row until an endpoint is used again.
        #[serde(default = "probe::healthy_after")]
        #[schemars(range(min = 1, max = 100))]
        healthy_after: u32,
        /// Bad checks in a row until an endpoint is left out.
        #[serde(default = "probe::unhealthy_after")]
        #[schemars(range(min = 1, max = 100))]
        unhealthy_after: u32,
    },
    /// A gRPC call, `grpc.health.v1.Health/Check`, that has to be answered with SERVING. For
    /// upstreams that speak `http2`.
    Grpc {
        /// The service asked about; the server as a whole, if not said.
        #[serde(default)]
        service: String,
        /// The authority sent; the endpoint's, if not said.
        #[serde(default)]
        host: Option<String>,
        /// Time between two checks of one endpoint.
        #[serde(default = "probe::interval")]
        interval: Duration,
        /// How long one check may take.
        #[serde(default = "probe::timeout")]
        timeout: Duration,
        /// Good checks in a row until an endpoint is used again.
        #[serde(default = "probe::healthy_after")]
        #[schemars(range(min = 1, max = 100))]
        healthy_after: u32,
        /// Bad checks in a row until an endpoint is left out.
        #[serde(default = "probe::unhealthy_after")]
        #[schemars(range(min = 1, max = 100))]
        unhealthy_after: u32,
    },
    /// A connection that has to be accepted.
    Tcp {
        /// Time between two checks of one endpoint.
        #[serde(default = "probe::interval")]
        interval: Duration,
        /// How long one check may take.
        #[serde(default = "probe::timeout")]
        timeout: Duration,
        /// Good checks in a row until an endpoint is used again.
        #[serde(default = "probe::healthy_after")]
        #[schemars(range(min = 1, max = 100))]
        healthy_after: u32,
        /// Bad checks in a row until an endpoint is left out.
        #[serde(default = "probe::unhealthy_after")]
        #[schemars(range(min = 1, max = 100))]
        unhealthy_after: u32,
    },
}

/// Defaults of active checks.
mod probe {
    use crate::config::units::Duration;

    pub(super) fn interval() -> Duration {
        Duration::from_secs(5)
    }
    pub(super) fn timeout() -> Duration {
        Duration::from_secs(1)
    }
    pub(super) fn healthy_after() -> u32 {
        2
    }
    pub(super) fn unhealthy_after() -> u32 {
        3
    }
}

/// Ejection of outliers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Passive {
    /// Failures in a row (5xx, refused, broken, late) that eject an endpoint.
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// How long it stays ejected.
    pub eject_for: Duration,
    /// The share of endpoints that may be ejected at once.
    pub max_ejected_percent: Percent,
}

impl Default for Passive {
    fn default() -> Self {
        Self {
            failures: 5,
            eject_for: Duration::from_secs(30),
            max_ejected_percent: Percent(50),
        }
    }
}

/// When calls are refused instead of made.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// The most calls at once; no limit, if not said.
    #[schemars(range(min = 1))]
    pub max_in_flight: Option<u32>,
    /// Opens when this share of calls within `window` failed; never, if not said.
    pub error_percent: Option<Percent>,
    /// Calls within `window` below which it does not open.
    #[schemars(range(min = 1))]
    pub minimum_requests: u32,
    /// Over what time calls are counted.
    pub window: Duration,
    /// How long it refuses before it lets one call try.
    pub open_for: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            max_in_flight: None,
            error_percent: None,
            minimum_requests: 20,
            window: Duration::from_secs(10),
            open_for: Duration::from_secs(5),
        }
    }
}

/// When a call is tried again: only where a replay is provably safe.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// Attempts after the first.
    #[schemars(range(max = 10))]
    pub max: u32,
    /// Retries may add at most this share to the calls of the upstream.
    pub budget_percent: Percent,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            max: 1,
            budget_percent: Percent(20),
        }
    }
}

/// How many connections are made.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// The most connections to one endpoint at once; no limit, if not said.
    #[schemars(range(min = 1))]
    pub max_per_endpoint: Option<u32>,
}
