//! `models`, checked.

use std::sync::Arc;
use std::time::Duration;

use super::check::{At, Checker, Item, Noun};
use super::fault::suggest;
use super::policies::PolicyConfig;
use super::raw::models as raw;
pub use super::raw::models::Strategy;
use super::routes::{Action, Route};

/// A model name callers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What callers write in `model`.
    pub name: Arc<str>,
    /// What answers; at least one.
    pub targets: Vec<Target>,
    /// Who is asked first.
    pub strategy: Strategy,
    /// When a target is set aside.
    pub health: Health,
    /// Who may ask for it. `None` lets everybody.
    pub allow: Option<Allow>,
}

/// When a target is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// After so many failures in a row; at least one.
    pub failures: u32,
    /// For so long.
    pub set_aside: Duration,
}

/// Who may ask for a model: consumers of a team named, or in a group named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Teams; they exist.
    pub teams: Vec<Arc<str>>,
    /// Groups; each has a consumer.
    pub groups: Vec<Arc<str>>,
}

/// What one process asks of a target at most. `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub concurrent_requests: Option<u32>,
    /// Calls within any minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens within any minute.
    pub tokens_per_minute: Option<u32>,
}

impl Limits {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// A provider's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider's name; it exists.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub model: Arc<str>,
    /// Its share of calls, where they are shared by weight.
    pub weight: u32,
    /// What is asked of it at most.
    pub limits: Limits,
}

/// Checks one model. `groups` are those that consumers are in.
pub(super) fn check(
    cx: &mut Checker<'_>,
    item: &Item<raw::Model>,
    groups: &[Arc<str>],
) -> Option<Model> {
    let at = item.at.key("targets");
    let mut targets = Vec::new();
    for (index, target) in item.raw.targets.iter().enumerate() {
        let at = at.index(index).key("provider");
        let provider = cx.resolve(&at, Noun::Provider, &target.provider.0, item.team.as_ref());
        targets.extend(provider.map(|provider| Target {
            provider,
            model: target.model.0.as_str().into(),
            weight: target.weight,
            limits: limits(&target.limits),
        }));
    }
    let strategy = item.raw.strategy;
    if strategy == Strategy::Weighted && item.raw.targets.iter().all(|t| t.weight == 0) {
        cx.fault(
            &at,
            "every weight is 0, so none would be asked first",
            "give at least one a weight",
        );
    }
    (!targets.is_empty()).then(|| Model {
        name: item.raw.name.0.as_str().into(),
        targets,
        strategy,
        health: Health {
            failures: item.raw.health.failures,
            set_aside: item.raw.health.set_aside.0,
        },
        allow: check_allow(cx, item, groups),
    })
}

fn limits(raw: &raw::Limits) -> Limits {
    Limits {
        concurrent_requests: raw.concurrent_requests,
        requests_per_minute: raw.requests_per_minute,
        tokens_per_minute: raw.tokens_per_minute,
    }
}

/// A list of nobody would be taken for one of everybody.
fn check_allow(
    cx: &mut Checker<'_>,
    item: &Item<raw::Model>,
    groups: &[Arc<str>],
) -> Option<Allow> {
    let (raw, at) = (item.raw.allow.as_ref()?, item.at.key("allow"));
    if raw.teams.is_empty() && raw.groups.is_empty() {
        cx.fault(
            &at,
            "this names nobody",
            "name teams or groups, or leave `allow` out to let everybody ask",
        );
    }
    let mut allow = Allow {
        teams: Vec::new(),
        groups: Vec::new(),
    };
    for (index, name) in raw.teams.iter().enumerate() {
        let at = at.key("teams").index(index);
        allow
            .teams
            .extend(cx.resolve(&at, Noun::Team, &name.0, None));
    }
    for (index, name) in raw.groups.iter().enumerate() {
        match groups.iter().find(|group| ***group == *name.0) {
            Some(group) => allow.groups.push(group.clone()),
            None => cx.fault(
                &at.key("groups").index(index),
                format!("no consumer is in a group \"{}\"", name.0),
                suggest(&name.0, groups.iter().map(|group| &**group)),
            ),
        }
    }
    Some(allow)
}

/// Warns of models that are for some only, on routes where nobody is anybody.
pub(super) fn check_askers(
    cx: &mut Checker<'_>,
    models: &[Arc<Model>],
    routes: &[(At, Arc<Route>)],
) {
    for (at, route) in routes {
        let mut policies = route.policies.iter();
        if policies.any(|policy| matches!(policy.config, PolicyConfig::KeyAuth(_))) {
            continue;
        }
        let asked: Vec<(At, &Arc<str>)> = match &route.action {
            Action::Llm(llm) => {
                let at = at.key("llm").key("models");
                let names = llm.models.iter().enumerate();
                names.map(|(index, name)| (at.index(index), name)).collect()
            }
            Action::Prompt(prompt) => vec![(at.key("prompt").key("model"), &prompt.model)],
            _ => continue,
        };
        for (at, name) in asked {
            if models.iter().any(|m| m.name == *name && m.allow.is_some()) {
                cx.warn(
                    &at,
                    "this model is for some only, and nothing on this route finds out who calls: \
                     everybody is refused it",
                    "add the policy key_auth",
                );
            }
        }
    }
}
