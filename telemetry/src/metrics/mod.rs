//! The one recorder: a Prometheus registry of its own with every metric of the
//! [catalogue](crate::catalogue), and typed handles to write to it.
//!
//! A handle is resolved once, when a configuration snapshot is built; from
//! then on a request pays an atomic addition per figure, no hashing of labels
//! and no lock. Asking again for the same names, as a reload does, gives
//! handles to the same series: counters outlive configurations. A metric that
//! has spent its budget of label sets counts under the value `overflow`.

pub mod answers;
pub mod backlog;
mod cache;
mod certificate;
mod consumer;
mod families;
mod family;
pub mod graphql;
mod guardrail;
pub mod idempotency;
mod listener;
pub mod model;
mod process;
pub mod quota;
mod received;
pub mod reply;
mod route;
mod rpc;
mod slots;
pub mod spool;
pub mod standing;
pub mod store;
mod subscription;
pub mod table;
mod target;
mod topic;
mod upstream;
pub mod usage;
mod websocket;
pub mod worker;

pub use answers::Answers;
pub use backlog::Backlog;
pub use certificate::Certificate;
pub use graphql::Graphql;
pub use guardrail::Findings;
pub use listener::Listener;
pub use model::{Model, Pace};
pub use quota::{Quota, Units};
pub use received::Received;
pub use reply::Replies;
pub use route::Route;
pub use spool::Spool;
pub use standing::Standing;
pub use store::Store;
pub use subscription::Subscription;
pub use table::Table;
pub use target::Target;
pub use topic::Topic;
pub use upstream::{EndedBy, Upstream};
pub use usage::Usage;
pub use websocket::WebSocket;
pub use worker::Worker;

use crate::record::{Llm, Record};
use cache::Cache;
use consumer::Consumer;
use families::Families;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Registry, TextEncoder};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many label sets a metric may have unless said otherwise.
pub const SERIES_BUDGET: usize = 2_000;

/// A sum of money, in dollars.
type Money = prometheus::Counter;

/// Something is under way; it no longer is when this is dropped.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl InFlight {
    fn enter(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What a background writer gives up on or gets done, counted.
#[derive(Clone, Debug)]
pub(crate) struct Tally(IntCounter);

impl Tally {
    pub(crate) fn add(&self, n: u64) {
        self.0.inc_by(n);
    }
}

/// All metrics of one gateway. Clones share the same figures.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
    models: Arc<Cache<Model>>,
    consumers: Arc<Cache<Consumer>>,
    topics: Arc<Cache<Topic>>,
    subscriptions: Arc<Cache<Subscription>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the whole catalogue, and the process's own figures on
    /// Linux; [`SERIES_BUDGET`] label sets per metric.
    pub fn new() -> Self {
        Self::with_series_budget(SERIES_BUDGET)
    }

    /// The same with another budget.
    pub fn with_series_budget(budget: usize) -> Self {
        let registry = Registry::new();
        process::register(&registry);
        let families = Arc::new(Families::register(&registry, budget));
        Self {
            registry,
            families,
            models: Arc::new(Cache::new(budget)),
            consumers: Arc::new(Cache::new(budget)),
            topics: Arc::new(Cache::new(budget)),
            subscriptions: Arc::new(Cache::new(budget)),
        }
    }

    /// Everything, in Prometheus' text format 0.0.4.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // The encoder refuses only a family without a name or without
        // metrics, and the registry gathers neither.
        let encoded = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        debug_assert!(encoded.is_ok(), "{encoded:?}");
        text
    }

    /// Everything, as the registry has it.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// The `Content-Type` of [`encode`](Self::encode).
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// A route of a team; `policies` are the kinds in its chain.
    pub fn route(&self, route: &str, team: &str, policies: &[&'static str]) -> Arc<Route> {
        Arc::new(Route::resolve(&self.families, route, team, policies))
    }

    /// A route that WebSocket connections are made to.
    pub fn websocket(&self, route: &str) -> Arc<WebSocket> {
        Arc::new(WebSocket::resolve(&self.families, route))
    }

    /// An upstream.
    pub fn upstream(&self, name: &str) -> Arc<Upstream> {
        Arc::new(Upstream::resolve(&self.families, name))
    }

    /// A listener.
    pub fn listener(&self, name: &str) -> Arc<Listener> {
        Arc::new(Listener::resolve(&self.families, name))
    }

    /// A quota.
    pub fn quota(&self, name: &str) -> Arc<Quota> {
        Arc::new(Quota::resolve(&self.families, name))
    }

    /// Where a quota stands, for as long as the result is kept.
    pub fn standing(&self, quota: &str) -> Standing {
        Standing::resolve(&self.families, quota)
    }

    /// How a target of models does, for as long as the result is kept.
    pub fn target(&self, provider: &str, model: &str) -> Target {
        Target::resolve(&self.families, provider, model)
    }

    /// A certificate that a listener shows, by the file it came from, for as long as the result is kept.
    pub fn certificate(&self, listener: &str, file: &str) -> Certificate {
        Certificate::resolve(&self.families, listener, file)
    }

    /// A store that quotas are counted in.
    pub fn store(&self, name: &str) -> Arc<Store> {
        Arc::new(Store::resolve(&self.families, name))
    }

    /// Somebody changed something by hand, or tried to in vain.
    pub fn changed_by_hand(&self, action: &str, ok: bool) {
        let result = if ok { "ok" } else { "failed" };
        self.families.admin_changes.with(&[action, result]).inc();
    }

    /// A model at a provider. Who calls is known only once it has proved that, so this may be
    /// asked per request: it hashes the names, and takes no lock.
    pub fn model(&self, call: &model::Call<'_>) -> Arc<Model> {
        self.models
            .get(&call.labels(), || Model::resolve(&self.families, call))
    }

    /// A call was answered, or was not: everything it adds but to `models`, whose order is that of
    /// the call's targets.
    pub(crate) fn called(&self, record: &Record, llm: &Llm, models: &[Arc<Model>]) {
        for (index, attempt) in record.attempts.iter().enumerate() {
            let model = llm.asked_by(index).and_then(|target| models.get(target));
            if let Some(model) = model {
                model.attempt(attempt);
            }
        }
        if let Some(model) = models.last() {
            model.finished(record, llm);
        }
        if let Some(consumer) = &record.consumer {
            let team = record.team.as_deref().unwrap_or_default();
            let labels = [&**consumer, team, &*llm.requested_model];
            let series = self.consumers.get(&labels, Consumer::default);
            series.finished(&self.families, labels, llm);
        }
    }

    /// What becomes of requests with a key on a route that remembers them.
    pub fn idempotency(&self, route: &str) -> Arc<idempotency::Idempotency> {
        Arc::new(idempotency::Idempotency::resolve(&self.families, route))
    }

    /// What becomes of calls of a route that keeps answers.
    pub fn answers(&self, route: &str) -> Arc<Answers> {
        Arc::new(Answers::resolve(&self.families, route))
    }

    /// A route of GraphQL; `names` are the operations that are known before any is asked for, each
    /// with its type.
    pub fn graphql(&self, route: &str, names: &[(&str, &str)]) -> Arc<Graphql> {
        Arc::new(Graphql::resolve(&self.families, route, names))
    }

    /// What a rule of a guardrail finds on a route.
    pub fn findings(&self, route: &str, policy: &str, rule: &str, direction: &str) -> Findings {
        Findings::resolve(&self.families, &[route, policy, rule, direction])
    }

    /// A topic of a Kafka cluster; may be asked per request, like a model.
    pub fn topic(&self, cluster: &str, topic: &str) -> Arc<Topic> {
        self.topics.get(&[cluster, topic], || {
            Topic::resolve(&self.families, cluster, topic)
        })
    }

    /// Counts a caller's principal as connected to a Kafka cluster, for as long as this is kept.
    pub fn kafka_principal(&self, cluster: &str) -> InFlight {
        InFlight::enter(&self.families.kafka_principals.with(&[cluster]))
    }

    /// Records of usage.
    pub fn usage(&self) -> Arc<Usage> {
        Arc::new(Usage::resolve(&self.families))
    }

    /// The spool of a Kafka cluster.
    pub fn spool(&self, cluster: &str) -> Spool {
        Spool::resolve(&self.families, cluster)
    }

    /// What is read of a topic of a Kafka cluster; topics are those of the configuration.
    pub fn received(&self, cluster: &str, topic: &str) -> Arc<Received> {
        Arc::new(Received::resolve(&self.families, cluster, topic))
    }

    /// The subscribers of a topic of a Kafka cluster on a route; may be asked per request, like a model.
    pub fn subscription(&self, route: &str, cluster: &str, topic: &str) -> Arc<Subscription> {
        let labels = [route, cluster, topic];
        self.subscriptions
            .get(&labels, || Subscription::resolve(&self.families, &labels))
    }

    /// The replies that a route waits for in a topic of a Kafka cluster.
    pub fn replies(&self, route: &str, cluster: &str, topic: &str) -> Arc<Replies> {
        Arc::new(Replies::resolve(&self.families, &[route, cluster, topic]))
    }

    /// What producers hold for a Kafka cluster, for as long as the result is kept.
    pub fn backlog(&self, cluster: &str) -> Backlog {
        Backlog::resolve(&self.families, cluster)
    }

    /// Writes to a compacted topic that is served as a table.
    pub fn table(&self, cluster: &str, topic: &str) -> Arc<Table> {
        Arc::new(Table::resolve(&self.families, cluster, topic))
    }

    /// How this gateway's view of one stands, for as long as the result is kept.
    pub fn table_standing(&self, cluster: &str, topic: &str) -> table::Standing {
        table::Standing::resolve(&self.families, cluster, topic)
    }

    /// A webhook or a worker that takes records of these topics.
    pub fn worker(&self, kind: worker::Kind, name: &str, topics: &[Arc<str>]) -> Arc<Worker> {
        let families = self.families.workers(kind);
        Arc::new(Worker::resolve(families, kind, name, topics))
    }

    /// How one stands, for as long as the result is kept.
    pub fn worker_standing(&self, kind: worker::Kind, name: &str) -> worker::Standing {
        worker::Standing::resolve(&self.families, kind, name)
    }

    /// A configuration was loaded, at start or by a reload, or could not be.
    pub fn config_loaded(&self, ok: bool) {
        let result = if ok { "ok" } else { "failed" };
        self.families.reloads.with(&[result]).inc();
        self.families.reload_successful.set(i64::from(ok));
        if ok {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let seconds = now.map_or(0, |since| since.as_secs());
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            self.families.reload_timestamp.set(seconds);
        }
    }

    /// The gateway began, or no longer is, shutting down.
    pub fn draining(&self, draining: bool) {
        self.families.draining.set(i64::from(draining));
    }

    pub(crate) fn dropped(&self, signal: &str) -> Tally {
        Tally(self.families.dropped.with(&[signal]))
    }

    pub(crate) fn spans_exported(&self) -> Tally {
        Tally(self.families.spans_exported.clone())
    }
}
