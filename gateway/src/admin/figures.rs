//! Where quotas stand, which targets are set aside and how views of tables do, for `/metrics`: looked at when
//! somebody scrapes, and at most once a second.
//!
//! A look goes through every key this process knows, on a thread that may be kept busy. Nobody
//! pays for it but who asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use weir_telemetry::Metrics;
use weir_telemetry::metrics::standing::Figures;
use weir_telemetry::metrics::{Standing, Target, table};

use super::workers;
use crate::gateway::Gateway;
use crate::quota::{Quota, Store, Total};
use crate::runtime::Snapshot;

/// Figures younger than this are good enough.
const FRESH: Duration = Duration::from_secs(1);

/// When the last look was, and what holds the series.
#[derive(Default)]
pub(super) struct Looks {
    last: Mutex<Option<Look>>,
}

struct Look {
    at: Instant,
    /// By the quota's name; those of quotas that are gone are gone too.
    standings: HashMap<Arc<str>, Standing>,
    webhooks: workers::Standings,
    llm_workers: workers::Standings,
    /// By the names of provider and model.
    targets: Named<Target>,
    /// By the names of cluster and topic.
    tables: Named<table::Standing>,
}

/// What has a name in two parts.
type Named<T> = HashMap<(Arc<str>, Arc<str>), T>;

impl Looks {
    /// Brings the figures up to date. Who comes while another looks waits for the same look.
    pub(super) async fn refresh(&self, gateway: &Arc<Gateway>) {
        let mut last = self.last.lock().await;
        if last.as_ref().is_some_and(|look| look.at.elapsed() < FRESH) {
            return;
        }
        let gateway = Arc::clone(gateway);
        let before = last.take();
        let look = tokio::task::spawn_blocking(move || look(&gateway, before)).await;
        // It fails only where the process is about to end.
        *last = look.ok();
    }
}

fn look(gateway: &Gateway, before: Option<Look>) -> Look {
    let (mut before, shown, views, webhooks, llm_workers) = match before {
        Some(look) => (
            look.standings,
            look.targets,
            look.tables,
            look.webhooks,
            look.llm_workers,
        ),
        None => Default::default(),
    };
    let snapshot = gateway.snapshot();
    let metrics = &gateway.telemetry.metrics;
    let quotas = snapshot.quotas();
    let totals = gateway.ledger.totals(quotas);
    let mut standings = HashMap::new();
    for (quota, total) in quotas.iter().zip(totals) {
        let known = before.remove(&quota.name);
        let standing = known.unwrap_or_else(|| metrics.standing(&quota.name));
        standing.is(&figures(quota, &total));
        standings.insert(quota.name.clone(), standing);
    }
    for definition in &snapshot.loaded.config.stores {
        let store = snapshot.store(&definition.name);
        let keeps = store.and_then(Store::keeps);
        if let Some(keeps) = keeps {
            metrics.store(&definition.name).keeps(keeps);
        }
    }
    Look {
        at: Instant::now(),
        standings,
        webhooks: workers::look(&gateway.webhooks, gateway, webhooks),
        llm_workers: workers::look(&gateway.llm_workers, gateway, llm_workers),
        targets: targets(&snapshot, metrics, shown),
        tables: tables(&snapshot, metrics, views),
    }
}

fn targets(snapshot: &Snapshot, metrics: &Metrics, mut shown: Named<Target>) -> Named<Target> {
    let each = snapshot.targets().into_iter().map(|standing| {
        let names = (standing.provider.clone(), standing.model.clone());
        let known = shown.remove(&names);
        let target = known.unwrap_or_else(|| metrics.target(&names.0, &names.1));
        target.set_aside(standing.is_aside());
        (names, target)
    });
    each.collect()
}

fn tables(
    snapshot: &Snapshot,
    metrics: &Metrics,
    mut shown: Named<table::Standing>,
) -> Named<table::Standing> {
    let each = snapshot.tables().iter().map(|(names, view)| {
        let known = shown.remove(names);
        let standing = known.unwrap_or_else(|| metrics.table_standing(&names.0, &names.1));
        standing.is(&view.figures());
        (names.clone(), standing)
    });
    each.collect()
}

fn figures(quota: &Quota, total: &Total) -> Figures {
    let standing = &total.standing;
    Figures {
        limit: quota.limit.default,
        enforced: quota.enforce,
        keys: total.keys,
        used: standing.settled,
        reserved: standing.reserved,
        debt: standing.debt,
        credit: standing.credit,
        fullest: total.fullest,
    }
}
