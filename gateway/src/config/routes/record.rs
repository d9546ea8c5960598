//! What a route makes a record of Kafka of, checked: the same for all actions that send one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::actions::Around;
use super::topic::{self, Topic};
use crate::config::check::{At, Checker};
use crate::config::raw::Name;
use crate::config::template::{Template, Variable};

/// What a record is made of.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where it is sent to.
    pub topic: Topic,
    /// Its key; a variable without a value leaves the record without one.
    pub key: Option<Template>,
    /// Its partition; a variable without a value leaves it to the key.
    pub partition: Option<Template>,
    /// Its timestamp; a variable without a value leaves it to the producer.
    pub timestamp: Option<Template>,
    /// Its headers, in the order of their names.
    pub headers: Vec<(Arc<str>, Template)>,
}

impl Record {
    /// Whether anything of it is made of the request's body.
    pub fn reads_body(&self) -> bool {
        let parts = [&self.key, &self.partition, &self.timestamp];
        let parts = parts.into_iter().flatten();
        let headers = self.headers.iter().map(|(_, value)| value);
        let mut all = parts.chain(headers).chain([&self.topic.name]);
        all.any(|template| {
            let mut variables = template.variables();
            variables.any(|variable| matches!(variable, Variable::Body(_)))
        })
    }
}

/// What an action says of it.
pub(super) struct Said<'r> {
    pub cluster: &'r Name,
    pub topic: &'r str,
    pub key: Option<&'r str>,
    pub partition: Option<&'r str>,
    pub timestamp: Option<&'r str>,
    pub headers: &'r BTreeMap<String, String>,
}

/// Checks what the action at `at` says.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    said: &Said<'_>,
    around: &Around<'_>,
) -> Option<Record> {
    let name = around.record_template(cx, &at.key("topic"), said.topic);
    let topic = topic::check(cx, at, said.cluster, name, around);
    let mut template = |key: &str, text: Option<&str>| match text {
        Some(text) => around.record_template(cx, &at.key(key), text).map(Some),
        None => Some(None),
    };
    let key = template("key", said.key);
    let partition = template("partition", said.partition);
    let timestamp = template("timestamp", said.timestamp);
    let mut headers = Vec::new();
    for (name, text) in said.headers {
        let value = around.record_template(cx, &at.key("headers").key(name), text);
        headers.extend(value.map(|value| (name.as_str().into(), value)));
    }
    Some(Record {
        topic: topic?,
        key: key?,
        partition: partition?,
        timestamp: timestamp?,
        headers,
    })
}

/// The templates that a record is made with, and where each is.
pub(super) fn templates<'r>(at: &At, record: &'r Record) -> Vec<(At, &'r Template)> {
    let parts = [
        ("key", &record.key),
        ("partition", &record.partition),
        ("timestamp", &record.timestamp),
    ];
    let parts = parts.map(|(key, part)| (at.key(key), part.as_ref()));
    let topic = (at.key("topic"), Some(&record.topic.name));
    let headers = record.headers.iter();
    let headers = headers.map(|(name, value)| (at.key("headers").key(name), Some(value)));
    let all = [topic].into_iter().chain(parts).chain(headers);
    all.filter_map(|(at, template)| Some((at, template?)))
        .collect()
}
