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

/// Where quotas are counted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The name quotas refer to.
    pub name: Name,
    /// `memory`: counted in this process, forgotten when it restarts.
    pub kind: StoreKind,
}

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// Counted in this process, forgotten when it restarts.
    Memory,
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
