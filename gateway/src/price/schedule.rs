//! The prices of one model over time.
//!
//! Resolved once; a request only asks which of the few is in force. Knows neither where the
//! prices come from nor what the model is called.

use std::sync::Arc;
use std::time::SystemTime;

use super::Price;

/// A price and the moment from which it holds, until the next one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    /// When it comes into force: midnight UTC.
    pub from: SystemTime,
    /// The price.
    pub price: Price,
    /// Who said so.
    pub source: Source,
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The built-in catalogue; its version and date are [`Builtin`](super::Builtin)'s.
    Builtin,
    /// An entry under `prices`.
    Configuration,
}

/// The prices of one model over time, the earliest first; none, if the model has no price.
///
/// Cheap to clone and to ask: a binary search among usually one or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Arc<[Dated]>);

impl Schedule {
    /// The schedule of layers, the lowest first, each in order of its dates: from its first
    /// date on, a layer holds in place of those below it.
    pub(super) fn layered<'d>(layers: impl IntoIterator<Item = &'d [Dated]>) -> Self {
        let mut all: Vec<Dated> = Vec::new();
        for layer in layers {
            if let Some(first) = layer.first() {
                all.retain(|below| below.from < first.from);
                all.extend_from_slice(layer);
            }
        }
        Self(all.into())
    }

    /// The price at `at`, and since when; `None` before the first, or where there is none.
    ///
    /// A request asks once, when it begins, so that what was reserved and what is settled are
    /// counted at one price.
    pub fn in_force(&self, at: SystemTime) -> Option<&Dated> {
        in_force(&self.0, at)
    }

    /// The price at `at`.
    pub fn price(&self, at: SystemTime) -> Option<&Price> {
        self.in_force(at).map(|dated| &dated.price)
    }

    /// Whether the model never has a price.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The last of `dated`, which are in order of their dates, that is not after `at`.
pub(super) fn in_force(dated: &[Dated], at: SystemTime) -> Option<&Dated> {
    let begun = dated.partition_point(|dated| dated.from <= at);
    dated[..begun].last()
}
