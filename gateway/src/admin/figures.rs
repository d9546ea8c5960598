//! Where quotas stand, which targets are set aside, how views of tables do, what waits for brokers and when
//! certificates expire, for `/metrics`: looked at when somebody scrapes, and at most once a second.
//!
//! A look goes through every key this process knows, on a thread that may be kept busy. Nobody
//! pays for it but who asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use weir_telemetry::Metrics;
use weir_telemetry::metrics::standing::Figures;
use weir_telemetry::metrics::{Backlog, Certificate, Standing, Target, table};

use super::workers;
use crate::gateway::Gateway;
use crate::quota::{Quota, Store, Total};
use crate::runtime::Snapshot;

/// Figures younger than this are good enough.
const FRESH: Duration = Duration::from_secs(1);

/// When the last look was, and what it found.
#[derive(Default)]
pub(super) struct Looks {
    last: Mutex<Option<(Instant, Look)>>,
}

/// What holds the series.
#[derive(Default)]
struct Look {
    /// By the quota's name; those of quotas that are gone are gone too.
    standings: HashMap<Arc<str>, Standing>,
    webhooks: workers::Standings,
    llm_workers: workers::Standings,
    /// By the names of provider and model.
    targets: Named<Target>,
    /// By the names of cluster and topic.
    tables: Named<table::Standing>,
    /// By the names of clusters.
    backlogs: HashMap<Arc<str>, Backlog>,
    /// By the names of listener and file.
    certificates: Named<Certificate>,
}

/// What has a name in two parts.
type Named<T> = HashMap<(Arc<str>, Arc<str>), T>;

impl Looks {
    /// Brings the figures up to date. Who comes while another looks waits for the same look.
    pub(super) async fn refresh(&self, gateway: &Arc<Gateway>) {
        let mut last = self.last.lock().await;
        if last.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH) {
            return;
        }
        let gateway = Arc::clone(gateway);
        let (_, before) = last.take().unzip();
        let look = move || look(&gateway, before.unwrap_or_default());
        // It fails only where the process is about to end.
        let look = tokio::task::spawn_blocking(look).await.ok();
        *last = look.map(|look| (Instant::now(), look));
    }
}

fn look(gateway: &Gateway, before: Look) -> Look {
    let snapshot = gateway.snapshot();
    let metrics = &gateway.telemetry.metrics;
    let quotas = snapshot.quotas();
    let totals = gateway.ledger.totals(quotas);
    let (mut shown, mut standings) = (before.standings, HashMap::new());
    for (quota, total) in quotas.iter().zip(totals) {
        let known = shown.remove(&quota.name);
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
        standings,
        webhooks: workers::look(&gateway.webhooks, gateway, before.webhooks),
        llm_workers: workers::look(&gateway.llm_workers, gateway, before.llm_workers),
        targets: targets(&snapshot, metrics, before.targets),
        tables: tables(&snapshot, metrics, before.tables),
        backlogs: backlogs(&snapshot, metrics, before.backlogs),
        certificates: certificates(&snapshot, metrics, before.certificates),
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

fn backlogs(
    snapshot: &Snapshot,
    metrics: &Metrics,
    mut shown: HashMap<Arc<str>, Backlog>,
) -> HashMap<Arc<str>, Backlog> {
    let each = snapshot.clusters().map(|(name, cluster)| {
        let known = shown.remove(name);
        let backlog = known.unwrap_or_else(|| metrics.backlog(name));
        backlog.is(&cluster.held());
        (name.clone(), backlog)
    });
    each.collect()
}

fn certificates(
    snapshot: &Snapshot,
    metrics: &Metrics,
    mut shown: Named<Certificate>,
) -> Named<Certificate> {
    let listeners = snapshot.loaded.config.listeners.iter();
    let all = listeners.flat_map(|listener| {
        let tls = listener.tls.iter();
        let certificates = tls.flat_map(|tls| &tls.certificates);
        certificates.map(|certificate| (&listener.name, certificate))
    });
    let each = all.filter_map(|(listener, certificate)| {
        let expiry = certificate.expiry()?;
        let names = (
            listener.clone(),
            certificate.cert_file.display().to_string().into(),
        );
        let known = shown.remove(&names);
        let series = known.unwrap_or_else(|| metrics.certificate(&names.0, &names.1));
        series.expires(expiry);
        Some((names, series))
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
