//! `routes[].table`, checked.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::actions::Around;
use super::schema::{self, Schema};
use super::topic::{self, Topic};
use crate::config::check::{At, Checker};
use crate::config::raw::table as raw;
use crate::config::template::{Segment, Template, Variable};

/// Serves a compacted topic as a resource.
#[derive(Debug, Clone)]
pub struct Table {
    /// Which; its name is literal.
    pub topic: Topic,
    /// Its name.
    pub name: Arc<str>,
    /// The key of a value.
    pub key: Template,
    /// The most keys of the view.
    pub max_keys: usize,
    /// The most bytes.
    pub max_bytes: usize,
    /// The media type of values.
    pub content_type: HeaderValue,
    /// What values are in the topic, if they are not as callers see them.
    pub schema: Option<Schema>,
    /// Whether it is written.
    pub write: bool,
    /// Whether nothing is written without a condition.
    pub require_if_match: bool,
    /// The largest body in bytes.
    pub max_body: u64,
    /// How long callers wait.
    pub timeout: Duration,
}

impl Table {
    /// Whether values are JSON.
    pub fn is_json(&self) -> bool {
        let essence = self.content_type.to_str().unwrap_or_default();
        let essence = essence.split(';').next().unwrap_or_default().trim();
        essence == "application/json" || essence.ends_with("+json")
    }

    /// What a path has to capture to name a value.
    pub fn captures(&self) -> impl Iterator<Item = &Arc<str>> {
        captures(&self.key)
    }
}

fn captures(key: &Template) -> impl Iterator<Item = &Arc<str>> {
    key.variables().filter_map(|variable| match variable {
        Variable::Path(name) => Some(name),
        _ => None,
    })
}

/// Checks the action.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Table,
    around: &Around<'_>,
) -> Option<Table> {
    let name = cx.template(&at.key("topic"), &raw.topic);
    let topic = topic::check(cx, at, &raw.cluster, name, around);
    let key = cx.caller_template(&at.key("key"), &raw.key);
    let content_type = HeaderValue::from_str(&raw.content_type);
    if content_type.is_err() {
        let message = format!("\"{}\" is no media type", raw.content_type);
        cx.fault(
            &at.key("content_type"),
            message,
            "write it as application/json",
        );
    }
    let schema = match &raw.schema {
        Some(schema) => schema::check(cx, &at.key("schema"), schema, around.owner()).map(Some),
        None => Some(None),
    };
    if raw.require_if_match && !raw.write {
        let message = "nothing is written by this route, with or without a condition";
        cx.fault(
            &at.key("require_if_match"),
            message,
            "leave it out, or say `write: true`",
        );
    }
    if let Some(key) = &key {
        check_matches(cx, &at.key("key"), key, around);
        check_separators(cx, &at.key("key"), key);
    }
    if let Some(topic) = &topic {
        check_cluster(cx, &at.key("cluster"), topic);
    }
    let (topic, key) = (topic?, key?);
    let Some(name) = topic.name.literal().map(Into::into) else {
        let message = "the topic of a table is one, whoever calls";
        cx.fault(&at.key("topic"), message, "write its name");
        return None;
    };
    let table = Table {
        name,
        topic,
        key,
        max_keys: raw.max_keys,
        max_bytes: usize::try_from(raw.max_bytes.0).unwrap_or(usize::MAX),
        content_type: content_type.ok()?,
        schema: schema?,
        write: raw.write,
        require_if_match: raw.require_if_match,
        max_body: raw.max_body.0,
        timeout: raw.timeout.0,
    };
    if table.schema.is_some() && !table.is_json() {
        let message = "what a schema describes is JSON to callers";
        cx.fault(&at.key("content_type"), message, "leave it out");
    }
    Some(table)
}

/// A table is read and written by the gateway, which has to find the partition of a key by itself.
fn check_cluster(cx: &mut Checker<'_>, at: &At, topic: &Topic) {
    if cx.has_principals(&topic.cluster) {
        let message = "a table is read and written by the gateway, and this cluster knows callers by their own principals";
        let hint = "use rules for topics (`identity.kind: acls`), or another cluster";
        cx.fault(at, message, hint);
    }
    if let Some(name) = cx.foreign_partitioner(&topic.cluster) {
        let message = format!(
            "a table finds the partition of a key before it writes, and does not know the partitioner \"{name}\""
        );
        let hint = "set it to murmur2_random (as Java's producers) or consistent_random";
        cx.fault(at, message, hint);
    }
}

/// Without text between them it is not known where one value ends: `ab` and `c` have the key of `a` and `bc`.
fn check_separators(cx: &mut Checker<'_>, at: &At, key: &Template) {
    for pair in key.segments().windows(2) {
        if let [Segment::Variable(first), Segment::Variable(second)] = pair {
            let message = format!(
                "nothing is between {first} and {second}, so two resources may have the same key"
            );
            let hint = format!("put text between them, as in {first}/{second}");
            cx.fault(at, message, hint);
        }
    }
}

/// A match names a value, by all that the key is made of, or lists them, by nothing of it.
fn check_matches(cx: &mut Checker<'_>, at: &At, key: &Template, around: &Around<'_>) {
    let wanted: Vec<_> = captures(key).collect();
    if wanted.is_empty() {
        let message = "the key of a value comes from the path";
        cx.fault(
            at,
            message,
            "write it as {path.id}, and a match as { template: \"/users/{id}\" }",
        );
        return;
    }
    let mut has_item = false;
    for captured in around.captured() {
        // Of one that is faulty nothing is known.
        let Some(captured) = captured else {
            has_item = true;
            continue;
        };
        let missing = wanted
            .iter()
            .filter(|name| !captured.contains(name))
            .count();
        has_item |= missing == 0;
        if missing != 0 && missing != wanted.len() {
            let message = "a match of the route captures only some of what the key is made of";
            cx.fault(
                at,
                message,
                "capture all of it to name a value, or nothing to list them",
            );
        }
    }
    if !has_item {
        let named = |before: &str, between: &str| {
            let each = wanted.iter().map(|name| format!("{before}{name}}}"));
            each.collect::<Vec<_>>().join(between)
        };
        let message = format!(
            "no match of the route captures {}",
            named("{path.", " and ")
        );
        let hint = format!(
            "add a match such as {{ path: {{ template: \"/users/{}\" }} }}; one without it lists all values",
            named("{", "/")
        );
        cx.fault(at, message, hint);
    }
}

/// The templates of the action, and where each is.
pub(super) fn templates<'t>(at: &At, table: &'t Table) -> Vec<(At, &'t Template)> {
    vec![(at.key("key"), &table.key)]
}
