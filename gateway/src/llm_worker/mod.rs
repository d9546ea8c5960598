//! LLM workers: prompts of Kafka that a route of models answers, and completions that are written back.
//!
//! | Module | Knows |
//! |---|---|
//! | `ask` | how a prompt goes the way of its route, and what follows of the answer |
//! | `verdict` | what an answer means, or an error |
//! | `completion` | the record that an answer becomes |
//!
//! How prompts are read, and what becomes of those that got no answer, is the business of
//! [`workers`](crate::workers). It knows no model: what a route does with a prompt is the route's.

mod ask;
mod completion;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;

use weir_telemetry::metrics::worker::Kind;

use crate::config::llm_workers as config;
use crate::kafka::group::{Order, Plan};
use crate::proxy::Connection;
use crate::runtime::{Consumer, Parts, Route};
use crate::workers::Reader;

/// What stands for a listener where what is told of requests names one.
const LISTENER: &str = "llm_workers";

/// One worker, as this snapshot has it.
pub(crate) struct LlmWorker {
    config: Arc<config::LlmWorker>,
    reader: Reader,
    route: Arc<Route>,
    /// All of them, by name.
    consumers: HashMap<Arc<str>, Arc<Consumer>>,
    connection: Arc<Connection>,
}

impl LlmWorker {
    /// Makes one ready; `routes` are those of its snapshot.
    pub(crate) fn build(
        config: &Arc<config::LlmWorker>,
        parts: &Parts<'_>,
        routes: &[Arc<Route>],
    ) -> Arc<Self> {
        let route = routes.iter().find(|route| route.name == config.route);
        let consumers = parts.config.consumers.iter();
        let kind = Kind::LlmWorker;
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
            route: route.expect("`check` resolved every route").clone(),
            consumers: consumers
                .map(|consumer| (consumer.name.clone(), consumer.clone()))
                .collect(),
            connection: Connection::none(LISTENER, parts.metrics),
            config: config.clone(),
        })
    }
}

/// Who joins which group for it.
fn plan(config: &config::LlmWorker) -> Plan {
    Plan {
        group: config.group.clone(),
        topics: config.topics.clone(),
        from_earliest: config.start == config::Start::Earliest,
        order: Order::from(config.ordering),
        in_flight: config.max_in_flight,
        patience: config.patience,
    }
}
