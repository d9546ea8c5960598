//! What is charged piece by piece while a request lasts, and settled at once: the messages of a
//! connection.

use http::HeaderMap;
use weir_telemetry::record::QuotaUse;

use super::{Bound, Counting, Quotas, settle};
use crate::error::GatewayError;
use crate::proxy::Request;
use crate::quota::{Amounts, Provenance, Reservation, Unit, Used};

impl Quotas {
    /// Whether any of them counts by `unit`.
    pub(crate) fn count(&self, unit: Unit) -> bool {
        self.0.iter().any(|metered| metered.quota.unit == unit)
    }

    /// Charges so much of `unit` to every quota that counts it, or to none. It is used with that: nothing
    /// of it is held or comes back.
    pub(crate) async fn spend(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        unit: Unit,
        amount: u64,
    ) -> Result<(), GatewayError> {
        let bound = Bound {
            amounts: Amounts::default().with(unit, amount),
            ..Bound::default()
        };
        let taking = self.take(request, headers, bound, |quota| quota.unit == unit);
        let taken = taking.await.map_err(|refused| self.refused(&refused))?;
        let (counting, reservation) = taken;
        note(request, &counting, reservation);
        Ok(())
    }
}

/// Settles a reservation in full, and adds it to what the record says of its quotas.
fn note(request: &mut Request, counting: &[Counting<'_>], reservation: Reservation) {
    let settled = reservation.settle(|_, bound| Used {
        amount: bound,
        provenance: Provenance::Counted,
    });
    let record = &mut request.record;
    let team = record.team.as_deref().unwrap_or_default();
    for (Counting { metered, key }, settled) in counting.iter().zip(&settled) {
        if let Some(key) = key {
            request.tally.add(settled, key);
        }
        let units = metered.metrics.units(team);
        units.reserved(settled.bound);
        units.settled(settled.bound, settled.used.amount);
        let name = &metered.quota.name;
        let known = record.quotas.iter_mut().find(|use_| use_.quota == *name);
        if let Some(use_) = known {
            use_.reserved += settled.bound;
            use_.used += settled.used.amount;
            continue;
        }
        // Those of what is still held stand last.
        let at = request.held.as_mut().map_or(record.quotas.len(), |held| {
            held.closed += 1;
            held.closed - 1
        });
        let use_ = QuotaUse {
            quota: name.clone(),
            unit: metered.quota.unit.as_str(),
            reserved: settled.bound,
            used: settled.used.amount,
            provenance: settle::provenance(settled.used.provenance),
        };
        record.quotas.insert(at, use_);
    }
}
