//! A topic of a cluster, as a route names it.

use std::sync::Arc;

use super::actions::Around;
use crate::config::check::{At, Checker, Noun};
use crate::config::kafka_clusters::is_topic;
use crate::config::platform::Team;
use crate::config::raw::Name;
use crate::config::template::Template;

/// A topic of a cluster.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The cluster's name; it exists.
    pub cluster: Arc<str>,
    /// Its name. A literal one has been checked.
    pub name: Template,
    /// The topics that the route's team owns: exact, or ending in `*`. `None` allows all.
    allowed: Option<Vec<String>>,
}

impl Topic {
    /// Whether a name that was made is that of a topic this route may use.
    pub fn allows(&self, name: &str) -> bool {
        let allowed = self.allowed.as_ref();
        is_topic(name) && allowed.is_none_or(|allowed| owns(allowed, name))
    }
}

/// Whether `topic` is among `owned`: names, exact or ending in `*`.
pub(in crate::config) fn owns(owned: &[String], topic: &str) -> bool {
    owned.iter().any(|owned| match owned.strip_suffix('*') {
        Some(start) => topic.starts_with(start),
        None => owned == topic,
    })
}

/// Checks what `cluster` and `topic` say in the action at `at`; `name` is what was read of the
/// latter. A literal topic is checked here; another each time it is made.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    cluster: &Name,
    name: Option<Template>,
    around: &Around<'_>,
) -> Option<Topic> {
    let cluster = cx.resolve(
        &at.key("cluster"),
        Noun::Cluster,
        &cluster.0,
        around.owner(),
    );
    let (at, name) = (at.key("topic"), name?);
    if let Some(literal) = name.literal() {
        check_name(cx, &at, literal, around.team)?;
    }
    Some(Topic {
        cluster: cluster?,
        name,
        allowed: around.team.map(|team| team.topics.clone()),
    })
}

/// Checks that Kafka allows a topic of that name, and the team owns it.
pub(in crate::config) fn check_name(
    cx: &mut Checker<'_>,
    at: &At,
    name: &str,
    team: Option<&Team>,
) -> Option<()> {
    if !is_topic(name) {
        let hint = "topics are letters, digits, \".\", \"_\" and \"-\", at most 249";
        cx.fault(at, format!("\"{name}\" is no topic"), hint);
        return None;
    }
    if let Some(team) = team
        && !owns(&team.topics, name)
    {
        let message = format!("team \"{}\" does not own the topic \"{name}\"", team.name);
        cx.fault(
            at,
            message,
            format!("list it under `owns.topics` of team \"{}\"", team.name),
        );
        return None;
    }
    Some(())
}
