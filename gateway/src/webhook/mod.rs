//! Webhooks: records of Kafka, sent to receivers over HTTP by members of consumer groups.
//!
//! | Module | Knows |
//! |---|---|
//! | `crew` | which members there are, across reloads |
//! | `courier` | what becomes of one record: sent, tried again, held, or given up |
//! | `send` | one call of a receiver |
//! | `message` | what is sent of a record |
//! | `sign` | its signature |
//! | `verdict` | what an answer means |
//! | `dead_letter` | what is kept of a record that was given up |
//!
//! How records are read, and in which order they are handed over, is the business of [`kafka::group`].
//!
//! [`kafka::group`]: crate::kafka::group

mod courier;
mod crew;
mod dead_letter;
mod message;
mod send;
mod sign;
mod verdict;

use std::sync::Arc;

use weir_telemetry::metrics;

pub(crate) use crew::{Crew, Watched};

use crate::config::webhooks as config;
use crate::kafka::Cluster;
use crate::kafka::group::{Order, Plan};
use crate::policy::quota::{Quotas, named};
use crate::proxy::Connection;
use crate::runtime::{Consumer, Parts};
use crate::upstream::Upstream;

/// What stands for a listener where what is told of requests names one.
const LISTENER: &str = "webhooks";

/// One webhook, as this snapshot has it.
pub(crate) struct Webhook {
    config: Arc<config::Webhook>,
    cluster: Arc<Cluster>,
    upstream: Arc<Upstream>,
    quotas: Quotas,
    /// As whom quotas count it.
    consumer: Arc<Consumer>,
    connection: Arc<Connection>,
    metrics: Arc<metrics::Webhook>,
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
        Arc::new(Self {
            cluster: parts.cluster(&config.cluster),
            upstream: parts.upstream(&config.upstream),
            quotas: named(&config.quotas, parts),
            consumer: Arc::new(consumer),
            connection: Connection::none(LISTENER, parts.metrics),
            metrics: parts.metrics.webhook(&config.name, &config.topics),
            config: config.clone(),
        })
    }

    /// Who joins which group for it.
    fn plan(&self) -> Plan {
        Plan {
            group: self.config.group.clone(),
            topics: self.config.topics.clone(),
            from_earliest: self.config.start == config::Start::Earliest,
            order: match self.config.ordering {
                config::Ordering::Key => Order::Key,
                config::Ordering::Partition => Order::Partition,
            },
            in_flight: self.config.max_in_flight,
            patience: self.config.patience,
        }
    }
}
