//! `kafka_clusters` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::kafka_identity::Identity;
use super::{Name, SecretRef};
use crate::config::units::{Duration, Setting, Size};

/// A Kafka cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaCluster {
    /// The name routes refer to.
    pub name: Name,
    /// Brokers asked first, as `broker:9092`.
    #[schemars(length(min = 1))]
    pub bootstrap_servers: Vec<String>,
    /// librdkafka's settings: text, number, `true`/`false`, or `{ secret: NAME }`.
    /// Those that Weir's promises rest on are refused.
    #[serde(default)]
    pub properties: BTreeMap<String, Setting>,
    /// A file with a token (JWT) for OAUTHBEARER, read anew whenever one is needed.
    #[serde(default)]
    pub token_file: Option<String>,
    /// Who the gateway is to the cluster when it acts for a caller.
    #[serde(default)]
    pub identity: Identity,
    /// From a record being taken to it being acknowledged or given up.
    #[serde(default = "KafkaCluster::default_delivery_timeout")]
    pub delivery_timeout: Duration,
    /// What cursors are signed with that subscribers of its topics are given: the first signs, and those
    /// signed by any of them are believed, so that one can be replaced. All gateways that the same
    /// subscribers come to need the same. If it is not said, a key of this gateway's own, which is kept
    /// in its `data_dir`.
    #[serde(default)]
    pub cursor_keys: Vec<SecretRef>,
    /// How many subscribers may read at once what was written before now; others wait for their turn.
    /// Each takes a client of its own and up to 2 MiB.
    #[serde(default = "KafkaCluster::default_max_catching_up")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_catching_up: usize,
    /// Keeps records on disk until brokers have them, for routes that publish `async`.
    #[serde(default)]
    pub spool: Option<Spool>,
}

/// Records on disk, in `server.data_dir`, that the cluster still has to take.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    /// How much of the disk the records that wait may take up, at least 1MiB; a quarter more is for
    /// those that brokers refuse.
    #[serde(default = "Spool::default_max_size")]
    pub max_size: Size,
}

impl Spool {
    fn default_max_size() -> Size {
        Size::kib(1 << 20)
    }
}

impl KafkaCluster {
    fn default_delivery_timeout() -> Duration {
        Duration::from_secs(30)
    }

    const fn default_max_catching_up() -> usize {
        16
    }
}
