//! What a route's remote procedure calls add to: how long they took by how they ended, and how many
//! messages went each way.

use super::Families;
use crate::record::{Record, Rpc, RpcStatus};
use prometheus::{Histogram, IntCounter};
use std::sync::OnceLock;

/// The series of one route and team.
pub(super) struct Calls {
    durations: [OnceLock<Histogram>; RpcStatus::COUNT],
    sent: IntCounter,
    received: IntCounter,
}

impl Calls {
    pub(super) fn resolve(families: &Families, route: &str) -> Self {
        Self {
            durations: [const { OnceLock::new() }; RpcStatus::COUNT],
            sent: families.rpc_messages.with(&[route, "response"]),
            received: families.rpc_messages.with(&[route, "request"]),
        }
    }

    /// Everything a finished call adds.
    pub(super) fn finished(
        &self,
        families: &Families,
        (route, team): (&str, &str),
        record: &Record,
        call: Rpc,
    ) {
        let slot = call.status.and_then(|status| {
            let slot = self.durations.get(usize::from(status.number))?;
            Some((slot, status.name))
        });
        if let Some((slot, name)) = slot {
            slot.get_or_init(|| families.rpc_duration.with(&[route, team, name]))
                .observe(record.duration.as_secs_f64());
        }
        self.received.inc_by(call.request_messages);
        self.sent.inc_by(call.response_messages);
    }
}
