//! `listeners` as written: addresses, certificates and connection limits.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::{Address, Duration, Size};

/// One address on which requests are accepted: HTTP/1.1 and HTTP/2, in the
/// clear (h2c) or, with `tls`, negotiated by ALPN.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The name routes refer to.
    pub name: Name,
    /// IP address and port, as `127.0.0.1:8080` or `[::]:8080`. Port 0 takes a free one.
    pub address: Address,
    /// Terminates TLS. Without it the listener speaks in the clear.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// HTTP/2 settings.
    #[serde(default)]
    pub http2: Http2,
    /// What one connection may cost.
    #[serde(default)]
    pub limits: Limits,
}

/// TLS of a listener.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerTls")]
pub struct Tls {
    /// The certificates, chosen by the server name a client asks for (SNI).
    /// The first also serves clients that name none.
    #[schemars(length(min = 1))]
    pub certificates: Vec<Certificate>,
    /// PEM file of the authorities that sign client certificates. When set,
    /// every client has to present one.
    #[serde(default)]
    pub client_ca: Option<String>,
}

/// A certificate chain with its key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// PEM file of the chain, leaf first. Watched for changes.
    pub cert: String,
    /// PEM file of the private key. Watched for changes.
    pub key: String,
    /// The server names it is used for, exact or `*.example.com`. Those named
    /// in the certificate, if not said.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// HTTP/2 settings of a listener.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http2 {
    /// How many streams a client may have open on one connection.
    #[schemars(range(min = 1, max = 10000))]
    pub max_concurrent_streams: u32,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
        }
    }
}

/// What one connection, and all of them together, may cost.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ListenerLimits")]
pub struct Limits {
    /// From the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// The longest request head, request line included.
    pub max_head_bytes: Size,
    /// The most header fields in a request.
    #[schemars(range(min = 1, max = 256))]
    pub max_fields: u32,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// The most connections at once; no limit, if not said.
    #[schemars(range(min = 1))]
    pub max_connections: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            max_head_bytes: Size::kib(64),
            max_fields: 100,
            idle_timeout: Duration::from_secs(60),
            max_connections: None,
        }
    }
}
