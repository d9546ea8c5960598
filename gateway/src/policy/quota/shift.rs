//! A call that is given to another provider: what quotas by provider hold for the one that failed is
//! settled, and reserved anew for the next. All others go on holding what they hold.

use http::HeaderMap;
use weir_telemetry::record::QuotaUse;

use super::settle::close;
use super::{Bound, Quotas, Series, Usage, declare, note, top_up};
use crate::proxy::Request;
use crate::quota::{Amounts, By, Quota, Refused, Reservation, Unit};

/// What the quotas by provider hold of a request, taken out of what it holds in all.
struct Part {
    reservation: Reservation,
    series: Vec<Series>,
    uses: Vec<QuotaUse>,
}

/// Whether a quota counts each provider apart.
fn is_by_provider(quota: &Quota) -> bool {
    quota.by.contains(&By::Provider)
}

impl Quotas {
    /// Moves what a request holds to `bound`, which is of another provider: all or nothing. Quotas
    /// by provider reserve all of it anew, the others `more` of each unit; and `cost` is what the
    /// provider that failed is charged, or what was reserved if nobody knows.
    pub(crate) async fn shift(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        bound: Bound<'_>,
        more: &Amounts,
        cost: Option<Usage>,
    ) -> Result<(), Refused> {
        let (counting, anew) = self.take(request, headers, bound, is_by_provider).await?;
        let part = take_out(request);
        if let Err(refused) = add(request, more).await {
            anew.release();
            put_back(request, part);
            return Err(refused);
        }
        settle(request, part, cost);
        let series = note(request, &counting, &anew);
        if let Some(held) = &mut request.held {
            held.reservation.join(anew);
            held.series.extend(series);
        }
        let mut counting = counting.iter().map(|counting| counting.metered);
        if counting.any(|m| m.quota.unit == Unit::Requests) {
            declare(request, Usage::nothing());
        }
        Ok(())
    }
}

/// Settles what quotas by provider hold of a request, since that provider is not asked again.
pub(crate) fn leave(request: &mut Request, cost: Option<Usage>) {
    let part = take_out(request);
    settle(request, part, cost);
}

/// Adds to what is held, if that is anything.
pub(crate) async fn add(request: &mut Request, more: &Amounts) -> Result<(), Refused> {
    let held = request.held.as_ref();
    let counts = held.is_some_and(|held| {
        let mut holds = held.reservation.states();
        holds.any(|hold| more.get(hold.quota.unit) > 0)
    });
    match counts {
        true => top_up(request, more).await,
        false => Ok(()),
    }
}

fn take_out(request: &mut Request) -> Option<Part> {
    let held = request.held.as_mut()?;
    let holds = held.reservation.states();
    let out: Vec<bool> = holds.map(|hold| is_by_provider(&hold.quota)).collect();
    let reservation = held.reservation.split(is_by_provider);
    let uses = request.record.quotas.split_off(held.closed);
    let (uses, kept) = split(uses, &out);
    request.record.quotas.extend(kept);
    let (series, kept) = split(std::mem::take(&mut held.series), &out);
    held.series = kept;
    Some(Part {
        reservation,
        series,
        uses,
    })
}

/// What is marked, and what is not.
fn split<T>(all: Vec<T>, marks: &[bool]) -> (Vec<T>, Vec<T>) {
    let (out, kept): (Vec<_>, Vec<_>) = all.into_iter().zip(marks).partition(|(_, out)| **out);
    let bare = |marked: Vec<(T, &bool)>| marked.into_iter().map(|(one, _)| one).collect();
    (bare(out), bare(kept))
}

fn put_back(request: &mut Request, part: Option<Part>) {
    if let (Some(held), Some(part)) = (&mut request.held, part) {
        held.reservation.join(part.reservation);
        held.series.extend(part.series);
        request.record.quotas.extend(part.uses);
    }
}

fn settle(request: &mut Request, part: Option<Part>, cost: Option<Usage>) {
    if let (Some(held), Some(mut part)) = (&mut request.held, part) {
        let (reservation, uses) = (part.reservation, &mut part.uses);
        close(reservation, &part.series, uses, &mut request.tally, cost);
        let at = held.closed;
        held.closed += part.uses.len();
        request.record.quotas.splice(at..at, part.uses);
    }
}
