//! `models`, checked.

use super::check::{Checker, Item, Noun};
use super::raw::models as raw;
use std::sync::Arc;

/// A model name callers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What callers write in `model`.
    pub name: Arc<str>,
    /// What answers.
    pub target: Target,
}

/// A provider's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider's name; it exists.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub model: Arc<str>,
}

/// Checks one model.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Model>) -> Option<Model> {
    let at = item.at.key("targets");
    let mut targets = Vec::new();
    for (index, target) in item.raw.targets.iter().enumerate() {
        let at = at.index(index).key("provider");
        let provider = cx.resolve(&at, Noun::Provider, &target.provider.0, item.team.as_ref());
        targets.extend(provider.map(|provider| Target {
            provider,
            model: target.model.0.as_str().into(),
        }));
    }
    if item.raw.targets.len() > 1 {
        cx.fault(
            &at,
            "more than one target is not built yet",
            "give one target",
        );
        return None;
    }
    let target = targets.pop()?;
    Some(Model {
        name: item.raw.name.0.as_str().into(),
        target,
    })
}
