//! The compiled snapshot a request reads: everything resolved, nothing looked up by name.
//!
//! [`compile`] turns a checked configuration into one. It cannot fail on what `check` let
//! through, apart from what the operating system refuses, and it starts nothing that serves.

mod spools;
mod tables;

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use weir_protocols::graphql::response::MediaType;
use weir_protocols::grpc::content_type::Wire;
use weir_telemetry::trace::Sampler;
use weir_telemetry::{Metrics, metrics};

use self::tables::Tables;
use crate::action::llm::{Shelves, Standing, Standings};
use crate::action::publish::Once;
use crate::action::subscribe::{cursor, keys};
use crate::action::{self, Action};
use crate::config::listeners::Listener;
use crate::config::{Config, Loaded};
use crate::config::{kafka_clusters, routes as config, schema_registries, stores};
use crate::llm_worker::LlmWorker;
use crate::policy::chain::Chain;
use crate::policy::{self, key_auth::Directory};
use crate::quota::{Quota, Store};
use crate::routing::Router;
use crate::schema::Values;
use crate::schema::registry::Registry;
use crate::spool::{Spool, Spools};
use crate::table::Table;
use crate::upstream::{self, Upstream};
use crate::webhook::Webhook;
use crate::{idempotency, kafka, usage};

pub(crate) use crate::config::consumers::Consumer;

/// The language a route's callers read errors in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// OpenAI's error object.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's `Status`, as Gemini's callers read it.
    Gemini,
    /// GraphQL's `errors`, in the media type that the caller accepts.
    Graphql(MediaType),
    /// A status of gRPC's, on the wire of the call.
    Grpc(Wire),
    /// A `google.rpc.Status` in JSON, for who calls gRPC by that.
    Rpc,
}

/// One route, ready to serve.
pub(crate) struct Route {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The team that owns it.
    pub(crate) team: Option<Arc<str>>,
    /// What it demands.
    pub(crate) chain: Chain,
    /// What it does.
    pub(crate) action: Action,
    /// Its figures.
    pub(crate) metrics: Arc<metrics::Route>,
}

/// A configuration in force.
pub(crate) struct Snapshot {
    /// The first 64 bits of the configuration's hash.
    pub(crate) revision: u64,
    /// Finds a request's route.
    pub(crate) router: Router,
    /// The routes, by the index the router gives.
    pub(crate) routes: Vec<Arc<Route>>,
    /// Decides which traces that begin here are sampled.
    pub(crate) sampler: Sampler,
    /// Networks whose word on the client's address is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// What it was compiled from.
    pub(crate) loaded: Loaded,
    /// Where records of usage go, if they do.
    pub(crate) usage: Option<usage::Topic>,
    upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    clusters: HashMap<Arc<str>, Arc<kafka::Cluster>>,
    spools: Spools,
    registries: HashMap<Arc<str>, Arc<Registry>>,
    tables: Tables,
    listeners: HashMap<Arc<str>, Arc<Listener>>,
    webhooks: HashMap<Arc<str>, Arc<Webhook>>,
    llm_workers: HashMap<Arc<str>, Arc<LlmWorker>>,
    /// What is known of the targets of models.
    standings: Standings,
    /// The answers that routes keep.
    shelves: Shelves,
    /// What is remembered of requests with an `Idempotency-Key`.
    idempotency: idempotency::Stores,
    /// The organisation of each team that has one.
    organisations: HashMap<Arc<str>, Arc<str>>,
    /// In the order written.
    quotas: Vec<Arc<Quota>>,
    stores: Stores,
}

/// Where quotas are counted, by name, each with what it was opened by.
type Stores = HashMap<Arc<str>, (stores::Store, Store)>;

impl Snapshot {
    /// The organisation a team belongs to.
    pub(crate) fn organisation(&self, team: &str) -> Option<&str> {
        self.organisations.get(team).map(|name| &**name)
    }

    /// The quotas, in the order written.
    pub(crate) fn quotas(&self) -> &[Arc<Quota>] {
        &self.quotas
    }

    /// The store of that name.
    pub(crate) fn store(&self, name: &str) -> Option<&Store> {
        self.stores.get(name).map(|(_, store)| store)
    }

    /// All stores.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Store> {
        self.stores.values().map(|(_, store)| store)
    }

    /// What is said of a listener now.
    pub(crate) fn listener(&self, name: &str) -> Option<&Arc<Listener>> {
        self.listeners.get(name)
    }

    /// Leaves what operators see of upstreams to `next`, which is about to be in force.
    pub(crate) fn retire(&self, next: &Snapshot) {
        for (name, upstream) in &self.upstreams {
            let successor = next.upstreams.get(name);
            if !successor.is_some_and(|s| Arc::ptr_eq(s, upstream)) {
                upstream.retire(successor);
            }
        }
        spools::retire(&self.spools, &next.spools);
    }

    /// Kafka clusters, by their names.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<kafka::Cluster>)> {
        self.clusters.iter()
    }

    /// What is kept on disk for Kafka clusters.
    pub(crate) fn spools(&self) -> impl Iterator<Item = &Arc<Spool>> {
        self.spools.values()
    }

    /// Begins to fill what is served of compacted topics.
    pub(crate) fn fill_tables(&self) {
        self.tables.values().for_each(Table::begin);
    }

    /// What is served of compacted topics, by cluster and topic.
    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The targets of models, for those who watch them.
    pub(crate) fn targets(&self) -> Vec<&Arc<Standing>> {
        self.standings.all()
    }

    /// The webhooks, by name.
    pub(crate) fn webhooks(&self) -> &HashMap<Arc<str>, Arc<Webhook>> {
        &self.webhooks
    }

    /// Those that have models answer the prompts of topics, by name.
    pub(crate) fn llm_workers(&self) -> &HashMap<Arc<str>, Arc<LlmWorker>> {
        &self.llm_workers
    }

    /// The upstreams, for those who watch them.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }
}

/// What actions and policies are built from.
pub(crate) struct Parts<'a> {
    /// The configuration.
    pub(crate) config: &'a Config,
    /// The process's figures.
    pub(crate) metrics: &'a Metrics,
    /// Quotas by name.
    pub(crate) quotas: HashMap<Arc<str>, Arc<Quota>>,
    /// Who presents which key.
    pub(crate) directory: Arc<Directory>,
    /// What is known of the targets of models.
    pub(crate) standings: Standings,
    /// The answers that routes keep.
    pub(crate) shelves: Shelves,
    idempotency: idempotency::Stores,
    upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    clusters: HashMap<Arc<str>, Arc<kafka::Cluster>>,
    spools: Spools,
    registries: HashMap<Arc<str>, Arc<Registry>>,
    tables: Tables,
}

impl Parts<'_> {
    /// What the values of a route's records are.
    pub(crate) fn values(&self, schema: &config::schema::Schema) -> Values {
        match schema {
            config::schema::Schema::File(codec) => Values::File(codec.clone()),
            config::schema::Schema::Registry(subject) => {
                let registry = self.registries.get(&subject.registry);
                let registry = registry.expect("`check` resolved every registry");
                Values::Registry(registry.clone(), subject.clone())
            }
        }
    }

    /// The table that a route serves.
    pub(crate) fn table(&self, action: &config::table::Table) -> Result<Arc<Table>, String> {
        let table = self.tables.get(&tables::name(action));
        table
            .cloned()
            .ok_or_else(|| format!("{} has no table", action.name))
    }

    /// A Kafka cluster that `check` found to exist.
    pub(crate) fn cluster(&self, name: &str) -> Arc<kafka::Cluster> {
        self.clusters
            .get(name)
            .expect("`check` resolved every cluster")
            .clone()
    }

    /// What the cursors of topics of a cluster are signed with.
    pub(crate) fn cursor_keys(&self, cluster: &str) -> Result<cursor::Keys, String> {
        let mut clusters = self.config.kafka_clusters.iter();
        let said = clusters.find(|known| &*known.name == cluster);
        let said = said.map_or(&[][..], |cluster| &cluster.cursor_keys);
        if said.is_empty() {
            let own = keys::own(&self.config.server.data_dir)?;
            return Ok(cursor::Keys::new([&*own]));
        }
        Ok(cursor::Keys::new(
            said.iter().map(|key| key.expose().as_bytes()),
        ))
    }

    /// Where an action puts records first, if it does not wait for brokers.
    pub(crate) fn spool(&self, action: &config::publish::Publish) -> Option<Arc<Spool>> {
        let spool = self.spools.get(&action.record.topic.cluster);
        spool.filter(|_| action.spooled).cloned()
    }

    /// What a route remembers of requests with an `Idempotency-Key`, if it does.
    pub(crate) fn once(&self, route: &str, action: &config::publish::Publish) -> Option<Once> {
        let config = action.idempotency.clone()?;
        Some(Once {
            keys: self.idempotency.keys(&config.store)?,
            metrics: self.metrics.idempotency(route),
            config,
        })
    }

    /// An upstream that `check` found to exist.
    pub(crate) fn upstream(&self, name: &str) -> Arc<Upstream> {
        self.upstreams
            .get(name)
            .expect("`check` resolved every upstream")
            .clone()
    }
}

/// Compiles a configuration; what `previous` built and still fits is kept.
pub(crate) fn compile(
    loaded: Loaded,
    previous: Option<&Snapshot>,
    metrics: &Metrics,
) -> Result<Snapshot, String> {
    let config = &loaded.config;
    let vertex = config.providers.iter().filter_map(|p| p.vertex.as_ref());
    let definitions = config
        .upstreams
        .iter()
        .chain(config.providers.iter().map(|provider| &provider.upstream))
        .chain(vertex.map(|vertex| &vertex.tokens))
        .chain(config.schema_registries.iter().map(|r| &r.upstream));
    let upstreams: HashMap<_, _> = definitions
        .map(|definition| {
            let before = previous.and_then(|p| p.upstreams.get(&definition.name));
            (
                definition.name.clone(),
                upstream::build::build(definition, before, metrics),
            )
        })
        .collect();
    let stores = stores(config, previous, metrics);
    let by_name = stores
        .iter()
        .map(|(name, (_, store))| (name.clone(), store.clone()))
        .collect();
    let clusters = clusters(config, previous, metrics)?;
    let tables = tables::open(config, &clusters, previous, metrics)?;
    let parts = Parts {
        config,
        tables,
        metrics,
        spools: spools::open(config, &clusters, previous, metrics)?,
        clusters,
        registries: registries(config, previous, &upstreams),
        quotas: policy::quota::definitions(&config.quotas, &by_name),
        directory: Arc::new(Directory::new(&config.consumers)),
        standings: Standings::new(
            &config.models,
            &config.providers,
            previous.map(|p| &p.standings),
        ),
        shelves: Shelves::new(&config.routes, previous.map(|p| &p.shelves)),
        idempotency: idempotency::Stores::open(config, previous.map(|p| &p.idempotency)),
        upstreams,
    };
    let routes: Vec<Arc<Route>> = config
        .routes
        .iter()
        .map(|r| route(r, &parts))
        .collect::<Result<_, _>>()?;
    let router = Router::build(crate::config::routes::rules(&config.routes))
        .map_err(|conflicts| format!("{} routes can never match", conflicts.len()))?;
    let webhooks = config.webhooks.iter();
    let webhooks = webhooks.map(|it| (it.name.clone(), Webhook::build(it, &parts)));
    let webhooks = webhooks.collect();
    let llm_workers = config.llm_workers.iter();
    let llm_workers =
        llm_workers.map(|it| (it.name.clone(), LlmWorker::build(it, &parts, &routes)));
    let llm_workers = llm_workers.collect();
    let quotas = config.quotas.iter();
    let quotas = quotas.map(|q| parts.quotas[&q.name].clone()).collect();
    let Parts {
        upstreams,
        clusters,
        spools,
        registries,
        tables,
        standings,
        shelves,
        idempotency,
        ..
    } = parts;
    Ok(Snapshot {
        revision: u64::from_str_radix(&loaded.revision[..16], 16).unwrap_or(0),
        router,
        routes,
        sampler: crate::observe::sampler(config)?,
        trusted_proxies: config.server.trusted_proxies.clone(),
        listeners: config
            .listeners
            .iter()
            .map(|l| (l.name.clone(), l.clone()))
            .collect(),
        usage: usage_topic(config, &clusters, &spools, metrics)?,
        webhooks,
        llm_workers,
        upstreams,
        clusters,
        spools,
        registries,
        tables,
        standings,
        shelves,
        idempotency,
        organisations: config
            .teams
            .iter()
            .filter_map(|team| Some((team.name.clone(), team.organisation.clone()?)))
            .collect(),
        quotas,
        stores,
        loaded,
    })
}

/// Where records of usage go; `check` found that the cluster is there and has a spool.
fn usage_topic(
    config: &Config,
    clusters: &HashMap<Arc<str>, Arc<kafka::Cluster>>,
    spools: &Spools,
    metrics: &Metrics,
) -> Result<Option<usage::Topic>, String> {
    let Some(events) = &config.usage_events else {
        return Ok(None);
    };
    let session = clusters[&events.cluster].own();
    Ok(Some(usage::Topic {
        name: events.topic.clone(),
        session: session.map_err(|error| error.to_string())?,
        spool: spools[&events.cluster].clone(),
        figures: metrics.usage(),
    }))
}

/// A store that a reload leaves as it is goes on counting.
fn stores(config: &Config, previous: Option<&Snapshot>, metrics: &Metrics) -> Stores {
    let one = |definition: &stores::Store| {
        let before = previous.and_then(|p| p.stores.get(&definition.name));
        let store = match before.filter(|(of, _)| of == definition) {
            Some((_, same)) => same.clone(),
            None => open(definition).observed(crate::observe::store(metrics, &definition.name)),
        };
        (definition.name.clone(), (definition.clone(), store))
    };
    // Where answers are kept nothing is counted.
    let counting = |store: &&stores::Store| !config.keeps_answers(&store.name);
    config.stores.iter().filter(counting).map(one).collect()
}

fn open(definition: &stores::Store) -> Store {
    let name = &definition.name;
    match &definition.kind {
        stores::Kind::Memory => Store::memory(name),
        stores::Kind::Local(path) => Store::local(name, path.clone()),
        stores::Kind::Redis(servers) => Store::redis(name, servers),
    }
}

/// A cluster that a reload leaves as it is keeps its connections, its queue and who follows its topics.
fn clusters(
    config: &Config,
    previous: Option<&Snapshot>,
    metrics: &Metrics,
) -> Result<HashMap<Arc<str>, Arc<kafka::Cluster>>, String> {
    let one = |definition: &Arc<kafka_clusters::Cluster>| {
        let before = previous.and_then(|p| p.clusters.get(&definition.name));
        let cluster = match before.filter(|p| p.fits(definition)) {
            Some(same) => same.clone(),
            None => {
                let before = before.map(|before| &**before);
                Arc::new(kafka::Cluster::start(definition, before, metrics)?)
            }
        };
        Ok((definition.name.clone(), cluster))
    };
    config.kafka_clusters.iter().map(one).collect()
}

/// A registry that a reload leaves as it is keeps what it said.
fn registries(
    config: &Config,
    previous: Option<&Snapshot>,
    upstreams: &HashMap<Arc<str>, Arc<Upstream>>,
) -> HashMap<Arc<str>, Arc<Registry>> {
    let one = |definition: &Arc<schema_registries::Registry>| {
        let before = previous.and_then(|p| p.registries.get(&definition.name));
        let upstream = upstreams[&definition.upstream.name].clone();
        let registry = Registry::build(definition, upstream, before);
        (definition.name.clone(), registry)
    };
    config.schema_registries.iter().map(one).collect()
}

fn route(route: &Arc<config::Route>, parts: &Parts<'_>) -> Result<Arc<Route>, String> {
    let chain = Chain::new(policy::build(route, parts));
    let action = action::build::build(route, parts)
        .map_err(|why| format!("routes \"{}\": {why}", route.name))?;
    if policy::quota::count_tokens(route, parts) {
        action.prepare_to_count();
    }
    let team = route.team.as_deref().unwrap_or_default();
    Ok(Arc::new(Route {
        name: route.name.clone(),
        team: route.team.clone(),
        metrics: parts.metrics.route(&route.name, team, &chain.kinds()),
        chain,
        action,
    }))
}
