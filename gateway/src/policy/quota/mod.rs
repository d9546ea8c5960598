//! `quota`: reserves before the action, settles when the request is over.
//!
//! What is counted per request is reserved here. Where one of the quotas needs what only the
//! action knows (tokens, the model, the size of a record), all of them wait for the action, so
//! that they are still taken all or nothing.

mod beside;
mod build;
mod flow;
mod refuse;
mod settle;
mod shift;
mod spend;
mod tell;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use weir_protocols::rate_limit;
use weir_telemetry::metrics;
use weir_telemetry::metrics::quota::Decision;
use weir_telemetry::record::QuotaUse;

pub(crate) use beside::Beside;
pub(crate) use build::{build, count_tokens, definitions, named};
pub(crate) use flow::{Outlook, cut, left, top_up};
pub(crate) use settle::{Usage, declare, provenance, settle};
pub(crate) use shift::{add, leave};

use super::{Policy, RequestCx, Verdict};
use crate::error::GatewayError;
use crate::proxy::Request;
use crate::quota::{Amounts, By, Claim, Few, Quota, Refused, Reservation, Subject, Unit, Values};

/// One quota of a route, with what is written of it.
pub(crate) struct Metered {
    quota: Arc<Quota>,
    name: rate_limit::Name,
    metrics: Arc<metrics::Quota>,
}

/// The quotas of one policy, in the order written.
pub(crate) struct Quotas(Vec<Metered>);

/// What a request holds of its quotas.
pub(crate) struct Held {
    /// All of them, reserved together.
    pub(crate) reservation: Reservation,
    /// Where each one's figures go.
    series: Vec<Series>,
    /// How many of the uses in the record are settled already; those of the reservation follow.
    closed: usize,
}

/// A quota that counts a request.
struct Counting<'a> {
    metered: &'a Metered,
    /// By which key, where that is told.
    key: Option<Arc<str>>,
}

/// Where the figures of one quota go.
struct Series {
    /// The key, where it is told who used what.
    key: Option<Arc<str>>,
    quota: Arc<metrics::Quota>,
    /// Those of the caller's team.
    units: Arc<metrics::Units>,
}

/// The policy.
pub(crate) struct Policed {
    quotas: Arc<Quotas>,
    deferred: bool,
}

/// What one request may use at most.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bound<'a> {
    /// Of each unit that the action uses; requests count themselves.
    pub(crate) amounts: Amounts,
    /// The model asked for.
    pub(crate) model: Option<&'a str>,
    /// The provider that is to answer.
    pub(crate) provider: Option<&'a str>,
}

#[async_trait]
impl Policy for Policed {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        if self.deferred {
            cx.request.deferred_quotas = Some(self.quotas.clone());
        } else {
            let reserved = self
                .quotas
                .reserve(cx.request, &cx.head.headers, Bound::default())
                .await;
            reserved.map_err(|refused| self.quotas.refused(&refused))?;
        }
        Ok(Verdict::Continue)
    }
}

impl Quotas {
    /// Takes the bound from every quota, or from none. A refusal is not counted yet: the action may
    /// have a smaller bound to try; the last one goes to [`refused`](Self::refused).
    pub(crate) async fn reserve(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        bound: Bound<'_>,
    ) -> Result<(), Refused> {
        // Messages are charged as they come: see `spend`.
        let at_once = |quota: &Quota| quota.unit != Unit::WebsocketMessages;
        let (counting, reservation) = self.take(request, headers, bound, at_once).await?;
        let closed = request.record.quotas.len();
        let series = note(request, &counting, &reservation);
        let metered: Few<&Metered> = counting.iter().map(|counting| counting.metered).collect();
        tell::tell(request, &metered, &reservation);
        request.held = Some(Held {
            reservation,
            series,
            closed,
        });
        // A request that is let in counts, whatever becomes of it.
        if metered.iter().any(|m| m.quota.unit == Unit::Requests) {
            declare(request, Usage::nothing());
        }
        Ok(())
    }

    /// The quotas among `these` that count the request, and what was taken from them.
    async fn take(
        &self,
        request: &Request,
        headers: &HeaderMap,
        bound: Bound<'_>,
        these: impl Fn(&Quota) -> bool,
    ) -> Result<(Few<Counting<'_>>, Reservation), Refused> {
        let subject = Subject {
            headers: Some(headers),
            client: Some(request.client()),
            ..subject(request, bound)
        };
        let counting = self.covering(&subject);
        let told = request.snapshot.usage.is_some();
        let counting: Few<Counting<'_>> = counting
            .filter(|m| these(&m.quota))
            .map(|metered| Counting {
                metered,
                key: told.then(|| key(&metered.quota, &subject)).flatten(),
            })
            .collect();
        let claims: Few<_> = counting
            .iter()
            .map(|Counting { metered, .. }| Claim {
                quota: &metered.quota,
                subject,
                bound: amount(metered.quota.unit, &bound.amounts),
            })
            .collect();
        let holder = Arc::from(request.record.request_id.as_str());
        let reserving = request.gateway.ledger.reserve(&claims, Some(&holder));
        let reservation = reserving.await?;
        Ok((counting, reservation))
    }

    fn covering(&self, subject: &Subject<'_>) -> impl Iterator<Item = &Metered> {
        self.0
            .iter()
            .filter(|metered| metered.quota.narrowed.covers(subject))
    }
}

/// The key of a subject, as it is told.
fn key(quota: &Quota, subject: &Subject<'_>) -> Option<Arc<str>> {
    let values = Values::of_subject(quota, subject)?;
    Some(values.to_string().into())
}

/// Writes down what was reserved; returns where to write what comes of it.
fn note(
    request: &mut Request,
    counting: &[Counting<'_>],
    reservation: &Reservation,
) -> Vec<Series> {
    let record = &mut request.record;
    let team = record.team.as_deref().unwrap_or_default();
    let each = counting.iter().zip(reservation.states());
    each.map(|(Counting { metered, key }, hold)| {
        let series = Series {
            key: key.clone(),
            quota: metered.metrics.clone(),
            units: metered.metrics.units(team),
        };
        series
            .quota
            .decided(match (hold.over, metered.quota.enforce) {
                (false, _) => Decision::Allowed,
                (true, false) => Decision::NotEnforced,
                (true, true) => Decision::Unseen,
            });
        series.units.reserved(hold.bound());
        record.quotas.push(QuotaUse {
            quota: metered.quota.name.clone(),
            unit: metered.quota.unit.as_str(),
            reserved: hold.bound(),
            used: 0,
            provenance: "estimated",
        });
        series
    })
    .collect()
}

/// What `request` counts for, as far as whom it names goes.
fn subject<'a>(request: &'a Request, bound: Bound<'a>) -> Subject<'a> {
    let (consumer, route) = (request.consumer.as_deref(), request.route.as_deref());
    let team = consumer.and_then(|consumer| consumer.team.as_deref());
    Subject {
        organisation: team.and_then(|team| request.snapshot.organisation(team)),
        team,
        consumer: consumer.map(|consumer| &*consumer.name),
        route: route.map(|route| &*route.name),
        model: bound.model,
        provider: bound.provider,
        client: None,
        headers: None,
    }
}

/// Charges what an action is about to use to the quotas that waited for it; nothing if none did.
///
/// This is the hook for whatever an action has a cost of its own for. It calls this once it knows
/// the most that it will use, before it uses any, and writes into [`Request::usage`] what it came
/// to, as soon as that is known: when the request is over, that replaces the bound. An action that
/// never calls it is charged as one that used nothing but a request.
pub(crate) async fn charge(
    request: &mut Request,
    headers: &HeaderMap,
    bound: Bound<'_>,
) -> Result<(), GatewayError> {
    let Some(quotas) = request.deferred_quotas.take() else {
        return Ok(());
    };
    let reserved = quotas.reserve(request, headers, bound).await;
    reserved.map_err(|refused| quotas.refused(&refused))
}

fn amount(unit: Unit, amounts: &Amounts) -> u64 {
    match unit {
        Unit::Requests | Unit::ConcurrentRequests => 1,
        _ => amounts.get(unit),
    }
}

/// Whether only the action knows what is to be reserved.
fn needs_action(quota: &Quota) -> bool {
    !matches!(quota.unit, Unit::Requests | Unit::ConcurrentRequests)
        || quota
            .by
            .iter()
            .any(|by| matches!(by, By::Model | By::Provider))
        || !quota.narrowed.models.is_empty()
}
