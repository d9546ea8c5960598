//! A call that is made beside a request's own, and before it, as one for a vector: what it may use is
//! reserved by itself and settled as soon as it is over. The request itself is not counted by that,
//! but has to be let in.

use http::HeaderMap;

use super::settle::close;
use super::{Bound, Counting, Quotas, Series, Usage, note};
use crate::proxy::Request;
use crate::quota::{Few, Quota, Refused, Reservation, Unit};

/// What such a call holds.
#[must_use = "what is not settled is charged in full"]
pub(crate) struct Beside {
    reservation: Reservation,
    series: Vec<Series>,
    /// The number of its first use in the record.
    at: usize,
}

/// Whether a quota counts requests, whatever they use.
fn counts_requests(quota: &Quota) -> bool {
    matches!(quota.unit, Unit::Requests | Unit::ConcurrentRequests)
}

impl Quotas {
    /// Takes the bound from every quota, or from none; nothing while the request itself would not be
    /// let in.
    pub(crate) async fn beside(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        bound: Bound<'_>,
    ) -> Result<Beside, Refused> {
        let (counting, mut reservation) = self.take(request, headers, bound, |_| true).await?;
        reservation.split(counts_requests).release();
        let counting = counting.into_iter();
        let counting: Few<Counting<'_>> = counting
            .filter(|counting| !counts_requests(&counting.metered.quota))
            .collect();
        let at = request.record.quotas.len();
        let series = note(request, &counting, &reservation);
        Ok(Beside {
            reservation,
            series,
            at,
        })
    }
}

impl Beside {
    /// Replaces what was reserved by what was used; `None` if nobody knows.
    pub(crate) fn settle(self, request: &mut Request, usage: Option<Usage>) {
        let uses = &mut request.record.quotas[self.at..];
        close(
            self.reservation,
            &self.series,
            uses,
            &mut request.tally,
            usage,
        );
    }
}
