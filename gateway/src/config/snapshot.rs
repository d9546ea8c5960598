//! A configuration as a tree: to compare with another, and to show.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::check::At;
use super::fault::{push_index, push_key};
use super::load::Shaped;
use super::source::{self, File};

/// A configuration with its values put in, and with the digests of the files
/// it names. Holds secrets, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tree(Value);

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Tree {
    /// The tree of `files`, with `digests` in the places that name files.
    pub(super) fn new(files: &[Shaped], digests: &BTreeMap<At, String>) -> Self {
        let trees: Vec<Value> = files
            .iter()
            .map(|file| {
                with_digests(
                    &file.tree,
                    &At {
                        file: file.file,
                        path: String::new(),
                    },
                    digests,
                )
            })
            .collect();
        let mut tree = source::merge(&trees);
        for (section, entries) in files
            .iter()
            .filter_map(|file| file.team.as_ref().map(|team| (team, &file.tree)))
            .flat_map(|(team, tree)| {
                tree.as_object()
                    .into_iter()
                    .flatten()
                    .map(move |(section, entries)| ((section, team), entries))
            })
        {
            own(&mut tree, section.0, section.1, entries);
        }
        Self(tree)
    }

    /// What it says. For comparing and digesting only.
    pub(super) fn value(&self) -> &Value {
        &self.0
    }
}

/// Notes whose the entries of a team's file are: whose they are is part of what they mean.
fn own(tree: &mut Value, section: &str, team: &str, entries: &Value) {
    let Some(all) = tree.get_mut(section).and_then(Value::as_array_mut) else {
        return;
    };
    for entry in entries.as_array().into_iter().flatten() {
        let name = entry.get("name");
        let mine = all
            .iter_mut()
            .find(|other| other.get("name") == name)
            .and_then(Value::as_object_mut);
        if let Some(mine) = mine {
            mine.insert("team".to_owned(), json!(team));
        }
    }
}

fn with_digests(value: &Value, at: &At, digests: &BTreeMap<At, String>) -> Value {
    if let Some(digest) = digests.get(at) {
        return json!({ "file": value, "sha256": digest });
    }
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                let mut at = at.clone();
                push_index(&mut at.path, index);
                with_digests(item, &at, digests)
            });
            Value::Array(items.collect())
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, entry)| {
                let mut at = at.clone();
                push_key(&mut at.path, key);
                (key.clone(), with_digests(entry, &at, digests))
            });
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

/// The configuration as written: `${…}` stays as it is, and what is secret is masked.
pub(super) fn redacted(files: &[File]) -> Value {
    let mut tree = source::merge(files.iter().map(|file| &file.tree));
    for secret in tree
        .get_mut("secrets")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(value) = secret.get_mut("value") {
            *value = json!("***");
        }
    }
    // literal metadata for a collector is usually a credential
    let headers = tree
        .pointer_mut("/telemetry/otlp/headers")
        .and_then(Value::as_object_mut);
    for value in headers
        .into_iter()
        .flat_map(|headers| headers.values_mut())
        .filter(|value| value.is_string())
    {
        *value = json!("***");
    }
    tree
}
