//! What a quota says: its unit, limit, window, and who shares it. Plain data that comes with
//! each call, so that a reload changes it at once; what was counted lives in the ledger.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::key::Value;
use super::unit::Unit;
use super::window::Window;

/// The definition of one quota.
///
/// The ledger counts by name, unit, window and `by`: a changed limit applies to what is already
/// counted, at once; a quota whose unit, window or `by` changed starts from nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Its name, unique in a configuration.
    pub name: Arc<str>,
    /// What it counts.
    pub unit: Unit,
    /// How much may be used in a window.
    pub limit: Limit,
    /// When it comes back.
    pub window: Window,
    /// What is counted apart. Empty: everybody shares one count.
    pub by: Vec<By>,
}

impl Quota {
    /// The limit that holds for `subject`: the consumer's override, else the team's, the route's,
    /// the model's or the client address's, else the default. An override counts only where `by`
    /// tells its subject apart: callers who share a count share its limit.
    pub fn limit_for(&self, subject: &Subject<'_>) -> u64 {
        let Limit { default, overrides } = &self.limit;
        if overrides.is_empty() {
            return *default;
        }
        let named = |by, name: Option<&str>| {
            name.filter(|_| self.by.contains(&by))
                .and_then(|name| overrides.get(name))
                .copied()
        };
        named(By::Consumer, subject.consumer)
            .or_else(|| named(By::Team, subject.team))
            .or_else(|| named(By::Route, subject.route))
            .or_else(|| named(By::Model, subject.model))
            .or_else(|| {
                let address = subject.client?.to_canonical().to_string();
                named(By::ClientAddress, Some(&address))
            })
            .unwrap_or(*default)
    }
}

/// How much may be used in one window, in the quota's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// For everybody not named below.
    pub default: u64,
    /// By the name of a consumer, a team, a route or a model, or by a client address.
    pub overrides: HashMap<String, u64>,
}

/// A dimension by which a quota counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// Each consumer; those without one share a count.
    Consumer,
    /// Each team; those without one share a count.
    Team,
    /// Each route.
    Route,
    /// Each client address, IPv4 in IPv6 taken as IPv4.
    ClientAddress,
    /// Each model, by the name callers use.
    Model,
}

/// Whom a request counts for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// Who calls, once authenticated.
    pub consumer: Option<&'a str>,
    /// The consumer's team.
    pub team: Option<&'a str>,
    /// The route that matched.
    pub route: Option<&'a str>,
    /// The trusted address of the client.
    pub client: Option<IpAddr>,
    /// The model asked for.
    pub model: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub(super) fn value(&self, by: By) -> Value<'a> {
        let text = match by {
            By::Consumer => self.consumer,
            By::Team => self.team,
            By::Route => self.route,
            By::Model => self.model,
            By::ClientAddress => {
                let address = self.client.map(|client| client.to_canonical());
                return address.map_or(Value::Absent, Value::Address);
            }
        };
        text.map_or(Value::Absent, Value::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Period;

    fn quota(by: &[By]) -> Quota {
        Quota {
            name: "q".into(),
            unit: Unit::Tokens,
            limit: Limit {
                default: 1,
                overrides: HashMap::from([("shop".to_owned(), 5), ("ci".to_owned(), 9)]),
            },
            window: Window::Fixed { every: Period::Day },
            by: by.to_vec(),
        }
    }

    #[test]
    fn the_narrowest_override_wins_where_it_is_counted_apart() {
        let subject = Subject {
            consumer: Some("ci"),
            team: Some("shop"),
            ..Subject::default()
        };
        assert_eq!(quota(&[By::Team]).limit_for(&subject), 5);
        assert_eq!(quota(&[By::Team, By::Consumer]).limit_for(&subject), 9);
        assert_eq!(quota(&[By::Route]).limit_for(&subject), 1);
        let model = Subject {
            model: Some("ci"),
            ..Subject::default()
        };
        assert_eq!(quota(&[By::Model]).limit_for(&model), 9);
        assert_eq!(quota(&[By::Team]).limit_for(&Subject::default()), 1);
        let unnamed = Subject {
            consumer: Some("x"),
            ..subject
        };
        assert_eq!(quota(&[By::Team, By::Consumer]).limit_for(&unnamed), 5);
    }
}
