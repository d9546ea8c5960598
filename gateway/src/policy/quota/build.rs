//! Quotas as the ledger wants them, from what the configuration says.

use std::collections::HashMap;
use std::sync::Arc;

use weir_protocols::rate_limit;

use super::{Metered, Policed, Quotas, needs_action};
use crate::config::policies::PolicyConfig;
use crate::config::quotas as config;
use crate::config::routes::Route;
use crate::quota::{Quota, Store};
use crate::runtime::Parts;

/// The definitions, by name, each counted in its one of `stores`.
pub(crate) fn definitions(
    quotas: &[Arc<config::Quota>],
    stores: &HashMap<Arc<str>, Store>,
) -> HashMap<Arc<str>, Arc<Quota>> {
    let of = |quota: &config::Quota| {
        let store = stores
            .get(&quota.store)
            .expect("`check` resolved every store");
        Arc::new(definition(quota, store.clone()))
    };
    quotas
        .iter()
        .map(|quota| (quota.name.clone(), of(quota)))
        .collect()
}

/// The policy of one route: all its quotas, whoever attached them, each once.
pub(crate) fn build(route: &Route, parts: &Parts<'_>) -> Policed {
    let quotas = metered(of(route, parts), parts);
    let deferred = quotas.0.iter().any(|m| needs_action(&m.quota));
    Policed {
        quotas: Arc::new(quotas),
        deferred,
    }
}

/// Quotas that count what no route does, by their names.
pub(crate) fn named(names: &[Arc<str>], parts: &Parts<'_>) -> Quotas {
    metered(names.iter().map(|name| find(name, parts)), parts)
}

/// Each of these once.
fn metered<'p>(quotas: impl Iterator<Item = &'p Arc<Quota>>, parts: &Parts<'_>) -> Quotas {
    let mut metered: Vec<Metered> = Vec::new();
    for quota in quotas {
        let name = &quota.name;
        if metered.iter().any(|metered| metered.quota.name == *name) {
            continue;
        }
        metered.push(Metered {
            name: rate_limit::Name::new(name).expect("a checked name is printable"),
            metrics: parts.metrics.quota(name),
            quota: quota.clone(),
        });
    }
    Quotas(metered)
}

fn find<'p>(name: &str, parts: &'p Parts<'_>) -> &'p Arc<Quota> {
    let quota = parts.quotas.get(name);
    quota.expect("`check` resolved every quota")
}

/// Whether a route's quotas count what language models read or write.
pub(crate) fn count_tokens(route: &Route, parts: &Parts<'_>) -> bool {
    of(route, parts).any(|quota| quota.unit.depends_on_tokens())
}

/// A route's quotas, as often as they are attached.
fn of<'p>(route: &'p Route, parts: &'p Parts<'_>) -> impl Iterator<Item = &'p Arc<Quota>> {
    let names = route
        .policies
        .iter()
        .filter_map(|attached| match &attached.config {
            PolicyConfig::Quota(config) => Some(&config.quotas),
            _ => None,
        });
    names.flatten().map(|name| find(name, parts))
}

fn definition(quota: &config::Quota, store: Store) -> Quota {
    let quota = quota.clone();
    Quota {
        name: quota.name,
        store,
        unit: quota.unit,
        limit: quota.limit,
        window: quota.window,
        by: quota.by,
        narrowed: quota.narrowed,
        enforce: quota.enforce,
        on_exhausted: quota.on_exhausted,
        on_store_failure: quota.on_store_failure,
    }
}
