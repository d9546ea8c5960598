//! What one configuration changes in another, by section and name.
//!
//! Compares trees and tells paths, never values: those may be secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::Loaded;
use super::fault::{push_index, push_key};

/// One thing that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The section, as `routes`.
    pub section: String,
    /// The entry, if the section is a list of named entries.
    pub name: Option<String>,
    /// What happens to it.
    pub kind: Kind,
    /// What changes in it, as `forward.backends[0].weight`; for
    /// [`Kind::Changed`] only.
    pub paths: Vec<String>,
}

/// What happens to an entry or a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It differs.
    Changed,
}

impl fmt::Display for Change {
    /// `routes "orders" changed: hosts[0], policies`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject())?;
        f.write_str(match self.kind {
            Kind::Added => " added",
            Kind::Removed => " removed",
            Kind::Changed => " changed",
        })?;
        if !self.paths.is_empty() {
            write!(f, ": {}", self.paths.join(", "))?;
        }
        Ok(())
    }
}

impl Change {
    fn new(section: &str, name: Option<&str>, kind: Kind, paths: Vec<String>) -> Self {
        let (section, name) = (section.to_owned(), name.map(str::to_owned));
        Self {
            section,
            name,
            kind,
            paths,
        }
    }

    fn subject(&self) -> String {
        match &self.name {
            Some(name) => format!("{} \"{name}\"", self.section),
            None => self.section.clone(),
        }
    }

    /// What of it a reload cannot apply, and a restart or an upgrade can, as
    /// `listeners "public": address`: sockets, threads, connections to exporters.
    pub fn refused(&self) -> Vec<String> {
        let whole = matches!(self.kind, Kind::Added | Kind::Removed);
        let fixed = |path: &str| match self.section.as_str() {
            "listeners" | "metrics" | "admin" => path == "address",
            "server" => true,
            "telemetry" => {
                path == "otlp"
                    || path == "otlp.endpoint"
                    || path.starts_with("otlp.headers")
                    || path.starts_with("otlp.logs")
                    || path.starts_with("otlp.metrics")
                    || path.starts_with("access_log")
            }
            _ => false,
        };
        if whole {
            let sockets = matches!(
                self.section.as_str(),
                "listeners" | "metrics" | "admin" | "server"
            );
            return if sockets {
                vec![self.subject()]
            } else {
                Vec::new()
            };
        }
        let subject = self.subject();
        self.paths
            .iter()
            .filter(|path| fixed(path))
            .map(|path| format!("{subject}: {path}"))
            .collect()
    }
}

/// What `new` changes in `old`, in the order of sections and names.
pub fn diff(old: &Loaded, new: &Loaded) -> Vec<Change> {
    let (old, new) = (old.tree.value(), new.tree.value());
    let sections: BTreeSet<&str> = [old, new]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|sections| sections.keys().map(String::as_str))
        .collect();
    let mut changes = Vec::new();
    for section in sections {
        match (old.get(section), new.get(section)) {
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                list(section, old, new, &mut changes)
            }
            (Some(Value::Array(old)), None) => list(section, old, &[], &mut changes),
            (None, Some(Value::Array(new))) => list(section, &[], new, &mut changes),
            (old, new) => single(section, old, new, &mut changes),
        }
    }
    changes
}

/// A section of named entries.
fn list(section: &str, old: &[Value], new: &[Value], changes: &mut Vec<Change>) {
    let (before, after) = (by_name(old), by_name(new));
    for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let change = |kind, paths| Change::new(section, Some(name), kind, paths);
        match (before.get(name), after.get(name)) {
            (Some(old), Some(new)) => {
                let mut paths = Vec::new();
                compare(old, new, String::new(), &mut paths);
                if !paths.is_empty() {
                    changes.push(change(Kind::Changed, paths));
                }
            }
            (Some(_), None) => changes.push(change(Kind::Removed, Vec::new())),
            (None, Some(_)) => changes.push(change(Kind::Added, Vec::new())),
            (None, None) => {}
        }
    }
    let order = |entries: &[Value], other: &BTreeMap<&str, &Value>| -> Vec<String> {
        entries
            .iter()
            .filter_map(name_of)
            .filter(|name| other.contains_key(name))
            .map(str::to_owned)
            .collect()
    };
    // of two routes that are equally specific the first wins
    if section == "routes" && order(old, &after) != order(new, &before) {
        changes.push(Change::new(
            section,
            None,
            Kind::Changed,
            vec!["order".to_owned()],
        ));
    }
}

fn name_of(entry: &Value) -> Option<&str> {
    entry.get("name").and_then(Value::as_str)
}

fn by_name(entries: &[Value]) -> BTreeMap<&str, &Value> {
    entries
        .iter()
        .filter_map(|entry| Some((name_of(entry)?, entry)))
        .collect()
}

/// A section that is given once.
fn single(section: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    // all of it has defaults: what counts is what is in it
    let nothing = Value::Object(serde_json::Map::new());
    let (old, new) = match section {
        "telemetry" => (old.or(Some(&nothing)), new.or(Some(&nothing))),
        _ => (old, new),
    };
    match (old, new) {
        (Some(old), Some(new)) => {
            let mut paths = Vec::new();
            compare(old, new, String::new(), &mut paths);
            if !paths.is_empty() {
                changes.push(Change::new(section, None, Kind::Changed, paths));
            }
        }
        (Some(_), None) => changes.push(Change::new(section, None, Kind::Removed, Vec::new())),
        (None, Some(_)) => changes.push(Change::new(section, None, Kind::Added, Vec::new())),
        (None, None) => {}
    }
}

/// Notes where `old` and `new` differ, as deep as both have the same shape.
fn compare(old: &Value, new: &Value, path: String, paths: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let mut path = path.clone();
                push_key(&mut path, key);
                match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => compare(old, new, path, paths),
                    _ => paths.push(path),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                let mut path = path.clone();
                push_index(&mut path, index);
                compare(old, new, path, paths);
            }
        }
        (old, new) if old == new => {}
        _ => paths.push(path),
    }
}
