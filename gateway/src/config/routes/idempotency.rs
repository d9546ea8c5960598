//! `idempotency` of an action, checked.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::actions::Around;
use crate::config::check::{At, Checker, Noun};
use crate::config::raw::idempotency as raw;
use crate::config::stores::Redis;

/// How long answers may be remembered.
const KEEP: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);

/// Does once what is sent several times with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Where keys are remembered.
    pub store: Store,
    /// How long an answer is.
    pub keep: Duration,
    /// Whether requests without a key are refused.
    pub required: bool,
}

/// Where keys are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In this process.
    Memory {
        /// The entry of `stores`.
        name: Arc<str>,
    },
    /// In Redis.
    Redis {
        /// The entry of `stores`.
        name: Arc<str>,
        /// What it says.
        servers: Arc<Redis>,
    },
}

impl Store {
    /// The entry of `stores`.
    pub const fn name(&self) -> &Arc<str> {
        match self {
            Self::Memory { name } | Self::Redis { name, .. } => name,
        }
    }
}

/// Checks it.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Idempotency,
    around: &Around<'_>,
) -> Option<Idempotency> {
    if !KEEP.contains(&raw.keep.0) {
        let message = format!("answers cannot be remembered for {}", raw.keep);
        cx.fault(&at.key("keep"), message, "give 1s to 30d");
    }
    Some(Idempotency {
        store: check_store(cx, &at.key("store"), &raw.store.0, around)?,
        keep: raw.keep.0,
        required: raw.required,
    })
}

fn check_store(cx: &mut Checker<'_>, at: &At, name: &str, around: &Around<'_>) -> Option<Store> {
    let name = cx.resolve(at, Noun::Store, name, around.owner())?;
    if let Some(servers) = cx.redis(&name) {
        return Some(Store::Redis { name, servers });
    }
    if cx.is_in_memory(&name) {
        let message = format!(
            "the store \"{name}\" is in memory: keys are forgotten when the gateway restarts, and no other gateway knows them"
        );
        cx.warn(at, message, "name a store of kind redis");
        return Some(Store::Memory { name });
    }
    // What is wrong with the store itself has been said.
    if !cx.is_faulty(&["stores"]) {
        let message = format!("the store \"{name}\" remembers no keys");
        cx.fault(at, message, "name one of kind redis or memory");
    }
    None
}
