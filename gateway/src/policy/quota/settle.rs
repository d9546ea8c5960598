//! The end of a reservation: what the request really used, from whoever knows best.

use weir_telemetry::record::QuotaUse;

use super::{Held, Series};
use crate::proxy::Request;
use crate::quota::{Amounts, Provenance, Quota, Reservation, Unit, Used};
use crate::usage::Tally;

/// What a request used, as its action found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of each unit that the action uses.
    pub(crate) amounts: Amounts,
    /// Who says so.
    pub(crate) provenance: Provenance,
}

impl Usage {
    /// Nothing, for certain.
    pub(crate) fn nothing() -> Self {
        Self {
            amounts: Amounts::default(),
            provenance: Provenance::Counted,
        }
    }
}

/// Says what the request has used already. To be told before its caller knows of it: what a caller
/// was given counts, even if the process dies before the request is over. An estimate says nothing
/// of that.
pub(crate) fn declare(request: &Request, usage: Usage) {
    if let Some(held) = &request.held
        && usage.provenance != Provenance::Estimated
    {
        let used = |quota: &Quota, bound| used(quota.unit, Some(usage), bound).amount;
        held.reservation.declare(used);
    }
}

/// Settles what the request reserved, with what the action found it used.
pub(crate) fn settle(request: &mut Request) {
    let Some(Held {
        reservation,
        series,
        closed,
    }) = request.held.take()
    else {
        return;
    };
    let sent = request
        .record
        .attempts
        .iter()
        .any(|attempt| attempt.bytes_sent > 0);
    let usage = request.usage.or((!sent).then(Usage::nothing));
    close(
        reservation,
        &series,
        &mut request.record.quotas[closed..],
        &mut request.tally,
        usage,
    );
}

/// Settles a reservation, and writes down what came of it: one of `series` and `uses` for each hold.
pub(super) fn close(
    reservation: Reservation,
    series: &[Series],
    uses: &mut [QuotaUse],
    tally: &mut Tally,
    usage: Option<Usage>,
) {
    let settled = reservation.settle(|quota, bound| used(quota.unit, usage, bound));
    for ((settled, series), use_) in settled.iter().zip(series).zip(uses) {
        *use_ = QuotaUse {
            quota: settled.quota.name.clone(),
            unit: settled.quota.unit.as_str(),
            reserved: settled.bound,
            used: settled.used.amount,
            provenance: provenance(settled.used.provenance),
        };
        if let Some(key) = &series.key {
            tally.add(settled, key);
        }
        // What is beyond the bound is counted as debt there, as the ledger keeps it.
        series.units.settled(settled.bound, settled.used.amount);
        if settled.overrun > 0 {
            log::debug!(
                "quota \"{}\": {} {} used, {} reserved: {} are debt",
                settled.quota.name,
                settled.used.amount,
                settled.quota.unit,
                settled.bound,
                settled.overrun
            );
        }
    }
}

/// What a quota is charged of which `bound` was reserved.
pub(super) fn used(unit: Unit, usage: Option<Usage>, bound: u64) -> Used {
    match (unit, usage) {
        (Unit::Requests, _) => Used {
            amount: 1,
            provenance: Provenance::Counted,
        },
        // It is in progress no more.
        (Unit::ConcurrentRequests, _) => Used {
            amount: 0,
            provenance: Provenance::Counted,
        },
        (
            unit,
            Some(Usage {
                amounts,
                provenance,
            }),
        ) => {
            let amount = amounts.get(unit);
            // A guess from bytes may be too high, and the provider was held to the bound: a guess
            // makes no debt.
            let amount = match provenance {
                Provenance::Estimated => amount.min(bound),
                Provenance::Provider | Provenance::Counted => amount,
            };
            Used { amount, provenance }
        }
        // Something went upstream and nobody said what it cost: it counts in full.
        (_, None) => Used {
            amount: bound,
            provenance: Provenance::Estimated,
        },
    }
}

/// The provenance as telemetry writes it.
pub(crate) const fn provenance(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Provider => "provider",
        Provenance::Counted => "counted",
        Provenance::Estimated => "estimated",
    }
}
