//! Whether one of a provider's models is set aside, read from time to time.

use super::Families;
use prometheus::IntGauge;
use std::sync::Arc;

/// The series of one target; it is gone when this is dropped.
pub struct Target {
    families: Arc<Families>,
    names: [Box<str>; 2],
    set_aside: IntGauge,
}

impl Target {
    pub(super) fn resolve(families: &Arc<Families>, provider: &str, model: &str) -> Self {
        Self {
            set_aside: families.target_set_aside.with(&[provider, model]),
            names: [provider.into(), model.into()],
            families: Arc::clone(families),
        }
    }

    /// It is set aside now, or is not.
    pub fn set_aside(&self, set_aside: bool) {
        self.set_aside.set(i64::from(set_aside));
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let names = [&*self.names[0], &*self.names[1]];
        self.families.target_set_aside.remove(&names);
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn a_target_is_shown_until_it_is_gone() {
        let metrics = Metrics::new();
        let target = metrics.target("claude", "claude-sonnet-4");
        target.set_aside(true);
        let line = "weir_llm_target_set_aside{gen_ai_request_model=\"claude-sonnet-4\",weir_provider=\"claude\"} 1\n";
        assert!(metrics.encode().contains(line), "{}", metrics.encode());
        drop(target);
        assert!(!metrics.encode().contains("gen_ai_request_model"));
    }
}
