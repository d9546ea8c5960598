//! `quota`, checked.

use std::sync::Arc;

use crate::config::check::{At, Checker, Noun};
use crate::config::raw::policies as raw;

/// Counts requests or tokens and refuses what exceeds the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names of quotas; they exist, none twice, at least one.
    pub quotas: Vec<Arc<str>>,
}

/// Checks `quota`.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Quota,
    team: Option<&Arc<str>>,
) -> Option<Config> {
    let mut quotas = Vec::new();
    for (index, name) in raw.quotas.iter().enumerate() {
        let at = at.key("quotas").index(index);
        let Some(name) = cx.resolve(&at, Noun::Quota, &name.0, team) else {
            continue;
        };
        if quotas.contains(&name) {
            cx.fault(&at, "this is given twice", "leave one out");
        }
        quotas.push(name);
    }
    (!quotas.is_empty()).then_some(Config { quotas })
}
