//! What a quota says: its unit, limit, window, and who shares it. Plain data that comes with
//! each call, so that a reload changes it at once; what was counted lives in the ledger.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::key::Value;
use super::store::Store;
use super::unit::Unit;
use super::window::Window;

/// A header field longer than this, in bytes, is no value to count by: every one would be kept.
const LONGEST: usize = 256;

/// The definition of one quota.
///
/// The ledger counts by store, name, unit, window and `by`: a changed limit applies to what is
/// already counted, at once; a quota in which any of the others changed starts from nothing.
#[derive(Debug, Clone)]
pub struct Quota {
    /// Its name, unique in a configuration.
    pub name: Arc<str>,
    /// Where it is counted.
    pub store: Store,
    /// What it counts.
    pub unit: Unit,
    /// How much may be used in a window.
    pub limit: Limit,
    /// When it comes back.
    pub window: Window,
    /// What is counted apart. Empty: everybody shares one count.
    pub by: Vec<By>,
    /// Which requests it counts.
    pub narrowed: Narrowed,
    /// Whether it refuses anything; if not, it only says what it would have refused.
    pub enforce: bool,
    /// What becomes of a call that does not fit.
    pub on_exhausted: OnExhausted,
    /// What becomes of a request while the store does not answer.
    pub on_store_failure: OnStoreFailure,
}

/// What becomes of a call that does not fit what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnExhausted {
    /// It is refused: whatever begins was reserved whole.
    Refuse,
    /// Its answer is limited to what is left; a stream ends where that is used up.
    Cut,
    /// If anything is left it begins and is not interrupted; what it uses beyond is debt.
    Finish,
}

/// What becomes of a request while the store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnStoreFailure {
    /// It is refused.
    Deny,
    /// It is let through, and counted once the store answers.
    Allow,
}

/// Which requests a quota counts: those that every list that is not empty names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrowed {
    /// Names of routes.
    pub routes: Vec<Arc<str>>,
    /// Names of models, as callers write them.
    pub models: Vec<Arc<str>>,
    /// Names of consumers.
    pub consumers: Vec<Arc<str>>,
}

impl Narrowed {
    /// Whether requests for `subject` are counted.
    pub fn covers(&self, subject: &Subject<'_>) -> bool {
        let named = |names: &[Arc<str>], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|n| **n == *name))
        };
        named(&self.routes, subject.route)
            && named(&self.models, subject.model)
            && named(&self.consumers, subject.consumer)
    }
}

impl Quota {
    /// The limit that holds for `subject`: the override of the first dimension of `by` that has
    /// one for it, else the default.
    pub fn limit_for(&self, subject: &Subject<'_>) -> u64 {
        self.limit_of(self.by.iter().map(|by| subject.value(by)))
    }

    /// As [`limit_for`](Self::limit_for) whoever has these values in the dimensions of `by`.
    pub(super) fn limit_of<'v>(&self, mut values: impl Iterator<Item = Value<'v>>) -> u64 {
        let Limit { default, overrides } = &self.limit;
        if overrides.is_empty() {
            return *default;
        }
        let named = |value| match value {
            Value::Absent => None,
            Value::Text(name) => overrides.get(name),
            Value::Address(address) => overrides.get(&*address.to_string()),
        };
        values.find_map(named).copied().unwrap_or(*default)
    }
}

/// How much may be used in one window, in the quota's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// For everybody not named below.
    pub default: u64,
    /// By the value of a dimension the quota counts by.
    pub overrides: HashMap<Arc<str>, u64>,
}

/// A dimension by which a quota counts apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum By {
    /// Each organisation; those without one share a count.
    Organisation,
    /// Each team; those without one share a count.
    Team,
    /// Each consumer; those without one share a count.
    Consumer,
    /// Each route.
    Route,
    /// Each model, by the name callers use.
    Model,
    /// Each provider that answers for models.
    Provider,
    /// Each client address, IPv4 in IPv6 taken as IPv4.
    ClientAddress,
    /// Each value of a header field; requests without it share a count.
    Header(HeaderName),
}

impl By {
    /// Whether it is told by who calls, and so is part of one tree of them.
    pub const fn is_of_caller(&self) -> bool {
        matches!(self, Self::Organisation | Self::Team | Self::Consumer)
    }
}

/// As configuration writes it; a header as `header:` and its name.
impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Organisation => "organisation",
            Self::Team => "team",
            Self::Consumer => "consumer",
            Self::Route => "route",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::ClientAddress => "client_address",
            Self::Header(name) => return write!(f, "header:{name}"),
        })
    }
}

/// Where a client is: its IPv4 address, or the first of the /64 that its IPv6 address is in, as
/// whoever has one address of that has them all (RFC 4291, section 2.5.1).
pub fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// Whom a request counts for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The organisation of the consumer's team.
    pub organisation: Option<&'a str>,
    /// The consumer's team.
    pub team: Option<&'a str>,
    /// Who calls, once authenticated.
    pub consumer: Option<&'a str>,
    /// The route that matched.
    pub route: Option<&'a str>,
    /// The model asked for.
    pub model: Option<&'a str>,
    /// The provider that is to answer.
    pub provider: Option<&'a str>,
    /// The trusted address of the client.
    pub client: Option<IpAddr>,
    /// The fields of the request's head.
    pub headers: Option<&'a HeaderMap>,
}

impl<'a> Subject<'a> {
    pub(super) fn value(&self, by: &By) -> Value<'a> {
        let text = match by {
            By::Organisation => self.organisation,
            By::Team => self.team,
            By::Consumer => self.consumer,
            By::Route => self.route,
            By::Model => self.model,
            By::Provider => self.provider,
            By::ClientAddress => {
                let client = self.client.map(network);
                return client.map_or(Value::Absent, Value::Address);
            }
            By::Header(name) => self
                .headers
                .and_then(|headers| headers.get(name)?.to_str().ok())
                .filter(|text| text.len() <= LONGEST),
        };
        text.map_or(Value::Absent, Value::Text)
    }

    /// The top of the tree the caller is in: what all counts of that tree are kept beside.
    pub(super) fn root(&self) -> Option<&'a str> {
        self.organisation.or(self.team).or(self.consumer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::tests::quota;
    use crate::quota::window::Period;

    fn by(by: &[By]) -> Quota {
        let window = Window::Fixed {
            every: Period::Hour,
        };
        let mut quota = Quota::clone(&quota("q", 1, window, by));
        quota.limit.overrides = HashMap::from([("shop".into(), 5), ("ci".into(), 9)]);
        quota
    }

    #[test]
    fn an_override_holds_where_its_subject_is_counted_apart() {
        let subject = Subject {
            consumer: Some("ci"),
            team: Some("shop"),
            ..Subject::default()
        };
        assert_eq!(by(&[By::Team]).limit_for(&subject), 5);
        assert_eq!(by(&[By::Team, By::Consumer]).limit_for(&subject), 5);
        assert_eq!(by(&[By::Consumer, By::Team]).limit_for(&subject), 9);
        assert_eq!(by(&[By::Route]).limit_for(&subject), 1);
        let model = Subject {
            model: Some("ci"),
            ..Subject::default()
        };
        assert_eq!(by(&[By::Model]).limit_for(&model), 9);
        assert_eq!(by(&[By::Team]).limit_for(&Subject::default()), 1);
    }

    #[test]
    fn a_quota_counts_what_every_list_names() {
        let narrowed = Narrowed {
            models: vec!["smart".into(), "quick".into()],
            consumers: vec!["ci".into()],
            ..Narrowed::default()
        };
        let subject = |model, consumer| Subject {
            model,
            consumer,
            ..Subject::default()
        };
        assert!(narrowed.covers(&subject(Some("quick"), Some("ci"))));
        assert!(!narrowed.covers(&subject(Some("other"), Some("ci"))));
        assert!(!narrowed.covers(&subject(Some("quick"), Some("other"))));
        assert!(!narrowed.covers(&subject(None, Some("ci"))));
        assert!(Narrowed::default().covers(&Subject::default()));
    }

    #[test]
    fn a_header_tells_apart_and_one_that_is_unreadable_or_long_does_not() {
        let name = HeaderName::from_static("x-tenant");
        let mut headers = HeaderMap::new();
        let value = |headers: &HeaderMap| {
            let subject = Subject {
                headers: Some(headers),
                ..Subject::default()
            };
            match subject.value(&By::Header(name.clone())) {
                Value::Text(text) => Some(text.to_owned()),
                _ => None,
            }
        };
        assert_eq!(value(&headers), None);
        headers.insert("X-Tenant", "a".parse().expect("a value"));
        assert_eq!(value(&headers).as_deref(), Some("a"));
        let long = "a".repeat(LONGEST);
        headers.insert("X-Tenant", long.parse().expect("a value"));
        assert_eq!(value(&headers), Some(long.clone()));
        headers.insert("X-Tenant", format!("{long}a").parse().expect("a value"));
        assert_eq!(value(&headers), None);
        let unreadable = http::HeaderValue::from_bytes(b"\xff").expect("a value");
        headers.insert("X-Tenant", unreadable);
        assert_eq!(value(&headers), None);
    }
}
