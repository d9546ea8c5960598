//! `quotas`, checked, each for itself; whether any route counts by it is judged in `effect`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::check::{At, Checker, Item, Noun};
use super::fault::suggest;
use super::prices::check_amount;
use super::raw::Name;
use super::raw::prices::Amount;
use super::raw::quotas as raw;
pub use super::raw::quotas::{Every, OnExhausted, OnStoreFailure, Unit};
use crate::quota::Zone;

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
    /// For everyone not named in `overrides`; money in nano-dollars.
    pub limit: u64,
    /// Other limits, by the value of the first entry of `by`.
    pub overrides: HashMap<Arc<str>, u64>,
    /// Over what time.
    pub window: Window,
    /// Whose use is counted apart; one count for all, if empty.
    pub by: Vec<Dimension>,
    /// Which requests are counted.
    pub narrowed: Narrowed,
    /// Whether anything is refused.
    pub enforce: bool,
    /// What becomes of a model call that does not fit.
    pub on_exhausted: OnExhausted,
    /// What becomes of a request while the store does not answer.
    pub on_store_failure: OnStoreFailure,
}

/// Over what time use is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Begins anew with every unit of a calendar.
    Fixed(Every, Zone),
    /// The time up to now.
    Sliding(Duration),
    /// A bucket that the limit flows into.
    TokenBucket {
        /// In what time it does.
        every: Duration,
        /// What the bucket holds.
        burst: u64,
    },
    /// While it lasts.
    Held,
}

/// Which requests are counted: those that every list that is not empty names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// Routes; they exist.
    pub routes: Vec<Arc<str>>,
    /// Models; they exist.
    pub models: Vec<Arc<str>>,
    /// Consumers; they exist.
    pub consumers: Vec<Arc<str>>,
}

/// Whose use is counted apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The organisation of the consumer's team.
    Organisation,
    /// The consumer's team.
    Team,
    /// The consumer.
    Consumer,
    /// The route.
    Route,
    /// The model asked for.
    Model,
    /// The provider that answers.
    Provider,
    /// The client's address.
    ClientAddress,
    /// The value of a header field.
    Header(HeaderName),
}

impl Dimension {
    /// As it is spoken of.
    pub fn spoken(&self) -> String {
        match self {
            Self::Organisation => "organisation".to_owned(),
            Self::Team => "team".to_owned(),
            Self::Consumer => "consumer".to_owned(),
            Self::Route => "route".to_owned(),
            Self::Model => "model".to_owned(),
            Self::Provider => "provider".to_owned(),
            Self::ClientAddress => "client_address".to_owned(),
            Self::Header(name) => format!("the header {name}"),
        }
    }
}

impl Unit {
    /// The only action that uses any of it, if not all do.
    pub const fn used_by(self) -> Option<&'static str> {
        match self {
            Self::Requests | Self::ConcurrentRequests => None,
            Self::KafkaBytes => Some("publish"),
            _ => Some("llm"),
        }
    }

    /// As it is written.
    pub fn spoken(self) -> &'static str {
        crate::quota::Unit::from(self).as_str()
    }

    /// Whether an answer uses it up as it flows.
    const fn flows(self) -> bool {
        matches!(
            self,
            Self::Tokens | Self::OutputTokens | Self::ReasoningTokens | Self::Money
        )
    }
}

impl From<Unit> for crate::quota::Unit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Requests => Self::Requests,
            Unit::ConcurrentRequests => Self::ConcurrentRequests,
            Unit::Tokens => Self::Tokens,
            Unit::InputTokens => Self::InputTokens,
            Unit::OutputTokens => Self::OutputTokens,
            Unit::CachedTokens => Self::CachedTokens,
            Unit::ReasoningTokens => Self::ReasoningTokens,
            Unit::Money => Self::Money,
            Unit::KafkaBytes => Self::KafkaBytes,
        }
    }
}

/// Checks one quota.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Quota>) -> Option<Quota> {
    let raw = &item.raw;
    let store = cx.resolve(&item.at.key("store"), Noun::Store, &raw.store.0, None);
    let by = check_by(cx, item);
    check_overrides(cx, item, by.first());
    let at = item.at.key("limit");
    let limit = amount(cx, &at.key("default"), raw.unit, &raw.limit.default);
    let mut overrides = HashMap::new();
    for (key, limit) in &raw.limit.overrides {
        let at = at.key("overrides").key(key);
        if let Some(limit) = amount(cx, &at, raw.unit, limit) {
            overrides.insert(key.as_str().into(), limit);
        }
    }
    if raw.on_exhausted != OnExhausted::Refuse && !raw.unit.flows() {
        cx.fault(
            &item.at.key("on_exhausted"),
            "no answer uses this unit up while it flows",
            "leave it out, or count tokens, output_tokens, reasoning_tokens or money",
        );
    }
    let window = check_window(cx, item, limit.unwrap_or_default());
    Some(Quota {
        name: raw.name.0.as_str().into(),
        store: store?,
        unit: raw.unit,
        limit: limit?,
        overrides,
        window: window?,
        by,
        narrowed: check_narrowed(cx, item),
        enforce: raw.enforce,
        on_exhausted: raw.on_exhausted,
        on_store_failure: raw.on_store_failure,
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

fn check_by(cx: &mut Checker<'_>, item: &Item<raw::Quota>) -> Vec<Dimension> {
    let mut by = Vec::new();
    for (index, raw) in item.raw.by.iter().enumerate() {
        let at = item.at.key("by").index(index);
        let dimension = match raw {
            raw::Dimension::Organisation => Dimension::Organisation,
            raw::Dimension::Team => Dimension::Team,
            raw::Dimension::Consumer => Dimension::Consumer,
            raw::Dimension::Route => Dimension::Route,
            raw::Dimension::Model => Dimension::Model,
            raw::Dimension::Provider => Dimension::Provider,
            raw::Dimension::ClientAddress => Dimension::ClientAddress,
            raw::Dimension::Header(name) => match HeaderName::try_from(name) {
                Ok(name) => Dimension::Header(name),
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

fn check_window(cx: &mut Checker<'_>, item: &Item<raw::Quota>, limit: u64) -> Option<Window> {
    let at = item.at.key("window");
    let held = item.raw.unit == Unit::ConcurrentRequests;
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
            Some(Window::Fixed(*every, zone))
        }
        raw::Window::Sliding { every } => Some(Window::Sliding(every.0)),
        raw::Window::TokenBucket { every, burst } => {
            let burst = match burst {
                Some(burst) => amount(cx, &at.key("burst"), item.raw.unit, burst)?,
                None => limit,
            };
            if burst == 0 && limit > 0 {
                let message = "a bucket that holds nothing refuses all";
                cx.fault(&at.key("burst"), message, "give it at least 1");
            }
            Some(Window::TokenBucket {
                every: every.0,
                burst,
            })
        }
    }
}

fn check_zone(cx: &mut Checker<'_>, at: &At, every: Every, name: Option<&str>) -> Option<Zone> {
    let Some(name) = name else {
        return Some(Zone::UTC);
    };
    if matches!(every, Every::Minute | Every::Hour) {
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
fn check_overrides(cx: &mut Checker<'_>, item: &Item<raw::Quota>, first: Option<&Dimension>) {
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
            Dimension::Consumer => known(Noun::Consumer),
            Dimension::Team => known(Noun::Team),
            Dimension::Route => known(Noun::Route),
            Dimension::Model => known(Noun::Model),
            Dimension::Provider => known(Noun::Provider),
            Dimension::Organisation => {
                if !organisations.iter().any(|known| **known == **key) {
                    let hint = suggest(key, organisations.iter().map(|known| &**known));
                    cx.fault(
                        &at,
                        format!("no team is of an organisation \"{key}\""),
                        hint,
                    );
                }
            }
            Dimension::ClientAddress => {
                if key.parse::<std::net::IpAddr>().is_err() {
                    let message = format!("\"{key}\" is no IP address");
                    cx.fault(&at, message, "the first of `by` is client_address");
                }
            }
            Dimension::Header(_) => {}
        }
    }
}
