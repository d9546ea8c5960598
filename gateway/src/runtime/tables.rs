//! The tables of a configuration: one for each topic that a route serves, whichever routes do. One that a
//! reload leaves as it is keeps its view.

use std::collections::HashMap;
use std::sync::Arc;

use weir_telemetry::Metrics;

use super::Snapshot;
use crate::config::Config;
use crate::config::routes::action::Action;
use crate::config::routes::table as config;
use crate::kafka;
use crate::table::{Bounds, Table};

/// By cluster and topic.
pub(super) type Tables = HashMap<(Arc<str>, Arc<str>), Arc<Table>>;

/// By which a route's table is found.
pub(super) fn name(action: &config::Table) -> (Arc<str>, Arc<str>) {
    (action.topic.cluster.clone(), action.name.clone())
}

/// Those that are not there already; nobody fills them yet. Of routes that say different bounds, the wider
/// ones hold.
pub(super) fn open(
    config: &Config,
    clusters: &HashMap<Arc<str>, Arc<kafka::Cluster>>,
    previous: Option<&Snapshot>,
    metrics: &Metrics,
) -> Result<Tables, String> {
    let mut wanted: HashMap<_, Bounds> = HashMap::new();
    for route in &config.routes {
        if let Action::Table(action) = &route.action {
            let bounds = Bounds {
                keys: action.max_keys,
                bytes: action.max_bytes,
            };
            let known = wanted.entry(name(action)).or_insert(bounds);
            *known = known.or(bounds);
        }
    }
    let mut tables = Tables::new();
    for (name, bounds) in wanted {
        let session = clusters[&name.0].own().map_err(|error| error.to_string())?;
        let before = previous.and_then(|previous| previous.tables.get(&name));
        let table = match before.filter(|before| before.fits(&session, bounds)) {
            Some(same) => same.clone(),
            None => {
                let metrics = metrics.table(&name.0, &name.1);
                Table::new(session, name.1.clone(), bounds, metrics)
            }
        };
        tables.insert(name, table);
    }
    Ok(tables)
}
