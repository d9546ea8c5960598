//! Quotas that an answer uses up while it flows: what becomes of one that does not fit, and what
//! is added to a reservation meanwhile. Knows no dialect and counts no tokens.

use weir_telemetry::metrics::quota::Decision;

use super::{Bound, Quotas, subject};
use crate::proxy::Request;
use crate::quota::{Amounts, OnExhausted, Quota, Refused, Unit};

/// What the quotas of one call have in store for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// Whether any of them counts what the answer uses up.
    pub(crate) counted: bool,
    /// The strictest thing that one of those has done to an answer that does not fit; `None` if
    /// none of them is enforced.
    pub(crate) on_exhausted: Option<OnExhausted>,
}

impl Quotas {
    /// What awaits the answer to a call that counts for `who`.
    pub(crate) fn outlook(&self, request: &Request, who: Bound<'_>) -> Outlook {
        let subject = subject(request, who);
        let of_output = || {
            self.covering(&subject)
                .map(|metered| &metered.quota)
                .filter(|quota| quota.unit.flows())
        };
        let strictness = |on: &OnExhausted| match on {
            OnExhausted::Finish => 0,
            OnExhausted::Cut => 1,
            OnExhausted::Refuse => 2,
        };
        Outlook {
            counted: of_output().next().is_some(),
            on_exhausted: of_output()
                .filter(|quota| quota.enforce)
                .map(|quota| quota.on_exhausted)
                .max_by_key(strictness),
        }
    }
}

/// Adds to what a request holds, all or nothing: `more` of each unit.
pub(crate) async fn top_up(request: &mut Request, more: &Amounts) -> Result<(), Refused> {
    let gateway = request.gateway.clone();
    let Some(held) = &mut request.held else {
        return Ok(());
    };
    let of = |quota: &Quota| more.get(quota.unit);
    gateway.ledger.top_up(&mut held.reservation, of).await?;
    let each = held.reservation.states().zip(&held.series);
    let uses = request.record.quotas.iter_mut().skip(held.closed);
    for ((hold, series), use_) in each.zip(uses) {
        series.units.reserved(of(&hold.quota));
        use_.reserved = hold.bound();
    }
    Ok(())
}

/// What the enforced quotas an answer uses up had left when the request last took from them.
pub(crate) fn left(request: &Request) -> impl Iterator<Item = (Unit, u64)> {
    let holds = request
        .held
        .iter()
        .flat_map(|held| held.reservation.states());
    holds
        .filter(|hold| hold.quota.enforce && hold.quota.unit.flows())
        .map(|hold| (hold.quota.unit, hold.state.remaining))
}

/// An answer was ended because the quota called `name` gave no more.
pub(crate) fn cut(request: &Request, name: &str) {
    let Some(held) = &request.held else { return };
    let each = held.reservation.states().zip(&held.series);
    for (_, series) in each.filter(|(hold, _)| *hold.quota.name == *name) {
        series.quota.decided(Decision::Cut);
    }
}
