//! What is known of a target, by its provider's name and what the provider calls the model. It
//! outlives reloads as long as what it was found out about stays the same; so does what is known of
//! a key.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::aside::{Aside, Entry};
use super::clock;
use super::health::Health;
use super::limits::Counts;
use super::pace::Pace;
use crate::config::models::Model;
use crate::config::providers::{ApiKey, Provider};

/// What is known of one target.
pub(crate) struct Standing {
    /// The provider's name.
    pub(crate) provider: Arc<str>,
    /// What the provider calls the model.
    pub(crate) model: Arc<str>,
    pub(super) health: Arc<Health>,
    pub(super) pace: Arc<Pace>,
    /// There only if some model limits it.
    pub(super) counts: Option<Arc<Counts>>,
    /// The provider's keys as this model finds them; one without a name, if it has none.
    keys: Vec<Key>,
    /// Counts calls, to use keys in turn.
    turn: AtomicUsize,
}

/// A key, as one model of its provider finds it.
struct Key {
    /// The secret's name.
    name: Option<Arc<str>>,
    aside: Arc<Aside>,
}

/// Leave to use a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByKey {
    /// Which of the provider's.
    pub(super) index: usize,
    pub(super) entry: Entry,
}

impl Standing {
    /// The next key in turn that is not set aside and not among `tried`, or that this call is to
    /// probe.
    pub(super) fn pick_key(&self, tried: u64, now: u64) -> Option<ByKey> {
        self.keys_in_turn()
            .filter(|index| tried & (1 << index) == 0)
            .find_map(|index| {
                let entry = self.keys[index].aside.enter(now)?;
                Some(ByKey { index, entry })
            })
    }

    /// The next key in turn, although all may be set aside.
    pub(super) fn pick_any_key(&self) -> ByKey {
        let index = self.keys_in_turn().next().unwrap_or_default();
        let entry = self.keys[index].aside.enter_anyway();
        ByKey { index, entry }
    }

    /// The next key in turn that is not set aside, for a call that finds out nothing about it; any, if
    /// all are.
    pub(in crate::action::llm) fn free_key(&self) -> usize {
        let now = clock::now();
        let mut keys = self.keys_in_turn();
        keys.find(|index| self.keys[*index].aside.left(now).is_none())
            .unwrap_or_default()
    }

    fn keys_in_turn(&self) -> impl Iterator<Item = usize> {
        let most = self.keys.len();
        let first = match most {
            1 => 0,
            _ => self.turn.fetch_add(1, Ordering::Relaxed) % most,
        };
        (first..most).chain(0..first)
    }

    pub(super) fn key(&self, index: usize) -> &Aside {
        &self.keys[index].aside
    }

    /// Whether it is asked last: it is set aside itself, or all of its keys are.
    pub(crate) fn is_aside(&self) -> bool {
        let now = clock::now();
        let keys = || self.keys.iter().all(|key| key.aside.left(now).is_some());
        self.health.aside.left(now).is_some() || keys()
    }

    /// What operators see of it.
    pub(crate) fn describe(&self) -> serde_json::Value {
        let now = clock::now();
        let seconds = |left: Option<u64>| left.map(|millis| millis.div_ceil(1000));
        let pace = |stream| match self.pace.expected(stream) {
            u64::MAX => None,
            micros => Some(micros as f64 / 1e6),
        };
        let named = |key: &Key| Some((key.name.as_ref()?.to_string(), key.aside.left(now)));
        let keys = self.keys.iter().filter_map(named);
        let keys: Vec<_> = keys
            .map(|(name, left)| {
                json!({
                    "secret": name,
                    "set_aside": left.is_some(),
                    "probe_in_seconds": seconds(left),
                })
            })
            .collect();
        let left = self.health.aside.left(now);
        json!({
            "provider": &*self.provider,
            "model": &*self.model,
            "set_aside": left.is_some(),
            "probe_in_seconds": seconds(left),
            "failures_in_a_row": self.health.failures(),
            "first_token_seconds": pace(true),
            "whole_answer_seconds": pace(false),
            "calls_in_flight": self.counts.as_ref().map(|counts| counts.calls()),
            "keys": keys,
        })
    }
}

/// What is known of all targets.
#[derive(Default)]
pub(crate) struct Standings {
    targets: HashMap<(Arc<str>, Arc<str>), Arc<Standing>>,
    providers: HashMap<Arc<str>, Arc<Provider>>,
}

impl Standings {
    /// Of the targets of a configuration; what `previous` knew of those that stayed the same is
    /// kept.
    pub(crate) fn new(
        models: &[Arc<Model>],
        providers: &[Arc<Provider>],
        previous: Option<&Standings>,
    ) -> Self {
        let mut all = Standings {
            targets: HashMap::new(),
            providers: providers
                .iter()
                .map(|p| (p.name.clone(), p.clone()))
                .collect(),
        };
        let targets = || models.iter().flat_map(|model| &model.targets);
        for target in targets() {
            let name = (target.provider.clone(), target.model.clone());
            if all.targets.contains_key(&name) {
                continue;
            }
            let same = |other: &&crate::config::models::Target| {
                other.provider == target.provider && other.model == target.model
            };
            let limited = targets().filter(same).any(|other| other.limits.any());
            let standing = all.standing(name.clone(), limited, previous);
            all.targets.insert(name, Arc::new(standing));
        }
        all
    }

    fn standing(
        &self,
        (provider, model): (Arc<str>, Arc<str>),
        limited: bool,
        previous: Option<&Standings>,
    ) -> Standing {
        let definition = &self.providers[&provider];
        let before = previous.and_then(|all| {
            let known = all.targets.get(&(provider.clone(), model.clone()))?;
            let of = all.providers.get(&provider)?;
            is_called_alike(of, definition).then_some((known, of))
        });
        let keys = match &*definition.api_keys {
            [] => vec![Key {
                name: None,
                aside: before
                    .filter(|(_, of)| of.api_keys.is_empty())
                    .map_or_else(Arc::default, |(known, _)| known.keys[0].aside.clone()),
            }],
            keys => keys.iter().map(|key| kept(key, before)).collect(),
        };
        let known = before.map(|(known, _)| known);
        Standing {
            health: known.map_or_else(Arc::default, |known| known.health.clone()),
            pace: known.map_or_else(Arc::default, |known| known.pace.clone()),
            counts: limited.then(|| {
                let counts = known.and_then(|known| known.counts.clone());
                counts.unwrap_or_default()
            }),
            keys,
            turn: AtomicUsize::new(0),
            provider,
            model,
        }
    }

    /// The standing of a target that `check` found to exist.
    pub(crate) fn of(&self, provider: &Arc<str>, model: &Arc<str>) -> Arc<Standing> {
        self.targets[&(provider.clone(), model.clone())].clone()
    }

    /// All of them, by their names.
    pub(crate) fn all(&self) -> Vec<&Arc<Standing>> {
        let mut all: Vec<_> = self.targets.values().collect();
        all.sort_unstable_by_key(|standing| (&standing.provider, &standing.model));
        all
    }
}

/// Whether calls reach the same server in the same way, so that what is known still holds.
fn is_called_alike(one: &Provider, other: &Provider) -> bool {
    one.upstream == other.upstream
        && one.base_path == other.base_path
        && one.dialect == other.dialect
}

/// A key whose secret stayed the same is known still.
fn kept(key: &ApiKey, before: Option<(&Arc<Standing>, &Arc<Provider>)>) -> Key {
    let known = before.and_then(|(known, of)| {
        let index = of.api_keys.iter().position(|other| other == key)?;
        Some(known.keys[index].aside.clone())
    });
    Key {
        name: Some(key.name.clone()),
        aside: known.unwrap_or_default(),
    }
}
