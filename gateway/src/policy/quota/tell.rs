//! `RateLimit` and `RateLimit-Policy`: what callers are told of their quotas.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use weir_protocols::rate_limit;

use super::{Metered, Quotas};
use crate::proxy::Request;
use crate::quota::{Reservation, Unit};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The two fields for the answer, whatever it will be; they take the place of earlier ones.
pub(super) fn tell(request: &mut Request, counting: &[&Metered], reservation: &Reservation) {
    let fields = fields(counting.iter().copied(), reservation);
    set(request, fields);
}

impl Quotas {
    /// Tells anew how quotas stand of which more was taken since.
    pub(crate) fn tell(&self, request: &mut Request) {
        let Some(held) = &request.held else { return };
        let names = held.reservation.states().map(|hold| &hold.quota.name);
        let counting = names.filter_map(|name| self.metered(name));
        let fields = fields(counting, &held.reservation);
        set(request, fields);
    }
}

fn fields<'m>(counting: impl Iterator<Item = &'m Metered>, reservation: &Reservation) -> Fields {
    let mut fields = Fields::default();
    for (metered, hold) in counting.zip(reservation.states()) {
        let state = &hold.state;
        fields.add(metered, state.limit, state.remaining, state.reset);
    }
    fields
}

fn set(request: &mut Request, fields: Fields) {
    let told = &mut request.answer_headers;
    told.retain(|(name, _)| *name != RATE_LIMIT && *name != RATE_LIMIT_POLICY);
    told.extend(fields.into_headers());
}

/// The two fields, member by member.
pub(super) struct Fields {
    policy: String,
    remaining: String,
}

impl Default for Fields {
    fn default() -> Self {
        // As much as one member usually takes.
        let empty = || String::with_capacity(48);
        Self {
            policy: empty(),
            remaining: empty(),
        }
    }
}

impl Fields {
    pub(super) fn add(&mut self, metered: &Metered, limit: u64, remaining: u64, reset: Duration) {
        let (name, quota) = (&metered.name, &metered.quota);
        rate_limit::write_policy(
            &mut self.policy,
            &rate_limit::Policy {
                name,
                quota: limit,
                unit: unit(quota.unit),
                window: quota.window.seconds(),
            },
        );
        // Nobody knows when a request in progress ends.
        let reset = (quota.unit != Unit::ConcurrentRequests).then(|| seconds_up(reset));
        rate_limit::write_remaining(
            &mut self.remaining,
            &rate_limit::Remaining {
                name,
                remaining,
                reset,
            },
        );
    }

    pub(super) fn into_headers(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        [
            (RATE_LIMIT_POLICY, self.policy),
            (RATE_LIMIT, self.remaining),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)))
    }
}

/// The draft's name of a unit, ours where it has none. Requests are what is meant if nothing is
/// said.
const fn unit(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::Requests => None,
        Unit::ConcurrentRequests => Some("concurrent-requests"),
        Unit::Money => Some("nano-dollars"),
        Unit::Tokens => Some("tokens"),
        Unit::InputTokens => Some("input-tokens"),
        Unit::OutputTokens => Some("output-tokens"),
        Unit::CachedTokens => Some("cached-tokens"),
        Unit::ReasoningTokens => Some("reasoning-tokens"),
        Unit::KafkaBytes => Some("record-bytes"),
        Unit::WebsocketMessages => Some("websocket-messages"),
        Unit::GraphqlCost => Some("graphql-cost"),
    }
}

pub(super) const fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + (duration.subsec_nanos() > 0) as u64
}
