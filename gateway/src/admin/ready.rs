//! `/readyz`: whether to send requests here, and what is not as it should be.

use http::StatusCode;
use serde_json::json;

use super::Answer;
use crate::gateway::Gateway;

/// 200 while requests are served, 503 once the process is on its way out. A refused reload and a
/// quota store that is down are told and do not make the gateway unready: the old configuration
/// serves, and so do routes without quotas.
pub(super) fn answer(gateway: &Gateway) -> Answer {
    let draining = gateway.drain.closing();
    let snapshot = gateway.snapshot();
    let detail = json!({
        "status": if draining { "draining" } else { "ready" },
        "revision": format!("{:016x}", snapshot.revision),
        // This one is in flight too.
        "requests_in_flight": gateway.drain.in_flight().saturating_sub(1),
        "last_reload": match gateway.reload_failure() {
            Some(why) => json!({ "result": "failed", "reason": why }),
            None => json!({ "result": "ok" }),
        },
        "stores": snapshot
            .stores()
            .map(|store| (store.name().to_string(), store.trouble().as_deref().unwrap_or("ok").into()))
            .collect::<serde_json::Map<_, _>>(),
    });
    let status = if draining {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    Answer::json(status, detail.to_string())
}
