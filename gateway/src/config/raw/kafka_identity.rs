//! `kafka_clusters[].identity` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::{Duration, Setting};

/// Who the gateway is to a cluster when it acts for a caller.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Identity {
    /// Itself, for every caller: the brokers see one principal.
    #[default]
    Gateway,
    /// The caller: each has credentials of its own or its team's, and the brokers' ACLs decide. Who has
    /// none is refused.
    Principals {
        /// How many principals may be connected at once. Of those nobody uses, the one that was used
        /// longest ago makes room.
        #[serde(default = "Identity::default_max")]
        #[schemars(range(min = 1, max = 1000))]
        max: usize,
        /// After how long without use a principal's connections are closed.
        #[serde(default = "Identity::default_idle")]
        idle: Duration,
        /// The credentials.
        #[schemars(length(min = 1))]
        principals: Vec<Principal>,
    },
    /// Itself, and only for callers whom a rule lets do what they ask. Who is in no rule is refused.
    Acls {
        /// Who may do what; what one of them allows is allowed.
        #[schemars(length(min = 1))]
        rules: Vec<Rule>,
    },
}

/// The credentials of some callers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// Of these consumers.
    #[serde(default)]
    pub consumers: Vec<Name>,
    /// Of the consumers of these teams that have none of their own.
    #[serde(default)]
    pub teams: Vec<Name>,
    /// librdkafka's settings, those of credentials only: `sasl.mechanism`, `sasl.username`,
    /// `sasl.password` and `ssl.*` of a client's certificate and key.
    #[serde(default)]
    pub properties: BTreeMap<String, Setting>,
    /// A file with a token (JWT) for OAUTHBEARER, read anew whenever one is needed.
    #[serde(default)]
    pub token_file: Option<String>,
}

/// What some callers may do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// These consumers.
    #[serde(default)]
    pub consumers: Vec<Name>,
    /// The consumers of these teams.
    #[serde(default)]
    pub teams: Vec<Name>,
    /// The consumers in these groups.
    #[serde(default)]
    pub groups: Vec<Name>,
    /// With these topics: exact, or beginning so if it ends in `*`.
    #[schemars(length(min = 1))]
    pub topics: Vec<String>,
    /// They may do this.
    #[schemars(length(min = 1))]
    pub operations: Vec<Operation>,
}

/// What is done with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Its records are given out.
    Read,
    /// Records are put into it.
    Write,
}

impl Identity {
    const fn default_max() -> usize {
        50
    }

    fn default_idle() -> Duration {
        Duration::from_secs(300)
    }
}
