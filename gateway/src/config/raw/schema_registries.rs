//! `schema_registries` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::upstreams::Tls;
use super::{Name, SecretRef};
use crate::config::units::Duration;

/// A schema registry that speaks Confluent's REST API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaRegistry {
    /// The name routes refer to.
    pub name: Name,
    /// Where its API begins, as `https://registry.example.com`.
    pub url: String,
    /// What proves to it who asks. Nothing is sent, if not said.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// TLS settings, for a `https` address.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// How long a question may take, with all that the schema refers to.
    #[serde(default = "SchemaRegistry::default_timeout")]
    pub timeout: Duration,
    /// After how long the latest version of a subject is asked for anew.
    #[serde(default = "SchemaRegistry::default_refresh")]
    pub refresh: Duration,
}

impl SchemaRegistry {
    fn default_timeout() -> Duration {
        Duration::from_secs(5)
    }

    fn default_refresh() -> Duration {
        Duration::from_secs(60)
    }
}

/// What proves to a registry who asks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "SchemaRegistryAuth")]
pub enum Auth {
    /// A name and a password, or an API key and its secret.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretRef,
    },
    /// A token.
    Bearer {
        /// The token.
        token: SecretRef,
    },
}
