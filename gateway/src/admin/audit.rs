//! One line for each change made by hand: who, what, why, and what it did.
//!
//! The lines go where the gateway's own do, under the target `audit`, as JSON with the names of
//! the access log. They are warnings, so that no usual setting of the log's level loses them.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use weir_telemetry::Metrics;

/// Who makes a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    /// The other end of the connection.
    pub(super) peer: Option<SocketAddr>,
    /// Whether it showed the admin token; otherwise it came from this machine.
    pub(super) token: bool,
}

/// What was done.
#[derive(Debug)]
pub(super) struct Act<'a> {
    /// As `quota_grant`.
    pub(super) action: &'static str,
    pub(super) reason: &'a str,
    /// On what, and what came of it.
    pub(super) details: Map<String, Value>,
    /// Why it may not have been done.
    pub(super) failure: Option<&'a str>,
}

/// Writes the line and counts the change.
pub(super) fn write(metrics: &Metrics, person: Person, act: Act<'_>) {
    metrics.changed_by_hand(act.action, act.failure.is_none());
    log::warn!(target: "audit", "{}", line(person, act));
}

fn line(person: Person, act: Act<'_>) -> Value {
    let mut line = json!({
        "timestamp": jiff::Timestamp::now().to_string(),
        "event.name": act.action,
        "weir.admin.by": if person.token { "token" } else { "loopback" },
        "weir.admin.result": if act.failure.is_some() { "failed" } else { "ok" },
        "weir.admin.reason": act.reason,
    });
    if let Value::Object(members) = &mut line {
        if let Some(peer) = person.peer {
            members.insert("network.peer.address".into(), peer.ip().to_string().into());
            members.insert("network.peer.port".into(), peer.port().into());
        }
        if let Some(failure) = act.failure {
            members.insert("weir.error.detail".into(), failure.into());
        }
        members.extend(act.details);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_on_one_line_whatever_the_reason() {
        let person = Person {
            peer: Some(([127, 0, 0, 1], 4242).into()),
            token: true,
        };
        let details = json!({ "weir.quota": "q", "weir.quota.key": "shop" });
        let act = Act {
            action: "quota_grant",
            reason: "a \"launch\"\nevent.name=quota_reset",
            details: details.as_object().cloned().unwrap_or_default(),
            failure: None,
        };
        let text = line(person, act).to_string();
        assert!(!text.contains('\n'), "{text}");
        let read: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read["event.name"], "quota_grant");
        assert_eq!(read["weir.admin.by"], "token");
        assert_eq!(read["network.peer.address"], "127.0.0.1");
        assert_eq!(read["weir.quota.key"], "shop");
        assert_eq!(
            read["weir.admin.reason"],
            "a \"launch\"\nevent.name=quota_reset"
        );
        assert_eq!(read.get("weir.error.detail"), None);
    }
}
