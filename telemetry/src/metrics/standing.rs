//! Where a quota stands, read from time to time. It knows nothing of the ledger, and nothing of
//! keys: a quota has many, and one series per figure.

use super::Families;
use prometheus::Gauge;
use std::sync::Arc;

/// What all keys of a quota come to, in the quota's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// What a key may use, unless it has a limit of its own.
    pub limit: u64,
    /// Whether anything is refused.
    pub enforced: bool,
    /// Keys in use.
    pub keys: u64,
    /// Known to be used.
    pub used: u64,
    /// Reserved, or kept to be.
    pub reserved: u64,
    /// Used beyond reservations.
    pub debt: u64,
    /// Given back by hand.
    pub credit: u64,
    /// The share of its limit that is used in the fullest key.
    pub fullest: f64,
}

const STATES: [&str; 4] = ["used", "reserved", "debt", "credit"];

/// The series of one quota; they are gone when this is dropped.
pub struct Standing {
    families: Arc<Families>,
    name: Box<str>,
    limit: Gauge,
    enforced: Gauge,
    keys: Gauge,
    fullest: Gauge,
    amounts: [Gauge; STATES.len()],
}

impl Standing {
    pub(super) fn resolve(families: &Arc<Families>, name: &str) -> Self {
        Self {
            limit: families.quota_limit.with(&[name]),
            enforced: families.quota_enforced.with(&[name]),
            keys: families.quota_keys.with(&[name]),
            fullest: families.quota_fullest.with(&[name]),
            amounts: STATES.map(|state| families.quota_standing.with(&[name, state])),
            families: Arc::clone(families),
            name: name.into(),
        }
    }

    /// It stands so now.
    pub fn is(&self, figures: &Figures) {
        let Figures {
            used,
            reserved,
            debt,
            credit,
            ..
        } = *figures;
        self.limit.set(figures.limit as f64);
        self.enforced.set(f64::from(u8::from(figures.enforced)));
        self.keys.set(figures.keys as f64);
        self.fullest.set(figures.fullest);
        for (gauge, amount) in self.amounts.iter().zip([used, reserved, debt, credit]) {
            gauge.set(amount as f64);
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let Self { families, name, .. } = self;
        let one = [
            &families.quota_limit,
            &families.quota_enforced,
            &families.quota_keys,
            &families.quota_fullest,
        ];
        for family in one {
            family.remove(&[name]);
        }
        for state in STATES {
            families.quota_standing.remove(&[name, state]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn figures_are_shown_until_the_quota_is_gone() {
        let metrics = Metrics::new();
        let standing = metrics.standing("q");
        standing.is(&Figures {
            limit: 10,
            enforced: true,
            keys: 2,
            used: 5,
            debt: 1,
            fullest: 0.5,
            ..Figures::default()
        });
        let text = metrics.encode();
        for line in [
            "weir_quota_limit{quota=\"q\"} 10\n",
            "weir_quota_enforced{quota=\"q\"} 1\n",
            "weir_quota_keys{quota=\"q\"} 2\n",
            "weir_quota_fullest_ratio{quota=\"q\"} 0.5\n",
            "weir_quota_standing{quota=\"q\",state=\"used\"} 5\n",
            "weir_quota_standing{quota=\"q\",state=\"debt\"} 1\n",
            "weir_quota_standing{quota=\"q\",state=\"credit\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        drop(standing);
        assert!(!metrics.encode().contains("quota=\"q\""));
    }
}
