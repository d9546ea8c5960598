//! `usage_events`, checked.

use std::sync::Arc;

use super::check::{Checker, Item, Noun};
use super::raw::usage_events as raw;
use super::routes::topic::check_name;

/// The topic that tells what every request used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvents {
    /// The cluster's name; it exists and has a spool.
    pub cluster: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
}

/// Checks it.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::UsageEvents>) -> Option<UsageEvents> {
    let (at, raw) = (&item.at, &item.raw);
    check_name(cx, &at.key("topic"), &raw.topic, None)?;
    let at = at.key("cluster");
    let cluster = cx.resolve(&at, Noun::Cluster, &raw.cluster.0, None)?;
    if !cx.has_spool(&cluster) {
        let message = format!("the Kafka cluster \"{cluster}\" has no spool");
        let hint = "write `spool: { max_size: 1GiB }` under it in `kafka_clusters`";
        cx.fault(&at, message, hint);
        return None;
    }
    Some(UsageEvents {
        cluster,
        topic: raw.topic.as_str().into(),
    })
}
