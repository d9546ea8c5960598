//! The configuration as written: one file per section, shapes only.
//!
//! Every type here is read by serde and described by schemars; what the doc
//! comments say becomes the reference in `docs/configuration.md`. Nothing here
//! knows whether a name exists or an address is free: that is the business of
//! the checked sections beside this folder.

use schemars::JsonSchema;
use serde::Deserialize;

pub mod cache;
pub mod compose;
pub mod consumers;
pub mod graphql;
pub mod grpc;
pub mod grpc_method;
pub mod guardrails;
pub mod idempotency;
pub mod kafka_clusters;
pub mod kafka_identity;
pub mod listeners;
pub mod llm;
pub mod llm_workers;
pub mod models;
pub mod platform;
pub mod policies;
pub mod prices;
pub mod prompt;
pub mod providers;
pub mod publish;
pub mod quotas;
pub mod request_reply;
pub mod routes;
pub mod schema;
pub mod schema_registries;
pub mod subscribe;
pub mod table;
pub mod telemetry;
pub mod upstreams;
pub mod usage_events;
pub mod webhooks;
pub mod websocket;

/// A whole configuration: one file, or the merge of a directory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Configuration")]
pub struct Document {
    /// The version of this format; always 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Names the team this file belongs to: everything in it is the team's,
    /// and platform sections are refused in it. Only for files of a directory.
    #[serde(default)]
    pub team: Option<Name>,
    /// Where the gateway accepts requests. Platform section.
    #[serde(default)]
    pub listeners: Vec<listeners::Listener>,
    /// The read-only address: `/metrics`, `/healthz`, `/readyz`. Platform section.
    #[serde(default)]
    pub metrics: Option<platform::Metrics>,
    /// The admin address. Platform section.
    #[serde(default)]
    pub admin: Option<platform::Admin>,
    /// The process: threads, directories, shutdown. Platform section.
    #[serde(default)]
    pub server: Option<platform::Server>,
    /// Traces and access log. Platform section.
    #[serde(default)]
    pub telemetry: Option<telemetry::Telemetry>,
    /// Values that never leave the process; others name them. Platform section.
    #[serde(default)]
    pub secrets: Vec<platform::Secret>,
    /// Where quotas are counted, and where answers of models are kept. Platform section.
    #[serde(default)]
    pub stores: Vec<platform::Store>,
    /// Teams, and what each owns. Platform section.
    #[serde(default)]
    pub teams: Vec<platform::Team>,
    /// Policies that every route gets. Platform section.
    #[serde(default)]
    pub policies: Option<policies::Policies>,
    /// What models cost, for quotas of money. Platform section.
    #[serde(default)]
    pub prices: Option<prices::Prices>,
    /// The topic that tells what every request used. Platform section.
    #[serde(default)]
    pub usage_events: Option<usage_events::UsageEvents>,
    /// Groups of endpoints that requests are forwarded to.
    #[serde(default)]
    pub upstreams: Vec<upstreams::Upstream>,
    /// Services that answer LLM calls.
    #[serde(default)]
    pub providers: Vec<providers::Provider>,
    /// The model names callers use.
    #[serde(default)]
    pub models: Vec<models::Model>,
    /// Kafka clusters that routes publish to.
    #[serde(default)]
    pub kafka_clusters: Vec<kafka_clusters::KafkaCluster>,
    /// Where schemas of records are kept.
    #[serde(default)]
    pub schema_registries: Vec<schema_registries::SchemaRegistry>,
    /// Who calls, and how they prove it.
    #[serde(default)]
    pub consumers: Vec<consumers::Consumer>,
    /// Limits on what is used over time.
    #[serde(default)]
    pub quotas: Vec<quotas::Quota>,
    /// Where the records of topics are sent over HTTP.
    #[serde(default)]
    pub webhooks: Vec<webhooks::Webhook>,
    /// Topics whose records are prompts, and where their answers go.
    #[serde(default)]
    pub llm_workers: Vec<llm_workers::LlmWorker>,
    /// What is matched, which policies apply, and the one action taken.
    #[serde(default)]
    pub routes: Vec<routes::Route>,
}

/// A name others refer to: letters, digits, `.`, `_` and `-`, at most 63,
/// beginning with a letter or digit.
pub type Name = super::units::Name;

/// A reference to an entry of `secrets`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The name of an entry of `secrets`.
    pub secret: Name,
}
