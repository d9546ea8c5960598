//! Policies, checked: one file per kind, and the order they run in.

use std::sync::Arc;

use super::check::{At, Checker, Item};
use super::fault::either;
use super::quotas::{ASK_MODELS, Quota, used_by};
use super::raw::policies as raw;
use super::raw::routes::Route;
use crate::quota::By;

pub mod compression;
pub mod cors;
pub mod external_guard;
pub mod headers;
pub mod ip_restriction;
pub mod key_auth;
pub mod pattern;
pub mod pii;
pub mod prompt;
pub mod prompt_guard;
pub mod quota;
pub mod request_size;

/// When in a request's way a policy runs. The order here is the order there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What the caller gets last, after everything that changes an answer.
    Encode,
    /// What browsers ask before they send credentials.
    Preflight,
    /// Who calls.
    Authenticate,
    /// Whether they may.
    Authorize,
    /// How much.
    Limit,
    /// What changes.
    Transform,
    /// What is added to a prompt.
    Compose,
    /// What may be said, and how.
    Guard,
}

/// One policy, ready to be built.
#[derive(Debug, Clone)]
pub enum PolicyConfig {
    /// `compression`.
    Compression(compression::Config),
    /// `cors`.
    Cors(cors::Config),
    /// `headers`.
    Headers(headers::Config),
    /// `ip_restriction`.
    IpRestriction(ip_restriction::Config),
    /// `key_auth`.
    KeyAuth(key_auth::Config),
    /// `quota`.
    Quota(quota::Config),
    /// `request_size`.
    RequestSize(request_size::Config),
    /// `prompt`.
    Prompt(prompt::Config),
    /// `prompt_guard`.
    PromptGuard(Box<prompt_guard::Config>),
    /// `pii`.
    Pii(pii::Config),
    /// `external_guard`.
    ExternalGuard(external_guard::Config),
}

impl PolicyConfig {
    /// The word after `kind:`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Compression(_) => "compression",
            Self::Cors(_) => "cors",
            Self::Headers(_) => "headers",
            Self::IpRestriction(_) => "ip_restriction",
            Self::KeyAuth(_) => "key_auth",
            Self::Quota(_) => "quota",
            Self::RequestSize(_) => "request_size",
            Self::Prompt(_) => "prompt",
            Self::PromptGuard(_) => "prompt_guard",
            Self::Pii(_) => "pii",
            Self::ExternalGuard(_) => "external_guard",
        }
    }

    /// When it runs.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Compression(_) => Stage::Encode,
            Self::Cors(_) => Stage::Preflight,
            Self::KeyAuth(_) => Stage::Authenticate,
            Self::IpRestriction(_) => Stage::Authorize,
            Self::Quota(_) | Self::RequestSize(_) => Stage::Limit,
            Self::Headers(_) => Stage::Transform,
            Self::Prompt(_) => Stage::Compose,
            Self::PromptGuard(_) | Self::Pii(_) | Self::ExternalGuard(_) => Stage::Guard,
        }
    }

    /// Whether it minds what is said to models, and nothing else.
    pub fn minds_speech(&self) -> bool {
        matches!(self.stage(), Stage::Compose | Stage::Guard)
    }
}

/// Why a route has a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// `policies.enforced`.
    Enforced,
    /// The route's own.
    Route,
    /// `policies.default`.
    Default,
}

/// A policy on a route.
#[derive(Debug, Clone)]
pub struct Attached {
    /// What it does.
    pub config: PolicyConfig,
    /// Why the route has it.
    pub from: Provenance,
}

/// What every route gets, and what it is checked with.
#[derive(Default)]
pub(super) struct Everywhere {
    /// On every route.
    pub enforced: Vec<PolicyConfig>,
    /// On every route that has none of the same kind itself.
    pub default: Vec<PolicyConfig>,
    /// Every quota.
    pub quotas: Vec<Arc<Quota>>,
    /// Every group that a consumer is in.
    pub groups: Vec<Arc<str>>,
}

/// Checks a list of policies; no two are of one kind.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &[raw::Policy],
    team: Option<&Arc<str>>,
    groups: &[Arc<str>],
) -> Vec<(At, PolicyConfig)> {
    let mut policies: Vec<(At, PolicyConfig)> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let at = at.index(index);
        let Some(policy) = check_one(cx, &at, raw, team, groups) else {
            continue;
        };
        if let Some((first, _)) = policies
            .iter()
            .find(|(_, other)| other.kind() == policy.kind())
        {
            let message = format!("{} is already given at {}", policy.kind(), first.path);
            cx.fault(&at, message, "put both into one");
        }
        policies.push((at, policy));
    }
    policies
}

fn check_one(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Policy,
    team: Option<&Arc<str>>,
    groups: &[Arc<str>],
) -> Option<PolicyConfig> {
    Some(match raw {
        raw::Policy::Compression(raw) => {
            PolicyConfig::Compression(compression::check(cx, at, raw)?)
        }
        raw::Policy::Cors(raw) => PolicyConfig::Cors(cors::check(cx, at, raw)?),
        raw::Policy::Headers(raw) => PolicyConfig::Headers(headers::check(cx, at, raw)?),
        raw::Policy::IpRestriction(raw) => {
            PolicyConfig::IpRestriction(ip_restriction::check(cx, at, raw)?)
        }
        raw::Policy::KeyAuth(raw) => {
            PolicyConfig::KeyAuth(key_auth::check(cx, at, raw, team, groups)?)
        }
        raw::Policy::Quota(raw) => PolicyConfig::Quota(quota::check(cx, at, raw, team)?),
        raw::Policy::RequestSize(raw) => {
            PolicyConfig::RequestSize(request_size::Config { max: raw.max.0 })
        }
        raw::Policy::Prompt(raw) => PolicyConfig::Prompt(prompt::check(cx, at, raw)?),
        raw::Policy::PromptGuard(raw) => {
            PolicyConfig::PromptGuard(Box::new(prompt_guard::check(cx, at, raw)?))
        }
        raw::Policy::Pii(raw) => PolicyConfig::Pii(pii::check(cx, at, raw)?),
        raw::Policy::ExternalGuard(raw) => {
            PolicyConfig::ExternalGuard(external_guard::check(cx, at, raw, team)?)
        }
    })
}

/// The policies of a route, in the order they run. `action` is the key of what
/// it does, if that is known.
pub(super) fn effective(
    cx: &mut Checker<'_>,
    item: &Item<Route>,
    team: Option<&Arc<str>>,
    everywhere: &Everywhere,
    action: Option<&'static str>,
) -> Vec<Attached> {
    let own = check(
        cx,
        &item.at.key("policies"),
        &item.raw.policies,
        team,
        &everywhere.groups,
    );
    let all = ordered(&item.at, &own, everywhere);
    let authenticated = all
        .iter()
        .any(|(_, policy, _)| matches!(policy, PolicyConfig::KeyAuth(_)));
    let mut attached = Vec::new();
    for (at, policy, from) in &all {
        let around = Around {
            authenticated,
            from: *from,
            action,
        };
        let config = match policy {
            PolicyConfig::Quota(quota) => around.quota(cx, at, quota, &everywhere.quotas),
            PolicyConfig::Compression(_) => around.compression(cx, at, policy),
            other if other.minds_speech() => around.speech(cx, at, other),
            other => Some((*other).clone()),
        };
        attached.extend(config.map(|config| Attached {
            config,
            from: *from,
        }));
    }
    let metered = attached
        .iter()
        .any(|policy| matches!(policy.config, PolicyConfig::Quota(_)));
    let answers_itself = matches!(action, None | Some("respond" | "redirect"));
    if !(authenticated || metered || answers_itself) {
        cx.warn(
            &item.at,
            "nobody authenticates or meters this route",
            "add a policy key_auth or quota",
        );
    }
    attached
}

/// Everything that applies to a route, in the order it runs: `own` is what the
/// route at `at` says itself.
fn ordered<'a>(
    at: &'a At,
    own: &'a [(At, PolicyConfig)],
    everywhere: &'a Everywhere,
) -> Vec<(&'a At, &'a PolicyConfig, Provenance)> {
    let lacking =
        |policy: &&PolicyConfig| own.iter().all(|(_, other)| other.kind() != policy.kind());
    let enforced = everywhere
        .enforced
        .iter()
        .map(|policy| (at, policy, Provenance::Enforced));
    let written = own
        .iter()
        .map(|(at, policy)| (at, policy, Provenance::Route));
    let missing = everywhere.default.iter().filter(lacking);
    let defaults = missing.map(|policy| (at, policy, Provenance::Default));
    let mut all: Vec<_> = enforced.chain(written).chain(defaults).collect();
    // stable, so that within a stage the order above stands
    all.sort_by_key(|(_, policy, _)| policy.stage());
    all
}

/// What to do about a policy that needs what only a model's call has.
const MODELS_ONLY: &str = "use it on llm and prompt routes";

/// The actions that pass on what an upstream answers, as it comes.
const COMPRESSED: &[&str] = &["forward"];

/// What a policy on a route is judged by.
struct Around {
    authenticated: bool,
    from: Provenance,
    action: Option<&'static str>,
}

impl Around {
    /// A policy that minds what is said: left out where every route has it and nothing is said. A
    /// prompt route says what it says itself.
    fn speech(&self, cx: &mut Checker<'_>, at: &At, config: &PolicyConfig) -> Option<PolicyConfig> {
        let kind = config.kind();
        let message = match (self.action, config) {
            (Some("prompt"), PolicyConfig::Prompt(_)) => {
                cx.fault(
                    at,
                    "the policy prompt adds nothing to a route with a prompt of its own",
                    "write it into the route's `prompt`",
                );
                return None;
            }
            (None | Some("llm" | "prompt"), _) => return Some(config.clone()),
            _ => format!("{kind} minds what is said to models, and this route asks none"),
        };
        if self.from == Provenance::Route {
            cx.fault(at, message, MODELS_ONLY);
        }
        None
    }

    /// Compression of what an upstream answers: left out where every route has it and this one
    /// writes its answers itself.
    fn compression(
        &self,
        cx: &mut Checker<'_>,
        at: &At,
        config: &PolicyConfig,
    ) -> Option<PolicyConfig> {
        if self
            .action
            .is_none_or(|action| COMPRESSED.contains(&action))
        {
            return Some(config.clone());
        }
        if self.from == Provenance::Route {
            cx.fault(
                at,
                "compression is for answers that are passed on, and this route writes its own",
                format!("use it on {} routes", either(COMPRESSED, "and")),
            );
        }
        None
    }

    /// The quotas that can be counted here. Some units only one kind of route
    /// uses: where every route gets such a quota, it is left out on others;
    /// where the route itself asks for it, that is a mistake.
    fn quota(
        &self,
        cx: &mut Checker<'_>,
        at: &At,
        config: &quota::Config,
        quotas: &[Arc<Quota>],
    ) -> Option<PolicyConfig> {
        let does = |actions: &[&str]| self.action.is_none_or(|action| actions.contains(&action));
        let mut counted = Vec::new();
        for name in &config.quotas {
            let Some(quota) = quotas.iter().find(|quota| quota.name == *name) else {
                continue;
            };
            let actions = used_by(quota.unit);
            if !actions.is_empty() && !does(actions) {
                if self.from == Provenance::Route {
                    let (unit, actions) = (quota.unit, either(actions, "and"));
                    let message = format!(
                        "the quota \"{name}\" counts {unit}, which only {actions} routes use"
                    );
                    cx.fault(at, message, "count requests here");
                }
                continue;
            }
            for by in &quota.by {
                let (lacking, hint) = match by {
                    By::Organisation | By::Consumer | By::Team if !self.authenticated => {
                        ("finds out who calls", "add the policy key_auth")
                    }
                    By::Model if !does(ASK_MODELS) => ("names a model", MODELS_ONLY),
                    By::Provider if !does(ASK_MODELS) => ("asks a provider", MODELS_ONLY),
                    _ => continue,
                };
                let by = match by {
                    By::Header(name) => format!("the header {name}"),
                    by => by.to_string(),
                };
                let message = format!(
                    "the quota \"{name}\" counts by {by}, and nothing on this route {lacking}"
                );
                cx.fault(at, message, hint);
            }
            counted.push(name.clone());
        }
        (!counted.is_empty()).then_some(PolicyConfig::Quota(quota::Config { quotas: counted }))
    }
}
