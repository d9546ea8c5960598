//! Where the answers of routes are kept. What is kept outlives reloads as long as a route's `cache`
//! stays as it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use weir_telemetry::metrics;
use weir_telemetry::metrics::answers::Cause;

use super::entry::{Entry, now};
use super::key::Key;
use super::memory::Memory;
use super::redis::Remote;
use crate::config::routes::Route;
use crate::config::routes::action::Action;
use crate::config::routes::cache as config;
use crate::config::stores;

/// Where answers of one route are kept.
pub(super) enum Shelf {
    /// In this process.
    Memory(Memory),
    /// In Redis; several routes may share the way there.
    Redis(Arc<Remote>),
}

impl Shelf {
    /// The answer of that name, if it was kept less than `ttl` ago. What fails is counted, and found
    /// is nothing then.
    pub(super) async fn get(
        &self,
        key: &Key,
        ttl: Duration,
        metrics: &metrics::Answers,
    ) -> Option<Arc<Entry>> {
        let now = now();
        let is_good = |entry: &Entry| entry.age(now) < ttl;
        match self {
            Self::Memory(memory) => memory.get(key, is_good),
            Self::Redis(remote) => match remote.get(key).await {
                Ok(found) => found.filter(|entry| is_good(entry)),
                Err(why) => {
                    log::debug!("no answer was looked up: {why}");
                    metrics.failed(Cause::Store);
                    None
                }
            },
        }
    }

    /// Keeps an answer.
    pub(super) fn put(
        &self,
        key: Key,
        entry: Entry,
        ttl: Duration,
        metrics: &Arc<metrics::Answers>,
    ) {
        match self {
            Self::Memory(memory) => {
                let evicted = memory.put(key, Arc::new(entry));
                metrics.evicted(evicted);
                metrics.kept();
            }
            Self::Redis(remote) => remote.put(&key, &entry, ttl, metrics.clone()),
        }
    }
}

/// What all routes keep, by their names.
#[derive(Default)]
pub(crate) struct Shelves {
    routes: HashMap<Arc<str>, (config::Cache, Arc<Shelf>)>,
    remotes: HashMap<Arc<str>, (Arc<stores::Redis>, Arc<Remote>)>,
}

impl Shelves {
    /// Of the routes of a configuration; what `previous` kept for those that stayed the same is kept
    /// on.
    pub(crate) fn new(routes: &[Arc<Route>], previous: Option<&Self>) -> Self {
        let mut all = Self::default();
        for route in routes {
            let Action::Llm(llm) = &route.action else {
                continue;
            };
            if let Some(cache) = &llm.cache {
                let shelf = all.shelf(&route.name, cache, previous);
                let kept = (cache.clone(), shelf);
                all.routes.insert(route.name.clone(), kept);
            }
        }
        all
    }

    fn shelf(
        &mut self,
        route: &Arc<str>,
        cache: &config::Cache,
        previous: Option<&Self>,
    ) -> Arc<Shelf> {
        match &cache.store {
            config::Store::Memory { max_size } => {
                let before = previous.and_then(|all| all.routes.get(route));
                match before.filter(|(of, _)| of == cache) {
                    Some((_, same)) => same.clone(),
                    None => Arc::new(Shelf::Memory(Memory::new(*max_size))),
                }
            }
            config::Store::Redis { name, servers } => {
                Arc::new(Shelf::Redis(self.remote(name, servers, previous)))
            }
        }
    }

    fn remote(
        &mut self,
        name: &Arc<str>,
        servers: &Arc<stores::Redis>,
        previous: Option<&Self>,
    ) -> Arc<Remote> {
        let open = || {
            let before = previous.and_then(|all| all.remotes.get(name));
            match before.filter(|(of, _)| of == servers) {
                Some((_, same)) => same.clone(),
                None => Arc::new(Remote::open(name, servers)),
            }
        };
        let known = self.remotes.entry(name.clone());
        let (_, remote) = known.or_insert_with(|| (servers.clone(), open()));
        remote.clone()
    }

    /// Where a route keeps its answers, whose configuration has a `cache`.
    pub(super) fn of(&self, route: &str) -> Arc<Shelf> {
        let (_, shelf) = self.routes.get(route).expect("made for every such route");
        shelf.clone()
    }
}
