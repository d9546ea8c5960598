//! What the caller of a refused request is told.

use serde_json::json;
use weir_telemetry::Code;
use weir_telemetry::metrics::quota::Decision;

use super::tell::{Fields, seconds_up};
use super::{Metered, Quotas};
use crate::error::GatewayError;
use crate::price::Dollars;
use crate::quota::{Refusal, Refused, Unavailable, Unit};

impl Quotas {
    /// Counts a refusal that is final; what its caller is told.
    pub(crate) fn refused(&self, refused: &Refused) -> GatewayError {
        match refused {
            Refused::Exhausted(refusal) => self.exhausted(refusal),
            Refused::Unavailable(unavailable) => self.unavailable(unavailable),
        }
    }

    fn exhausted(&self, refusal: &Refusal) -> GatewayError {
        let mut error =
            GatewayError::public(Code::QuotaExhausted, sentence(refusal)).source(refusal);
        let mut fields = Fields::default();
        if let Some(metered) = self.metered(&refusal.quota.name) {
            metered.metrics.decided(Decision::Refused);
            fields.add(
                metered,
                refusal.limit,
                refusal.remaining,
                refusal.retry_after,
            );
        }
        error.headers.extend(fields.into_headers());
        let resets = (!refusal.never).then(|| seconds_up(refusal.retry_after));
        let unit = refusal.quota.unit;
        error.member = Some(Box::new((
            "quota",
            json!({
                "name": &*refusal.quota.name,
                "unit": unit.as_str(),
                "limit": figure(unit, refusal.limit),
                "remaining": figure(unit, refusal.remaining),
                "requested": figure(unit, refusal.requested),
                "retry_after_seconds": resets,
            }),
        )));
        match refusal.never {
            true => error,
            false => error.retry_after(refusal.retry_after),
        }
    }

    fn unavailable(&self, unavailable: &Unavailable) -> GatewayError {
        let name = &unavailable.quota.name;
        if let Some(metered) = self.metered(name) {
            metered.metrics.decided(Decision::Unavailable);
        }
        let public = format!(
            "The quota \"{name}\" cannot be counted now, and lets nothing through that is not. Try \
             again in a moment."
        );
        GatewayError::public(Code::QuotaStoreUnavailable, public)
            .source(unavailable)
            .retry_after(std::time::Duration::from_secs(1))
    }

    pub(super) fn metered(&self, name: &str) -> Option<&Metered> {
        self.0.iter().find(|m| *m.quota.name == *name)
    }
}

fn sentence(refusal: &Refusal) -> String {
    let Refusal {
        quota,
        limit,
        remaining,
        requested,
        ..
    } = refusal;
    let (name, unit) = (&quota.name, quota.unit);
    let [limit, remaining, requested] =
        [limit, remaining, requested].map(|amount| spoken(unit, *amount));
    let noun = noun(unit);
    if refusal.never {
        return format!(
            "This request needs {requested}{noun}, and the limit of the quota \"{name}\" is \
             {limit}. Make it smaller: waiting cannot help."
        );
    }
    let begin = format!(
        "The quota \"{name}\" has {remaining} of {limit}{noun} left, and this request needs \
         {requested}."
    );
    if unit == Unit::ConcurrentRequests {
        return format!("{begin} It fits as soon as another ends.");
    }
    let seconds = seconds_up(refusal.retry_after);
    format!("{begin} That much is sure to be free in {seconds} s.")
}

/// An amount for people.
pub(super) fn spoken(unit: Unit, amount: u64) -> String {
    match unit {
        Unit::Money => format!("${}", Dollars(amount)),
        _ => amount.to_string(),
    }
}

/// What an amount is of, with a space before it.
const fn noun(unit: Unit) -> &'static str {
    match unit {
        Unit::Money => "",
        Unit::Requests => " requests",
        Unit::ConcurrentRequests => " concurrent requests",
        Unit::Tokens => " tokens",
        Unit::InputTokens => " input tokens",
        Unit::OutputTokens => " output tokens",
        Unit::CachedTokens => " cached tokens",
        Unit::ReasoningTokens => " reasoning tokens",
        Unit::KafkaBytes => " bytes",
        Unit::WebsocketMessages => " messages",
        Unit::GraphqlCost => " units of GraphQL cost",
    }
}

/// An amount for programs: money as exact decimal text in dollars.
fn figure(unit: Unit, amount: u64) -> serde_json::Value {
    match unit {
        Unit::Money => Dollars(amount).to_string().into(),
        _ => amount.into(),
    }
}
