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
            let bound = Bound {
                tokens: 0,
                model: None,
            };
            self.quotas
                .reserve(cx.request, bound)
                .map_err(|refusal| self.quotas.refused(&refusal))?;
        }
        Ok(Verdict::Continue)
    }
}

impl Quotas {
    /// Whether one of them counts tokens.
    pub(crate) fn count_tokens(&self) -> bool {
        self.0.iter().any(|m| m.quota.unit == Unit::Tokens)
    }

    /// Takes the bound from every quota, or from none. A refusal is not counted yet: the action may
    /// have a smaller bound to try; the last one goes to [`refused`](Self::refused).
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
            .map(|m| Claim {
                quota: &m.quota,
                subject,
                bound: amount(m.quota.unit, bound),
            })
            .collect();
        let reservation = request.gateway.ledger.reserve(&claims, SystemTime::now())?;
        let team = request.record.team.clone();
        for (metered, claim) in self.0.iter().zip(&claims) {
            metered.metrics.decided(true);
            metered
                .metrics
                .units(team.as_deref().unwrap_or_default())
                .reserved(claim.bound);
            request.record.quotas.push(QuotaUse {
                quota: metered.quota.name.clone(),
                unit: metered.quota.unit.as_str(),
                reserved: claim.bound,
                used: 0,
                provenance: "estimated",
            });
        }
        self.tell(request, &reservation);
        request.reservation = Some((
            reservation,
            self.0.iter().map(|m| m.metrics.clone()).collect(),
        ));
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

    /// Counts a refusal that is final; what its caller is told.
    pub(crate) fn refused(&self, refusal: &Refusal) -> GatewayError {
        let metered = self.0.iter().find(|m| m.quota.name == refusal.quota.name);
        if let Some(metered) = metered {
            metered.metrics.decided(false);
        }
        let Refusal {
            quota,
            limit,
            remaining,
            requested,
            ..
        } = refusal;
        let (name, unit) = (&quota.name, quota.unit);
        let public = if refusal.never {
            format!(
                "This request needs {requested} {unit}, and the limit of the quota \"{name}\" is \
                 {limit}. Make it smaller: waiting cannot help."
            )
        } else {
            format!(
                "The quota \"{name}\" has {remaining} of {limit} {unit} left, and this request \
                 needs {requested}. That much is sure to be free in {} s.",
                seconds_up(refusal.retry_after)
            )
        };
        let mut error = GatewayError::public(Code::QuotaExhausted, public).source(refusal);
        if !refusal.never {
            error = error.retry_after(refusal.retry_after);
        }
        let mut fields = RateLimit::default();
        if let Some(metered) = metered {
            fields.add(
                metered,
                refusal.limit,
                refusal.remaining,
                refusal.retry_after,
            );
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
        rate_limit::write_policy(
            &mut self.policy,
            &rate_limit::Policy {
                name,
                quota: limit,
                window,
            },
        );
        let reset = Some(seconds_up(reset));
        rate_limit::write_remaining(
            &mut self.remaining,
            &rate_limit::Remaining {
                name,
                remaining,
                reset,
            },
        );
    }

    fn into_headers(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        [
            (RATE_LIMIT_POLICY, self.policy),
            (RATE_LIMIT, self.remaining),
        ]
        .into_iter()
        .filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)))
    }
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Settles what the request reserved, with what the action found it used.
pub(crate) fn settle(request: &mut Request) {
    let Some((reservation, metrics)) = request.reservation.take() else {
        return;
    };
    let sent = request
        .record
        .attempts
        .iter()
        .any(|attempt| attempt.bytes_sent > 0);
    let tokens = request.tokens_used.or((!sent).then_some(NOTHING));
    let uses = &mut request.record.quotas;
    let settled = reservation.settle(|quota| match quota.unit {
        Unit::Requests => Used {
            amount: 1,
            provenance: Provenance::Counted,
        },
        Unit::Tokens => {
            let bound = uses
                .iter()
                .find(|use_| use_.quota == quota.name)
                .map_or(0, |use_| use_.reserved);
            tokens_within(tokens, bound)
        }
    });
    let team = request.record.team.as_deref().unwrap_or_default();
    for (settled, metrics) in settled.iter().zip(&metrics) {
        if let Some(use_) = uses
            .iter_mut()
            .find(|use_| use_.quota == settled.quota.name)
        {
            use_.used = settled.used.amount;
            use_.provenance = provenance(settled.used.provenance);
        }
        // What is beyond the bound is counted as debt there, as the ledger keeps it.
        metrics
            .units(team)
            .settled(settled.bound, settled.used.amount);
        if settled.overrun > 0 {
            let (name, unit) = (&settled.quota.name, settled.quota.unit);
            log::debug!(
                "quota \"{name}\": {} {unit} used, {} reserved: {} are debt",
                settled.used.amount,
                settled.bound,
                settled.overrun
            );
        }
    }
}

/// What a quota in tokens is charged of which `bound` was reserved.
fn tokens_within(told: Option<Used>, bound: u64) -> Used {
    match told {
        // A guess from bytes may be too high, and the provider was held to the bound: a guess makes
        // no debt.
        Some(Used {
            amount,
            provenance: Provenance::Estimated,
        }) => Used {
            amount: amount.min(bound),
            provenance: Provenance::Estimated,
        },
        Some(used) => used,
        // Something went upstream and nobody said what it cost: it counts in full.
        None => Used {
            amount: bound,
            provenance: Provenance::Estimated,
        },
    }
}

const NOTHING: Used = Used {
    amount: 0,
    provenance: Provenance::Counted,
};

fn amount(unit: Unit, bound: Bound<'_>) -> u64 {
    match unit {
        Unit::Requests => 1,
        Unit::Tokens => bound.tokens,
    }
}

fn needs_action(quota: &Quota) -> bool {
    quota.unit == Unit::Tokens || quota.by.contains(&By::Model)
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
