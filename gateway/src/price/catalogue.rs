//! The catalogue: which price a provider's model has, and from when.
//!
//! Four layers, of which the first that has a price in force at a time decides:
//!
//! 1. the configuration's entry for exactly this model,
//! 2. the built-in price of exactly this model,
//! 3. the configuration's entry for the model of which this one is a dated snapshot,
//! 4. the built-in price of that model.
//!
//! So an entry holds from its day on and for its provider alone, and a snapshot that a vendor
//! prices apart keeps its own price whatever is said of its family. Knows no requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::schedule::in_force;
use super::{Builtin, Dated, Price, Schedule, Source, builtin, name};
use crate::config::units::Date;

/// What the configuration says a provider's model costs from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The provider's name.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub model: Arc<str>,
    /// The day, in UTC, from which it holds.
    pub from: Date,
    /// The price.
    pub price: Price,
}

/// All prices: those built in, if they are wanted, and those of the configuration.
#[derive(Debug, Clone)]
pub struct Catalogue {
    builtin: Option<&'static Builtin>,
    /// By provider and model, in order of their dates.
    entries: HashMap<Arc<str>, HashMap<Arc<str>, Vec<Dated>>>,
}

impl Catalogue {
    /// The catalogue of `entries`, over the built-in prices if `with_builtin`. Of two entries
    /// for one provider, model and day, which `check` refuses, the later in order holds.
    pub fn new(with_builtin: bool, entries: &[Entry]) -> Self {
        let mut all = HashMap::<Arc<str>, HashMap<Arc<str>, Vec<Dated>>>::new();
        for entry in entries {
            let dated = Dated {
                from: entry.from.begins(),
                price: entry.price,
                source: Source::Configuration,
            };
            let models = all.entry(entry.provider.clone()).or_default();
            let sorted = models.entry(entry.model.clone()).or_default();
            let at = sorted.partition_point(|other| other.from <= dated.from);
            sorted.insert(at, dated);
        }
        Self {
            builtin: with_builtin.then(builtin),
            entries: all,
        }
    }

    /// What `provider`'s `model` costs over time. `vendor` is who the provider is, as
    /// [`vendor_of`](super::vendor_of) knows it; without one only the entries count.
    ///
    /// For when a configuration is compiled; a request asks the schedule.
    pub fn schedule(&self, provider: &str, vendor: Option<&str>, model: &str) -> Schedule {
        let highest_first = self.layers(provider, vendor, model);
        Schedule::layered(highest_first.into_iter().rev())
    }

    /// What `provider`'s `model` costs at `at`; `None`, if nobody said.
    pub fn price(
        &self,
        provider: &str,
        vendor: Option<&str>,
        model: &str,
        at: SystemTime,
    ) -> Option<&Price> {
        let layers = self.layers(provider, vendor, model).into_iter();
        let dated = layers.filter_map(|layer| in_force(layer, at)).next();
        dated.map(|dated| &dated.price)
    }

    /// What is known of a model, what decides first.
    fn layers(&self, provider: &str, vendor: Option<&str>, model: &str) -> [&[Dated]; 4] {
        let configured = |model: &str| -> &[Dated] {
            let models = self.entries.get(provider);
            let dated = models.and_then(|models| models.get(model));
            dated.map_or(&[], Vec::as_slice)
        };
        let published = |model: &str| -> &[Dated] {
            let known = self.builtin.zip(vendor);
            known.map_or(&[], |(builtin, vendor)| builtin.dated(vendor, model))
        };
        let family = name::family(model);
        [
            configured(model),
            published(model),
            family.map_or(&[], configured),
            family.map_or(&[], published),
        ]
    }
}

#[cfg(test)]
mod tests;
