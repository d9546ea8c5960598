//! The spools of a configuration. One that a reload leaves as it is stays open; of one that changes, the
//! next takes over what the last one has not sent.

use std::collections::HashMap;
use std::sync::Arc;

use weir_telemetry::Metrics;

use super::Snapshot;
use crate::config::Config;
use crate::kafka::{self, Patient};
use crate::spool::{self, Settings, Spool, Spools};

/// Opens those that are not open already.
pub(super) fn open(
    config: &Config,
    clusters: &HashMap<Arc<str>, Arc<kafka::Cluster>>,
    previous: Option<&Snapshot>,
    metrics: &Metrics,
) -> Result<Spools, String> {
    let mut spools = Spools::new();
    for cluster in &config.kafka_clusters {
        let Some(max_size) = cluster.spool else {
            continue;
        };
        let name = &cluster.name;
        let same = previous.and_then(|previous| {
            let is_same = Arc::ptr_eq(previous.clusters.get(name)?, clusters.get(name)?);
            previous.spools.get(name).filter(|_| is_same)
        });
        let spool = match same {
            Some(same) => same.clone(),
            None => {
                let settings = Settings {
                    cluster: name.clone(),
                    directory: config.server.data_dir.join(spool::DIRECTORY).join(&**name),
                    max_size,
                };
                let at = settings.directory.display().to_string();
                let session = clusters[name].own().map_err(|error| error.to_string())?;
                let sink = spool::Cluster::new(Patient::start(cluster)?, session);
                let spool = Spool::open(settings, sink, metrics);
                Arc::new(spool.map_err(|error| format!("{at}: {error}"))?)
            }
        };
        spools.insert(name.clone(), spool);
    }
    Ok(spools)
}

/// Leaves what is not sent to `next`, which is about to be in force.
pub(super) fn retire(spools: &Spools, next: &Spools) {
    for (name, spool) in spools {
        match next.get(name) {
            Some(successor) if Arc::ptr_eq(spool, successor) => {}
            Some(_) => spool.retire(),
            None => {
                spool.retire();
                log::warn!(
                    "the Kafka cluster \"{name}\" has no spool any more: what is in it stays on disk \
                     and is not sent until it has one again"
                );
            }
        }
    }
}
