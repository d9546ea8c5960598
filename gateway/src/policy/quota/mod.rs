//! `quota`: reserves before the action, settles when the request is over.
//!
//! What is counted per request is reserved here. Where one of the quotas needs what only the
//! action knows (tokens, the model), all of them wait for the action, so that they are still
//! taken all or nothing.

mod build;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use weir_protocols::rate_limit;
use weir_telemetry::record::QuotaUse;
use weir_telemetry::{Code, metrics};

pub(crate) use build::{build, definitions};

use super::{Policy, RequestCx, Verdict};
use crate::error::GatewayError;
use crate::proxy::Request;
use crate::quota::{By, Claim, Provenance, Quota, Refusal, Subject, Unit, Used};

/// One quota of a route, with what is written of it.
pub(crate) struct Metered {
    quota: Arc<Quota>,
    name: rate_limit::Name,
    metrics: Arc<metrics::Quota>,
}

/// The quotas of one policy, in the order written.
pub(crate) struct Quotas(Vec<Metered>);

/// The policy.
pub(crate) struct Policed {
    quotas: Arc<Quotas>,
    deferred: bool,
}

/// What one request may use at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// In tokens, where the action spends any.
    pub(crate) tokens: u64,
    /// The model asked for.
    pub(crate) model: Option<&'a str>,
}

#[async_trait]
impl Policy for Policed {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        if self.deferred {
            cx.request.deferred_quotas = Some(self.quotas.clone());
        } else {
            let bound = Bound { tokens: 0, model: None };
            self.quotas.reserve(cx.request, bound).map_err(|refusal| self.quotas.error(&refusal))?;
        }
        Ok(Verdict::Continue)
    }
}

impl Quotas {
    /// Whether one of them counts tokens.
    pub(crate) fn count_tokens(&self) -> bool {
        self.0.iter().any(|m| m.quota.unit == Unit::Tokens)
    }

    /// Takes the bound from every quota, or from none.
    pub(crate) fn reserve(&self, request: &mut Request, bound: Bound<'_>) -> Result<(), Refusal> {
        let consumer = request.consumer.clone();
        let route = request.route.clone();
        let subject = Subject {
            consumer: consumer.as_ref().map(|c| &*c.name),
            team: consumer.as_ref().and_then(|c| c.team.as_deref()),
            route: route.as_ref().map(|r| &*r.name),
            client: Some(request.client()),
            model: bound.model,
        };
        let claims: Vec<_> = self
            .0
            .iter()
            .map(|m| Claim { quota: &m.quota, subject, bound: amount(m.quota.unit, bound) })
            .collect();
        let reserved = request.gateway.ledger.reserve(&claims, SystemTime::now());
        for metered in &self.0 {
            let refused = matches!(&reserved, Err(r) if r.quota.name == metered.quota.name);
            if reserved.is_ok() || refused {
                metered.metrics.decided(!refused);
            }
        }
        let reservation = reserved?;
        let team = request.record.team.clone().unwrap_or_else(|| "".into());
        for (metered, claim) in self.0.iter().zip(&claims) {
            metered.metrics.units(&team).reserved(claim.bound);
            request.record.quotas.push(QuotaUse {
                quota: metered.quota.name.clone(),
                unit: word(metered.quota.unit),
                reserved: claim.bound,
                used: 0,
                provenance: "estimated",
            });
        }
        self.tell(request, &reservation);
        request.reservation = Some((reservation, self.0.iter().map(|m| m.metrics.clone()).collect()));
        Ok(())
    }

    /// `RateLimit` and `RateLimit-Policy` for the answer, whatever it will be.
    fn tell(&self, request: &mut Request, reservation: &crate::quota::Reservation) {
        let mut fields = RateLimit::default();
        for (metered, (_, state)) in self.0.iter().zip(reservation.states()) {
            fields.add(metered, state.limit, state.remaining, state.reset);
        }
        request.answer_headers.extend(fields.into_headers());
    }

    /// What the caller of a refused request is told.
    pub(crate) fn error(&self, refusal: &Refusal) -> GatewayError {
        let unit = word(refusal.quota.unit);
        let public = if refusal.never {
            format!(
                "This request may use {} {unit}, and the limit is {}. Make it smaller: waiting cannot help.",
                refusal.requested, refusal.limit
            )
        } else {
            format!(
                "The quota \"{}\" has {} of {} {unit} left, and this request may use {}.",
                refusal.quota.name, refusal.remaining, refusal.limit, refusal.requested
            )
        };
        let mut error = GatewayError::public(Code::QuotaExhausted, public).source(refusal);
        if !refusal.never {
            error = error.retry_after(refusal.retry_after);
        }
        let mut fields = RateLimit::default();
        if let Some(metered) = self.0.iter().find(|m| m.quota.name == refusal.quota.name) {
            fields.add(metered, refusal.limit, refusal.remaining, refusal.retry_after);
        }
        error.headers.extend(fields.into_headers());
        error
    }
}

/// The two header fields, member by member.
#[derive(Default)]
struct RateLimit {
    policy: String,
    remaining: String,
}

impl RateLimit {
    fn add(&mut self, metered: &Metered, limit: u64, remaining: u64, reset: Duration) {
        let name = &metered.name;
        let window = Some(metered.quota.window.seconds());
        rate_limit::write_policy(&mut self.policy, &rate_limit::Policy { name, quota: limit, window });
        let reset = Some(seconds_up(reset));
        rate_limit::write_remaining(
            &mut self.remaining,
            &rate_limit::Remaining { name, remaining, reset },
        );
    }

    fn into_headers(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        [(RATE_LIMIT_POLICY, self.policy), (RATE_LIMIT, self.remaining)]
            .into_iter()
            .filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)))
    }
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Settles what the request reserved, with what the action found it used.
pub(crate) fn settle(request: &mut Request) {
    let Some((reservation, metrics)) = request.reservation.take() else { return };
    let sent = request.record.attempts.iter().any(|attempt| attempt.bytes_sent > 0);
    let tokens = request.tokens_used.or((!sent).then_some(NOTHING));
    let bounds: Vec<u64> = request.record.quotas.iter().map(|q| q.reserved).collect();
    let settled = reservation.settle(|quota| match quota.unit {
        Unit::Requests => Used { amount: 1, provenance: Provenance::Counted },
        // Something went upstream and nobody said what it cost: it counts in full.
        Unit::Tokens => tokens.unwrap_or(Used {
            amount: bounds.iter().copied().max().unwrap_or_default(),
            provenance: Provenance::Estimated,
        }),
    });
    let team = request.record.team.clone().unwrap_or_else(|| "".into());
    for ((settled, metrics), use_) in settled.iter().zip(&metrics).zip(&mut request.record.quotas) {
        use_.used = settled.used.amount;
        use_.provenance = provenance(settled.used.provenance);
        metrics.units(&team).settled(settled.bound, settled.used.amount);
    }
}

const NOTHING: Used = Used { amount: 0, provenance: Provenance::Counted };

fn amount(unit: Unit, bound: Bound<'_>) -> u64 {
    match unit {
        Unit::Requests => 1,
        Unit::Tokens => bound.tokens,
    }
}

fn needs_action(quota: &Quota) -> bool {
    quota.unit == Unit::Tokens || quota.by.contains(&By::Model)
}

/// The unit as telemetry and callers read it.
fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
    }
}

/// The provenance as telemetry writes it.
pub(crate) fn provenance(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Provider => "provider",
        Provenance::Counted => "counted",
        Provenance::Estimated => "estimated",
    }
}

fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
