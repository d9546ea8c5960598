//! `providers` as written: services that answer LLM calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::upstreams::{Breaker, Timeouts, Tls};
use super::{Name, SecretRef};
pub use crate::config::servers::Server;
use crate::config::units::{Duration, Percent};

/// A service that answers LLM calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name models refer to; a label of metrics.
    pub name: Name,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where its API begins, as `https://api.openai.com/v1`. May be left out where `server` or
    /// `vertex` has a public address.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Which server it is, of those that speak OpenAI's dialect each in its own way. Else the host of
    /// `base_url` says, or it is taken to know what most do.
    #[serde(default)]
    pub server: Option<Server>,
    /// The key sent to it. None is sent, if not said.
    #[serde(default)]
    pub api_key: Option<SecretRef>,
    /// Several keys, used in turn. One that is refused or limited is set aside alone, and the call
    /// goes on with the next. Instead of `api_key`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub api_keys: Vec<SecretRef>,
    /// It is Azure OpenAI: the paths and the key are as Azure wants them. `base_url` is the
    /// resource's, as `https://NAME.openai.azure.com`.
    #[serde(default)]
    pub azure: Option<Azure>,
    /// It is Vertex AI, with models of Gemini's.
    #[serde(default)]
    pub vertex: Option<Vertex>,
    /// What signs calls of Bedrock. Instead of a key.
    #[serde(default)]
    pub aws: Option<Aws>,
    /// TLS settings, for a `https` address.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// How long each wait may last.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// When calls are refused instead of made.
    #[serde(default)]
    pub breaker: Breaker,
    /// When a call is tried again.
    #[serde(default)]
    pub retries: Retries,
}

/// When a call of a provider is tried again: after 408, 429, 5xx and where the network failed, once
/// no other target is left to ask.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ProviderRetries")]
pub struct Retries {
    /// Attempts after the first. Those by another key do not count.
    #[schemars(range(max = 10))]
    pub max: u32,
    /// Retries may add at most this share to the calls of the provider.
    pub budget_percent: Percent,
    /// A `Retry-After` up to this is waited for. A longer one is told to the caller at once.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            max: 1,
            budget_percent: Percent(20),
            longest_wait: Duration::from_secs(2),
        }
    }
}

/// Azure OpenAI.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Azure {
    /// The version of its API, as `2024-10-21`; `v1` has the Responses API too. A target's `model`
    /// is the deployment.
    pub api_version: String,
}

/// Vertex AI.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vertex {
    /// The project's id.
    pub project: String,
    /// Where the models run, as `europe-west4` or `global`.
    pub location: String,
    /// What proves who calls. Instead of a key.
    pub credentials: Credentials,
}

/// What proves to Vertex AI who calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Credentials {
    /// A service account.
    ServiceAccount {
        /// The JSON file of its key, as Google makes it.
        key: SecretRef,
    },
    /// The account of the machine that Weir runs on.
    Metadata {
        /// The address of the metadata server.
        #[serde(default = "Credentials::default_address")]
        address: String,
    },
}

impl Credentials {
    fn default_address() -> String {
        "http://metadata.google.internal".to_owned()
    }
}

/// What signs calls of Bedrock.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// The region, as `eu-central-1`.
    pub region: String,
    /// The access key's id.
    pub access_key_id: SecretRef,
    /// The access key itself.
    pub secret_access_key: SecretRef,
    /// The token of a session, for keys that last for one.
    #[serde(default)]
    pub session_token: Option<SecretRef>,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's chat completions, as most servers of open models speak it.
    Openai,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
    /// Bedrock's `Converse`.
    Bedrock,
}
