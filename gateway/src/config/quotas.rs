//! `quotas`, checked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::check::{Checker, Item, Noun};
use super::raw::quotas as raw;
pub use super::raw::quotas::{Dimension, Every, Unit};

/// A limit on what is used over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Its name.
    pub name: Arc<str>,
    /// The store's name; it exists.
    pub store: Arc<str>,
    /// What is counted.
    pub unit: Unit,
    /// For everyone not named in `overrides`.
    pub limit: u64,
    /// Other limits, by the value of the first entry of `by`.
    pub overrides: HashMap<Arc<str>, u64>,
    /// Over what time.
    pub window: Window,
    /// Whose use is counted apart; one count for all, if empty.
    pub by: Vec<Dimension>,
}

/// Over what time use is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Begins anew with every unit of UTC.
    Fixed(Every),
    /// The time up to now.
    Sliding(Duration),
}

impl Dimension {
    /// As it is written.
    pub fn spoken(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Team => "team",
            Self::Route => "route",
            Self::ClientAddress => "client_address",
            Self::Model => "model",
        }
    }
}

/// Checks one quota.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Quota>) -> Option<Quota> {
    let raw = &item.raw;
    let store = cx.resolve(&item.at.key("store"), Noun::Store, &raw.store.0, None);
    for (index, dimension) in raw.by.iter().enumerate() {
        if raw.by[..index].contains(dimension) {
            cx.fault(
                &item.at.key("by").index(index),
                "this is given twice",
                "leave one out",
            );
        }
    }
    check_overrides(cx, item);
    let window = match raw.window {
        raw::Window::Fixed { every } => Window::Fixed(every),
        raw::Window::Sliding { every } => Window::Sliding(every.0),
    };
    Some(Quota {
        name: raw.name.0.as_str().into(),
        store: store?,
        unit: raw.unit,
        limit: raw.limit.default,
        overrides: raw
            .limit
            .overrides
            .iter()
            .map(|(key, limit)| (key.as_str().into(), *limit))
            .collect(),
        window,
        by: raw.by.clone(),
    })
}

/// An override names a value of the first dimension.
fn check_overrides(cx: &mut Checker<'_>, item: &Item<raw::Quota>) {
    let at = item.at.key("limit").key("overrides");
    if item.raw.limit.overrides.is_empty() {
        return;
    }
    let Some(first) = item.raw.by.first() else {
        cx.fault(
            &at,
            "nobody is told apart, so there is nothing to override",
            "say by what under `by`",
        );
        return;
    };
    let noun = match first {
        Dimension::Consumer => Some(Noun::Consumer),
        Dimension::Team => Some(Noun::Team),
        Dimension::Route => Some(Noun::Route),
        Dimension::Model => Some(Noun::Model),
        Dimension::ClientAddress => None,
    };
    for key in item.raw.limit.overrides.keys() {
        let at = at.key(key);
        match noun {
            Some(noun) => drop(cx.resolve(&at, noun, key, item.team.as_ref())),
            None if key.parse::<std::net::IpAddr>().is_ok() => {}
            None => cx.fault(
                &at,
                format!("\"{key}\" is no IP address"),
                "the first of `by` is client_address",
            ),
        }
    }
}
