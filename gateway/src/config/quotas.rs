//! `quotas`, checked, each for itself; whether any route counts by it is judged in `effect`.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;

use super::check::{At, Checker, Item, Noun};
use super::fault::suggest;
use super::prices::check_amount;
use super::raw::Name;
use super::raw::prices::Amount;
use super::raw::quotas as raw;
use crate::quota::{
    By, Limit, Narrowed, OnExhausted, OnStoreFailure, Period, Unit, Window, Zone, network,
};

mod effect;

pub(super) use effect::{Around, check_effect};

/// A limit on what is used over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Its name.
    pub name: Arc<str>,
    /// The store's name; it exists.
    pub store: Arc<str>,
    /// What is counted.
    pub unit: Unit,
    /// How much; money in nano-dollars.
    pub limit: Limit,
    /// Over what time.
    pub window: Window,
    /// Whose use is counted apart; one count for all, if empty.
    pub by: Vec<By>,
    /// Which requests are counted.
    pub narrowed: Narrowed,
    /// Whether anything is refused.
    pub enforce: bool,
    /// What becomes of a model call that does not fit.
    pub on_exhausted: OnExhausted,
    /// What becomes of a request while the store does not answer.
    pub on_store_failure: OnStoreFailure,
}

/// Actions that ask models.
pub(super) const ASK_MODELS: &[&str] = &["llm", "prompt"];

/// The only actions that use any of a unit; none if all do.
pub(super) const fn used_by(unit: Unit) -> &'static [&'static str] {
    match unit {
        Unit::Requests | Unit::ConcurrentRequests => &[],
        Unit::KafkaBytes => &["publish"],
        Unit::WebsocketMessages => &["websocket"],
        Unit::GraphqlCost => &["graphql"],
        Unit::Tokens
        | Unit::InputTokens
        | Unit::OutputTokens
        | Unit::CachedTokens
        | Unit::ReasoningTokens
        | Unit::Money => ASK_MODELS,
    }
}

const fn unit(raw: raw::Unit) -> Unit {
    match raw {
        raw::Unit::Requests => Unit::Requests,
        raw::Unit::ConcurrentRequests => Unit::ConcurrentRequests,
        raw::Unit::Tokens => Unit::Tokens,
        raw::Unit::InputTokens => Unit::InputTokens,
        raw::Unit::OutputTokens => Unit::OutputTokens,
        raw::Unit::CachedTokens => Unit::CachedTokens,
        raw::Unit::ReasoningTokens => Unit::ReasoningTokens,
        raw::Unit::Money => Unit::Money,
        raw::Unit::KafkaBytes => Unit::KafkaBytes,
        raw::Unit::WebsocketMessages => Unit::WebsocketMessages,
        raw::Unit::GraphqlCost => Unit::GraphqlCost,
    }
}

const fn on_exhausted(raw: raw::OnExhausted) -> OnExhausted {
    match raw {
        raw::OnExhausted::Refuse => OnExhausted::Refuse,
        raw::OnExhausted::Cut => OnExhausted::Cut,
        raw::OnExhausted::Finish => OnExhausted::Finish,
    }
}

const fn on_store_failure(raw: raw::OnStoreFailure) -> OnStoreFailure {
    match raw {
        raw::OnStoreFailure::Deny => OnStoreFailure::Deny,
        raw::OnStoreFailure::Allow => OnStoreFailure::Allow,
    }
}

/// Checks one quota.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Quota>) -> Option<Quota> {
    let raw = &item.raw;
    let unit = unit(raw.unit);
    let store = cx.resolve(&item.at.key("store"), Noun::Store, &raw.store.0, None);
    let by = check_by(cx, item);
    check_overrides(cx, item, by.first());
    let at = item.at.key("limit");
    let limit = amount(cx, &at.key("default"), unit, &raw.limit.default);
    let mut overrides = HashMap::new();
    for (key, limit) in &raw.limit.overrides {
        let at = at.key("overrides").key(key);
        if let Some(limit) = amount(cx, &at, unit, limit) {
            overrides.insert(key.as_str().into(), limit);
        }
    }
    if raw.on_exhausted != raw::OnExhausted::Refuse && !unit.flows() {
        cx.fault(
            &item.at.key("on_exhausted"),
            "no answer uses this unit up while it flows",
            "leave it out, or count tokens, output_tokens, reasoning_tokens or money",
        );
    }
    let window = check_window(cx, item, unit, limit.unwrap_or_default());
    Some(Quota {
        name: raw.name.0.as_str().into(),
        store: store?,
        unit,
        limit: Limit {
            default: limit?,
            overrides,
        },
        window: window?,
        by,
        narrowed: check_narrowed(cx, item),
        enforce: raw.enforce,
        on_exhausted: on_exhausted(raw.on_exhausted),
        on_store_failure: on_store_failure(raw.on_store_failure),
    })
}

/// An amount of a unit; money in nano-dollars.
fn amount(cx: &mut Checker<'_>, at: &At, unit: Unit, amount: &Amount) -> Option<u64> {
    if unit == Unit::Money {
        return check_amount(cx, at, amount);
    }
    let whole = amount.text.parse().ok();
    if whole.is_none() {
        let message = format!("\"{}\" is no whole number from 0 on", amount.text);
        cx.fault(at, message, "only money is counted in fractions");
    }
    whole
}

fn check_by(cx: &mut Checker<'_>, item: &Item<raw::Quota>) -> Vec<By> {
    let mut by = Vec::new();
    for (index, raw) in item.raw.by.iter().enumerate() {
        let at = item.at.key("by").index(index);
        let dimension = match raw {
            raw::Dimension::Organisation => By::Organisation,
            raw::Dimension::Team => By::Team,
            raw::Dimension::Consumer => By::Consumer,
            raw::Dimension::Route => By::Route,
            raw::Dimension::Model => By::Model,
            raw::Dimension::Provider => By::Provider,
            raw::Dimension::ClientAddress => By::ClientAddress,
            raw::Dimension::Header(name) => match HeaderName::try_from(name) {
                Ok(name) => By::Header(name),
                Err(_) => {
                    let message = format!("\"{name}\" is no name of a header field");
                    cx.fault(&at, message, "write { header: x-tenant }");
                    continue;
                }
            },
        };
        if by.contains(&dimension) {
            cx.fault(&at, "this is given twice", "leave one out");
        }
        by.push(dimension);
    }
    by
}

fn check_narrowed(cx: &mut Checker<'_>, item: &Item<raw::Quota>) -> Narrowed {
    let raw = &item.raw.narrowed;
    let mut names = |key: &str, noun, names: &[Name]| {
        let at = item.at.key("match").key(key);
        let each = names.iter().enumerate();
        each.filter_map(|(index, name)| {
            cx.resolve(&at.index(index), noun, &name.0, item.team.as_ref())
        })
        .collect()
    };
    Narrowed {
        routes: names("routes", Noun::Route, &raw.routes),
        models: names("models", Noun::Model, &raw.models),
        consumers: names("consumers", Noun::Consumer, &raw.consumers),
    }
}

fn check_window(
    cx: &mut Checker<'_>,
    item: &Item<raw::Quota>,
    unit: Unit,
    limit: u64,
) -> Option<Window> {
    let at = item.at.key("window");
    let held = unit == Unit::ConcurrentRequests;
    let Some(raw) = &item.raw.window else {
        if held {
            return Some(Window::Held);
        }
        let hint = "add `window: { kind: fixed, every: day }`";
        cx.fault(&item.at, "there is no window", hint);
        return None;
    };
    if held {
        let message = "requests in progress count while they last, not over a time";
        cx.fault(&at, message, "leave the window out");
        return None;
    }
    match raw {
        raw::Window::Fixed { every, time_zone } => {
            let zone = check_zone(cx, &at.key("time_zone"), *every, time_zone.as_deref())?;
            let every = match every {
                raw::Every::Minute => Period::Minute,
                raw::Every::Hour => Period::Hour,
                raw::Every::Day => Period::Day(zone),
                raw::Every::Month => Period::Month(zone),
            };
            Some(Window::Fixed { every })
        }
        raw::Window::Sliding { every } => Some(Window::Sliding { every: every.0 }),
        raw::Window::TokenBucket { every, burst } => {
            let burst = match burst {
                Some(burst) => amount(cx, &at.key("burst"), unit, burst)?,
                None => limit,
            };
            if burst == 0 && limit > 0 {
                let message = "a bucket that holds nothing refuses all";
                cx.fault(&at.key("burst"), message, "give it at least 1");
            }
            Some(Window::token_bucket(limit, every.0, burst))
        }
    }
}

fn check_zone(
    cx: &mut Checker<'_>,
    at: &At,
    every: raw::Every,
    name: Option<&str>,
) -> Option<Zone> {
    let Some(name) = name else {
        return Some(Zone::UTC);
    };
    if matches!(every, raw::Every::Minute | raw::Every::Hour) {
        let message = "minutes and hours are those of UTC";
        cx.fault(at, message, "leave the time zone out");
        return None;
    }
    let zone = Zone::named(name);
    if zone.is_none() {
        let message = format!("no time zone is called \"{name}\"");
        cx.fault(
            at,
            message,
            "give one of the IANA database, as Europe/Berlin",
        );
    }
    zone
}

/// An override names a value of the first dimension.
fn check_overrides(cx: &mut Checker<'_>, item: &Item<raw::Quota>, first: Option<&By>) {
    let at = item.at.key("limit").key("overrides");
    if item.raw.limit.overrides.is_empty() {
        return;
    }
    let Some(first) = first else {
        cx.fault(
            &at,
            "nobody is told apart, so there is nothing to override",
            "say by what under `by`",
        );
        return;
    };
    let organisations = cx.organisations();
    for key in item.raw.limit.overrides.keys() {
        let at = at.key(key);
        let mut known = |noun| drop(cx.resolve(&at, noun, key, item.team.as_ref()));
        match first {
            By::Consumer => known(Noun::Consumer),
            By::Team => known(Noun::Team),
            By::Route => known(Noun::Route),
            By::Model => known(Noun::Model),
            By::Provider => known(Noun::Provider),
            By::Organisation => {
                if !organisations.iter().any(|known| **known == **key) {
                    let hint = suggest(key, organisations.iter().map(|known| &**known));
                    cx.fault(
                        &at,
                        format!("no team is of an organisation \"{key}\""),
                        hint,
                    );
                }
            }
            By::ClientAddress => match key.parse().map(network) {
                Ok(network) if network.to_string() == *key => {}
                Ok(network) => {
                    let message = format!("clients of \"{key}\" are counted as {network}");
                    cx.fault(&at, message, format!("write {network}"));
                }
                Err(_) => {
                    let message = format!("\"{key}\" is no IP address");
                    cx.fault(&at, message, "the first of `by` is client_address");
                }
            },
            By::Header(_) => {}
        }
    }
}
