//! What a user writes: YAML in, a checked [`Config`] or every fault out.
//!
//! The way: text → tree  → `${…}` replaced  →
//! shape  → types as written ([`raw`]) → meaning (one file per
//! section). It knows nothing of sockets, pools or counters: what comes out is
//! plain data that those are built from.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;

mod address;
mod at;
mod check;
pub mod consumers;
pub mod diff;
pub mod fault;
pub mod hosts;
pub mod kafka_clusters;
pub mod kafka_identity;
pub mod listeners;
pub mod llm_workers;
mod load;
pub mod models;
pub mod platform;
pub mod policies;
pub mod prices;
pub mod providers;
pub mod quotas;
pub mod raw;
mod revision;
pub mod routes;
mod schema;
pub mod schema_registries;
pub mod secret;
mod sections;
pub mod servers;
mod shape;
mod snapshot;
mod source;
pub mod stores;
mod substitute;
pub mod telemetry;
pub mod template;
mod tls;
pub mod units;
pub mod upstreams;
pub mod usage_events;
pub mod vertex;
pub mod watched;
pub mod webhooks;

pub use diff::{Change, diff};
pub use fault::{Fault, Faults};
pub use load::{load, parse_str};
pub use schema::schema;
pub use secret::Secret;

/// A checked configuration: every reference in it resolves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where requests are accepted.
    pub listeners: Vec<Arc<listeners::Listener>>,
    /// The read-only address.
    pub metrics: Option<SocketAddr>,
    /// The admin address.
    pub admin: Option<platform::Admin>,
    /// The process.
    pub server: platform::Server,
    /// Traces and access log.
    pub telemetry: telemetry::Telemetry,
    /// Where quotas are counted.
    pub stores: Vec<stores::Store>,
    /// Teams, and what each owns.
    pub teams: Vec<Arc<platform::Team>>,
    /// The topic that tells what every request used.
    pub usage_events: Option<usage_events::UsageEvents>,
    /// Groups of endpoints; providers' own are not among them.
    pub upstreams: Vec<Arc<upstreams::Upstream>>,
    /// Services that answer LLM calls.
    pub providers: Vec<Arc<providers::Provider>>,
    /// The model names callers use.
    pub models: Vec<Arc<models::Model>>,
    /// What models cost.
    pub prices: prices::Prices,
    /// Kafka clusters.
    pub kafka_clusters: Vec<Arc<kafka_clusters::Cluster>>,
    /// Where schemas of records are kept.
    pub schema_registries: Vec<Arc<schema_registries::Registry>>,
    /// Who calls.
    pub consumers: Vec<Arc<consumers::Consumer>>,
    /// Limits on what is used over time.
    pub quotas: Vec<Arc<quotas::Quota>>,
    /// Where records of topics are sent.
    pub webhooks: Vec<Arc<webhooks::Webhook>>,
    /// Topics whose records are prompts.
    pub llm_workers: Vec<Arc<llm_workers::LlmWorker>>,
    /// Routes, in the order written.
    pub routes: Vec<Arc<routes::Route>>,
}

impl Config {
    /// Whether the store of this name is one in which answers of models are kept.
    pub fn keeps_answers(&self, store: &str) -> bool {
        self.routes.iter().any(|route| match &route.action {
            routes::Action::Llm(llm) => llm.cache.as_ref().is_some_and(|cache| cache.is_in(store)),
            _ => false,
        })
    }
}

/// A configuration that was read and found good.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Fault>,
    /// Files and directories that, when they change, call for a reload.
    pub watched: watched::Watched,
    /// SHA-256 of everything that was read, in hexadecimal: equal
    /// configurations have equal revisions.
    pub revision: String,
    /// The configuration as written, secrets masked and `${…}` left as it is.
    pub redacted: Value,
    /// To compare with another.
    tree: snapshot::Tree,
}

#[cfg(test)]
mod tests;
