//! The small platform sections as written: `metrics`, `admin`, `server`,
//! `secrets`, `stores`, `teams`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Name, SecretRef};
use crate::config::secret;
use crate::config::units::{Address, Duration};

/// The read-only address: `/metrics`, `/healthz`, `/readyz`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// IP address and port.
    pub address: Address,
}

/// The admin address: configuration, requests recorded, and the rest.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// IP address and port.
    pub address: Address,
    /// The bearer token callers present. Required unless the address is loopback.
    #[serde(default)]
    pub token: Option<SecretRef>,
}

/// The process.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Threads that carry requests; one per core, if not said.
    #[schemars(range(min = 1, max = 1024))]
    pub worker_threads: Option<u32>,
    /// Directory for what outlives the process and for the upgrade socket,
    /// relative to the configuration.
    pub data_dir: String,
    /// How long open requests may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// Networks whose `Forwarded` and `X-Forwarded-For` are believed, as `10.0.0.0/8`.
    pub trusted_proxies: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            worker_threads: None,
            data_dir: "./data".to_owned(),
            drain_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
        }
    }
}

/// A value that never leaves the process.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The name others refer to.
    pub name: Name,
    /// The value, usually `${VAR}` or `${file:PATH}`. Never printed.
    pub value: secret::Secret,
}

/// Where quotas are counted, or answers of models kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Store {
    /// Counted in this process, and forgotten when it restarts.
    Memory {
        /// The name quotas refer to.
        name: Name,
    },
    /// Counted in a file of `server.data_dir`, which outlives restarts and is handed over on an
    /// upgrade. For one gateway; several need `redis`.
    Local {
        /// The name quotas refer to.
        name: Name,
    },
    /// Counted in Redis 7 or Valkey, by all gateways of a fleet together. Or answers of models are kept
    /// there: an entry serves one or the other.
    Redis(Box<Redis>),
}

impl Store {
    /// The name quotas refer to.
    pub fn name(&self) -> &Name {
        match self {
            Self::Memory { name } | Self::Local { name } => name,
            Self::Redis(redis) => &redis.name,
        }
    }
}

/// A store in Redis.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RedisStore")]
pub struct Redis {
    /// The name quotas refer to.
    pub name: Name,
    /// `HOST:PORT` of the server; of one or more sentinels; of one or more nodes of the cluster.
    pub addresses: Vec<String>,
    /// How the servers work together.
    #[serde(default)]
    pub topology: Topology,
    /// The number of the database; only 0 in a cluster.
    #[serde(default)]
    pub database: u8,
    /// The user of Redis' access control list.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Speaks TLS, and to whom.
    #[serde(default)]
    pub tls: Option<RedisTls>,
    /// What keys begin with; fleets that share a server need different ones.
    #[serde(default = "prefix")]
    pub prefix: Name,
    /// How long a decision waits for the store at most.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// How long a gateway may be silent before its leases are taken to be lost.
    #[serde(default = "lease")]
    pub lease: Duration,
}

fn prefix() -> Name {
    crate::config::units::Name("weir".to_owned())
}

const fn timeout() -> Duration {
    Duration(std::time::Duration::from_millis(100))
}

const fn lease() -> Duration {
    Duration(std::time::Duration::from_secs(10))
}

/// How the servers work together.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "RedisTopology")]
pub enum Topology {
    /// One server.
    #[default]
    Standalone,
    /// Sentinels know which of several is the master.
    Sentinel {
        /// What they call it.
        master: String,
        /// The user of the sentinels' own access control list.
        #[serde(default)]
        username: Option<String>,
        /// The password that the sentinels themselves ask for.
        #[serde(default)]
        password: Option<SecretRef>,
    },
    /// Redis Cluster: keys are spread over masters.
    Cluster,
}

/// TLS to Redis.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisTls {
    /// PEM file of the authorities trusted; the system's, if not said.
    pub ca: Option<String>,
    /// PEM file of the certificate presented.
    pub client_cert: Option<String>,
    /// PEM file of its key.
    pub client_key: Option<String>,
}

/// A team, and what it owns.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// The name routes and consumers refer to; a label of metrics.
    pub name: Name,
    /// The organisation it belongs to.
    #[serde(default)]
    pub organisation: Option<Name>,
    /// What its routes may use.
    #[serde(default)]
    pub owns: Owns,
}

/// What a team owns. Its routes match only these hosts and paths, publish only
/// to these topics, and its providers name only these secrets.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Owns {
    /// Hosts, exact or `*.example.com`. Any, if empty.
    pub hosts: Vec<String>,
    /// Path prefixes, by whole segments. Any, if empty.
    pub paths: Vec<String>,
    /// Kafka topics, exact or ending in `*`. None, if empty.
    pub topics: Vec<String>,
    /// Names of `secrets`. None, if empty.
    pub secrets: Vec<Name>,
}
