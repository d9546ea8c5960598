//! When a certificate that a listener shows expires, read from time to time.

use super::Families;
use prometheus::IntGauge;
use std::sync::Arc;

/// The series of one certificate; it is gone when this is dropped.
pub struct Certificate {
    families: Arc<Families>,
    names: [Box<str>; 2],
    expiry: IntGauge,
}

impl Certificate {
    pub(super) fn resolve(families: &Arc<Families>, listener: &str, file: &str) -> Self {
        Self {
            expiry: families.certificate_expiry.with(&[listener, file]),
            names: [listener.into(), file.into()],
            families: Arc::clone(families),
        }
    }

    /// It expires then, in seconds of Unix time.
    pub fn expires(&self, at: i64) {
        self.expiry.set(at);
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let names = [&*self.names[0], &*self.names[1]];
        self.families.certificate_expiry.remove(&names);
    }
}
