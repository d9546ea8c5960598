//! What a listener's connections add to, and requests refused before any
//! route was found.

use super::slots::PerCode;
use super::{Families, InFlight};
use crate::code::Code;
use crate::record::Protocol;
use prometheus::{IntCounter, IntGauge};
use std::sync::Arc;

/// The series of one listener.
pub struct Listener {
    families: Arc<Families>,
    name: Box<str>,
    active: IntGauge,
    http1: IntCounter,
    http2: IntCounter,
    refused: PerCode<IntCounter>,
}

impl Listener {
    pub(super) fn resolve(families: &Arc<Families>, name: &str) -> Self {
        Self {
            active: families.connections_active.with(&[name]),
            http1: families.connections.with(&[name, "http1"]),
            http2: families.connections.with(&[name, "http2"]),
            refused: PerCode::default(),
            families: Arc::clone(families),
            name: name.into(),
        }
    }

    /// A connection was accepted; hold on to the result until it is closed.
    pub fn opened(&self) -> InFlight {
        InFlight::enter(&self.active)
    }

    /// What a connection turned out to speak. Once per connection.
    pub fn negotiated(&self, protocol: Protocol) {
        match protocol {
            Protocol::Http10 | Protocol::Http11 => self.http1.inc(),
            Protocol::Http2 => self.http2.inc(),
        }
    }

    /// A request was refused before a route was found. Once per request:
    /// [`Telemetry::finish`](crate::Telemetry::finish) calls it for records
    /// without a route; call it for what never becomes a record.
    pub fn refused(&self, code: Code) {
        self.refused
            .get(code, || {
                self.families.refused.with(&[&self.name, code.slug()])
            })
            .inc();
    }
}
