//! Quotas as the ledger wants them, from what the configuration says.

use std::collections::HashMap;
use std::sync::Arc;

use weir_protocols::rate_limit;

use super::{Metered, Policed, Quotas, needs_action};
use crate::config::policies::PolicyConfig;
use crate::config::quotas as config;
use crate::config::routes::Route;
use crate::quota::{
    By, Limit, Narrowed, OnExhausted, OnStoreFailure, Period, Quota, Store, Window,
};
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
    let mut quotas: Vec<Metered> = Vec::new();
    let attached = route
        .policies
        .iter()
        .filter_map(|attached| match &attached.config {
            PolicyConfig::Quota(config) => Some(&config.quotas),
            _ => None,
        });
    for name in attached.flatten() {
        if quotas.iter().any(|metered| metered.quota.name == *name) {
            continue;
        }
        quotas.push(Metered {
            quota: parts
                .quotas
                .get(name)
                .expect("`check` resolved every quota")
                .clone(),
            name: rate_limit::Name::new(name).expect("a checked name is printable"),
            metrics: parts.metrics.quota(name),
        });
    }
    let deferred = quotas.iter().any(|m| needs_action(&m.quota));
    Policed {
        quotas: Arc::new(Quotas(quotas)),
        deferred,
    }
}

fn definition(quota: &config::Quota, store: Store) -> Quota {
    let config::Narrowed {
        routes,
        models,
        consumers,
    } = quota.narrowed.clone();
    Quota {
        name: quota.name.clone(),
        store,
        unit: quota.unit.into(),
        limit: Limit {
            default: quota.limit,
            overrides: quota.overrides.clone(),
        },
        window: window(quota),
        by: quota.by.iter().map(dimension).collect(),
        narrowed: Narrowed {
            routes,
            models,
            consumers,
        },
        enforce: quota.enforce,
        on_exhausted: match quota.on_exhausted {
            config::OnExhausted::Refuse => OnExhausted::Refuse,
            config::OnExhausted::Cut => OnExhausted::Cut,
            config::OnExhausted::Finish => OnExhausted::Finish,
        },
        on_store_failure: match quota.on_store_failure {
            config::OnStoreFailure::Deny => OnStoreFailure::Deny,
            config::OnStoreFailure::Allow => OnStoreFailure::Allow,
        },
    }
}

fn window(quota: &config::Quota) -> Window {
    match quota.window {
        config::Window::Fixed(every, zone) => Window::Fixed {
            every: match every {
                config::Every::Minute => Period::Minute,
                config::Every::Hour => Period::Hour,
                config::Every::Day => Period::Day(zone),
                config::Every::Month => Period::Month(zone),
            },
        },
        config::Window::Sliding(every) => Window::Sliding { every },
        config::Window::TokenBucket { every, burst } => {
            Window::token_bucket(quota.limit, every, burst)
        }
        config::Window::Held => Window::Held,
    }
}

fn dimension(dimension: &config::Dimension) -> By {
    match dimension {
        config::Dimension::Organisation => By::Organisation,
        config::Dimension::Team => By::Team,
        config::Dimension::Consumer => By::Consumer,
        config::Dimension::Route => By::Route,
        config::Dimension::Model => By::Model,
        config::Dimension::Provider => By::Provider,
        config::Dimension::ClientAddress => By::ClientAddress,
        config::Dimension::Header(name) => By::Header(name.clone()),
    }
}
