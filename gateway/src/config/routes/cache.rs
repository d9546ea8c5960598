//! `routes[].llm.cache`, checked.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::actions::Around;
use crate::config::check::{At, Checker, Noun};
use crate::config::policies::{Attached, PolicyConfig};
use crate::config::quotas::Quota;
use crate::config::raw::cache as raw;
pub use crate::config::raw::cache::Scope;
use crate::config::stores::Redis;
use crate::config::units::Size;

/// How long answers may be kept.
const TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);

/// How much may be kept in memory, in bytes.
const MAX_SIZE: RangeInclusive<u64> = 1 << 20..=64 << 30;

/// The memory is divided among so many parts, each of which holds a largest answer at least.
pub const PARTS: u64 = 16;

/// The largest answer that can be kept, in bytes: larger ones are not read from providers either.
const LARGEST: u64 = 16 << 20;

/// Answers kept to be given again.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// How long.
    pub ttl: Duration,
    /// To whom.
    pub scope: Scope,
    /// Where.
    pub store: Store,
    /// The largest that is kept, in bytes.
    pub max_entry: u64,
    /// How texts are compared, if they are.
    pub semantic: Option<Semantic>,
}

/// How texts are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Semantic {
    /// Who makes vectors; it does.
    pub provider: Arc<str>,
    /// What that calls the model.
    pub model: Arc<str>,
    /// How many numbers a vector is to have.
    pub dimensions: Option<u32>,
    /// How alike two texts have to be, from 0 to 1.
    pub threshold: f64,
    /// How long a call waits for its vector at most.
    pub timeout: Duration,
    /// With how many texts one is compared.
    pub max_texts: usize,
}

impl Cache {
    /// Whether answers are kept in the store of this name.
    pub fn is_in(&self, store: &str) -> bool {
        matches!(&self.store, Store::Redis { name, .. } if **name == *store)
    }
}

/// Where answers are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In this process.
    Memory {
        /// What all may take, in bytes.
        max_size: u64,
    },
    /// In Redis.
    Redis {
        /// The entry of `stores`.
        name: Arc<str>,
        /// What it says.
        servers: Arc<Redis>,
    },
}

/// Checks what a cache says by itself.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Cache,
    around: &Around<'_>,
) -> Option<Cache> {
    if !TTL.contains(&raw.ttl.0) {
        cx.fault(
            &at.key("ttl"),
            format!("answers cannot be kept for {}", raw.ttl),
            "give 1s to 30d",
        );
    }
    let max_entry = raw.max_entry.0;
    if max_entry == 0 || max_entry > LARGEST {
        cx.fault(
            &at.key("max_entry"),
            "no answer is as large as that",
            "give 1B to 16MiB",
        );
    }
    let store = check_store(cx, &at.key("store"), raw, around);
    let semantic = match &raw.semantic {
        Some(raw) => Some(check_semantic(cx, &at.key("semantic"), raw, around)?),
        None => None,
    };
    Some(Cache {
        ttl: raw.ttl.0,
        scope: raw.scope,
        store: store?,
        max_entry,
        semantic,
    })
}

fn check_semantic(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Semantic,
    around: &Around<'_>,
) -> Option<Semantic> {
    let place = at.key("provider");
    let provider = cx.resolve(&place, Noun::Provider, &raw.provider.0, around.owner())?;
    // Of a provider that is faulty itself enough has been said.
    if cx.makes_vectors(&provider) == Some(false) {
        cx.fault(
            &place,
            format!("the provider \"{provider}\" makes no embeddings"),
            "name one of dialect openai, or of dialect gemini but not on Vertex AI",
        );
    }
    Some(Semantic {
        provider,
        model: raw.model.0.as_str().into(),
        dimensions: raw.dimensions,
        threshold: raw.threshold,
        timeout: raw.timeout.0,
        max_texts: raw.max_texts as usize,
    })
}

fn check_store(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Cache,
    around: &Around<'_>,
) -> Option<Store> {
    match &raw.store {
        raw::Store::Memory { max_size } => {
            let at = at.key("max_size");
            if !MAX_SIZE.contains(&max_size.0) {
                let message = format!("a cache of {max_size} is none that a process keeps");
                cx.fault(&at, message, "give 1MiB to 64GiB");
            } else if raw.max_entry.0.saturating_mul(PARTS) > max_size.0 {
                let message = format!("it does not hold {PARTS} answers of `max_entry`");
                let least = Size(raw.max_entry.0.saturating_mul(PARTS));
                cx.fault(
                    &at,
                    message,
                    format!("give {least} or more, or keep smaller answers"),
                );
            }
            Some(Store::Memory {
                max_size: max_size.0,
            })
        }
        raw::Store::Redis { store } => {
            let at = at.key("store");
            let name = cx.resolve(&at, Noun::Store, &store.0, around.owner())?;
            if let Some(servers) = cx.redis(&name) {
                return Some(Store::Redis { name, servers });
            }
            // What is wrong with the store itself has been said.
            if !cx.is_faulty(&["stores"]) {
                let message = format!("the store \"{name}\" is not of kind redis");
                let hint = "name one that is, or keep answers in memory: `store: { kind: memory }`";
                cx.fault(&at, message, hint);
            }
            None
        }
    }
}

/// Checks what a cache needs of its route, and of who counts in its store.
pub(super) fn check_around(
    cx: &mut Checker<'_>,
    at: &At,
    cache: &Cache,
    policies: &[Attached],
    quotas: &[Arc<Quota>],
) {
    let authenticated = policies
        .iter()
        .any(|policy| matches!(policy.config, PolicyConfig::KeyAuth(_)));
    let whose = match cache.scope {
        Scope::Consumer => Some("consumer"),
        Scope::Team => Some("team"),
        Scope::Shared => None,
    };
    if let Some(whose) = whose.filter(|_| !authenticated) {
        cx.fault(
            &at.key("scope"),
            format!("answers are kept by {whose}, and nothing on this route finds out who calls"),
            "add the policy key_auth, or share answers: `scope: shared`",
        );
    }
    let Store::Redis { name, .. } = &cache.store else {
        return;
    };
    if let Some(quota) = quotas.iter().find(|quota| quota.store == *name) {
        cx.fault(
            &at.key("store").key("store"),
            format!("the quota \"{}\" is counted there", quota.name),
            "give answers an entry of `stores` of their own: what counts must not run full, and \
             what keeps answers should make room",
        );
    }
}
