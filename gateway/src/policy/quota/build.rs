//! Quotas as the ledger wants them, from what the configuration says.

use std::collections::HashMap;
use std::sync::Arc;

use weir_protocols::rate_limit;

use super::{Metered, Policed, Quotas, needs_action};
use crate::config::policies::PolicyConfig;
use crate::config::quotas as config;
use crate::config::routes::Route;
use crate::quota::{By, Limit, Period, Quota, Unit, Window};
use crate::runtime::Parts;

/// The definitions, by name.
pub(crate) fn definitions(quotas: &[Arc<config::Quota>]) -> HashMap<Arc<str>, Arc<Quota>> {
    quotas
        .iter()
        .map(|quota| (quota.name.clone(), Arc::new(definition(quota))))
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

fn definition(quota: &config::Quota) -> Quota {
    Quota {
        name: quota.name.clone(),
        unit: match quota.unit {
            config::Unit::Requests => Unit::Requests,
            config::Unit::Tokens => Unit::Tokens,
        },
        limit: Limit {
            default: quota.limit,
            overrides: quota
                .overrides
                .iter()
                .map(|(k, v)| (k.to_string(), *v))
                .collect(),
        },
        window: match quota.window {
            config::Window::Fixed(every) => Window::Fixed {
                every: period(every),
            },
            config::Window::Sliding(every) => Window::Sliding { every },
        },
        by: quota.by.iter().map(dimension).collect(),
    }
}

fn period(every: config::Every) -> Period {
    match every {
        config::Every::Minute => Period::Minute,
        config::Every::Hour => Period::Hour,
        config::Every::Day => Period::Day,
        config::Every::Month => Period::Month,
    }
}

fn dimension(dimension: &config::Dimension) -> By {
    match dimension {
        config::Dimension::Consumer => By::Consumer,
        config::Dimension::Team => By::Team,
        config::Dimension::Route => By::Route,
        config::Dimension::ClientAddress => By::ClientAddress,
        config::Dimension::Model => By::Model,
    }
}
