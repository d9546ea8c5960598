//! Webhooks: records of Kafka, sent to receivers over HTTP by members of consumer groups.
//!
//! | Module | Knows |
//! |---|---|
//! | `courier` | how one record is sent, once |
//! | `send` | one call of a receiver |
//! | `message` | what is sent of a record |
//! | `decode` | what its value is, where a schema says that |
//! | `sign` | its signature |
//! | `verdict` | what an answer means |
//!
//! How records are read, and what becomes of those that were not sent, is the business of
//! [`workers`](crate::workers).

mod courier;
mod decode;
mod message;
mod send;
mod sign;
mod verdict;

use std::sync::Arc;

use weir_telemetry::metrics::worker::Kind;

use crate::config::webhooks as config;
use crate::kafka::group::{Order, Plan};
use crate::policy::quota::{Quotas, named};
use crate::proxy::Connection;
use crate::runtime::{Consumer, Parts};
use crate::schema::Values;
use crate::upstream::Upstream;
use crate::workers::Reader;

/// What stands for a listener where what is told of requests names one.
const LISTENER: &str = "webhooks";

/// One webhook, as this snapshot has it.
pub(crate) struct Webhook {
    config: Arc<config::Webhook>,
    reader: Reader,
    upstream: Arc<Upstream>,
    /// What values are, where they are not sent as they are.
    values: Option<Values>,
    quotas: Quotas,
    /// As whom quotas count it.
    consumer: Arc<Consumer>,
    connection: Arc<Connection>,
}

impl Webhook {
    /// Makes one ready.
    pub(crate) fn build(config: &Arc<config::Webhook>, parts: &Parts<'_>) -> Arc<Self> {
        let consumer = Consumer {
            // No consumer is called so: names have no slash.
            name: format!("webhook/{}", config.name).into(),
            team: config.team.clone(),
            groups: Vec::new(),
            keys: Vec::new(),
        };
        let kind = Kind::Webhook;
        Arc::new(Self {
            reader: Reader {
                kind,
                name: config.name.clone(),
                team: config.team.clone(),
                cluster_name: config.cluster.clone(),
                cluster: parts.cluster(&config.cluster),
                plan: plan(config),
                retries: config.retries,
                dead_letter: config.dead_letter.clone(),
                metrics: parts.metrics.worker(kind, &config.name, &config.topics),
            },
            upstream: parts.upstream(&config.upstream),
            values: config.schema.as_ref().map(|schema| parts.values(schema)),
            quotas: named(&config.quotas, parts),
            consumer: Arc::new(consumer),
            connection: Connection::none(LISTENER, parts.metrics),
            config: config.clone(),
        })
    }
}

/// Who joins which group for it.
fn plan(config: &config::Webhook) -> Plan {
    Plan {
        group: config.group.clone(),
        topics: config.topics.clone(),
        from_earliest: config.start == config::Start::Earliest,
        order: Order::from(config.ordering),
        in_flight: config.max_in_flight,
        patience: config.patience,
    }
}
