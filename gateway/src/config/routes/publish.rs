//! `routes[].publish`, checked.

use std::sync::Arc;
use std::time::Duration;

use super::actions::Around;
use super::topic::{self, Topic};
use crate::config::check::{At, Checker};
use crate::config::raw::publish as raw;
use crate::config::template::Template;

/// Makes a request a Kafka record.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Where to.
    pub topic: Topic,
    /// The record's key; a variable without a value leaves the record without one.
    pub key: Option<Template>,
    /// Headers of the record, in the order of their names.
    pub headers: Vec<(Arc<str>, Template)>,
    /// The largest body in bytes.
    pub max_body: u64,
    /// How long the caller waits for the broker.
    pub timeout: Duration,
}

/// Checks the action.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Publish,
    around: &Around<'_>,
) -> Option<Publish> {
    let topic = topic::check(cx, at, &raw.cluster, &raw.topic, around);
    let key = raw
        .key
        .as_ref()
        .map(|key| around.template(cx, &at.key("key"), key));
    let mut headers = Vec::new();
    for (name, text) in &raw.headers {
        let value = around.template(cx, &at.key("headers").key(name), text);
        headers.extend(value.map(|value| (name.as_str().into(), value)));
    }
    Some(Publish {
        topic: topic?,
        key: match key {
            Some(key) => Some(key?),
            None => None,
        },
        headers,
        max_body: raw.max_body.0,
        timeout: raw.timeout.0,
    })
}
