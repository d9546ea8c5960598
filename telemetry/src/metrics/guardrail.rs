//! What guardrails find.

use super::Families;
use prometheus::IntCounter;

/// The series of one rule on one route in one direction.
#[derive(Clone, Debug)]
pub struct Findings(IntCounter);

impl Findings {
    pub(super) fn resolve(families: &Families, labels: &[&str]) -> Self {
        Self(families.guardrail_findings.with(labels))
    }

    /// It found something so often.
    pub fn add(&self, n: u64) {
        self.0.inc_by(n);
    }
}
