//! Where the answers of routes are kept. What is kept outlives reloads as long as a route's `cache`
//! stays as it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use weir_telemetry::metrics;
use weir_telemetry::metrics::answers::Cause;

use super::entry::{Entry, now};
use super::index::{Alike, Index, Text};
use super::key::Key;
use super::memory::Memory;
use super::redis::Remote;
use super::semantic::Meaning;
use crate::config::routes::Route;
use crate::config::routes::action::Action;
use crate::config::routes::cache as config;
use crate::config::stores;

/// What the vectors of one route may take where its answers are in Redis, in bytes.
const VECTORS: u64 = 64 << 20;

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
                if let Some(evicted) = memory.put(key, Arc::new(entry)) {
                    metrics.evicted(evicted);
                    metrics.kept();
                }
            }
            Self::Redis(remote) => remote.put(&key, &entry, ttl, metrics.clone()),
        }
    }

    /// The answers to texts that mean the same, the likest first.
    pub(super) async fn alike(
        &self,
        index: &Index,
        meaning: &Meaning,
        threshold: f32,
        metrics: &metrics::Answers,
    ) -> Vec<Alike> {
        if let Self::Redis(remote) = self
            && let Err(why) = remote.follow(&meaning.group, index).await
        {
            log::debug!("texts were not read: {why}");
            metrics.failed(Cause::Store);
        }
        index.alike(&meaning.group, &meaning.vector, threshold)
    }

    /// Remembers what a text means whose answer is kept under `key`.
    pub(super) fn remember(
        &self,
        index: &Index,
        meaning: &Meaning,
        key: Key,
        limits: (usize, Duration),
    ) {
        let text = Text {
            key,
            vector: meaning.vector.clone(),
        };
        match self {
            Self::Memory(_) => index.add(&meaning.group, vec![text]),
            // It is read back from there, by this process too.
            Self::Redis(remote) => remote.tell(&meaning.group, &text, limits),
        }
    }
}

/// What one route keeps.
#[derive(Clone)]
pub(super) struct Kept {
    /// As its configuration said.
    config: config::Cache,
    pub(super) shelf: Arc<Shelf>,
    /// There if texts are compared.
    pub(super) index: Option<Arc<Index>>,
}

/// What all routes keep, by their names.
#[derive(Default)]
pub(crate) struct Shelves {
    routes: HashMap<Arc<str>, Kept>,
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
                let kept = all.kept(&route.name, cache, previous);
                all.routes.insert(route.name.clone(), kept);
            }
        }
        all
    }

    fn kept(&mut self, route: &Arc<str>, cache: &config::Cache, previous: Option<&Self>) -> Kept {
        let remote = match &cache.store {
            config::Store::Redis { name, servers } => Some(self.remote(name, servers, previous)),
            config::Store::Memory { .. } => None,
        };
        let before = previous.and_then(|all| all.routes.get(route));
        if let Some(same) = before.filter(|kept| kept.config == *cache) {
            return same.clone();
        }
        let bytes = match &cache.store {
            config::Store::Memory { max_size } => *max_size,
            config::Store::Redis { .. } => VECTORS,
        };
        let index = |semantic: &config::Semantic| {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            Arc::new(Index::new(semantic.max_texts, bytes))
        };
        Kept {
            config: cache.clone(),
            shelf: Arc::new(match remote {
                Some(remote) => Shelf::Redis(remote),
                None => Shelf::Memory(Memory::new(bytes)),
            }),
            index: cache.semantic.as_ref().map(index),
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

    /// What a route keeps whose configuration has a `cache`.
    pub(super) fn of(&self, route: &str) -> &Kept {
        self.routes.get(route).expect("made for every such route")
    }
}
