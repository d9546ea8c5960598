//! What each path of the two addresses answers.

use http::StatusCode;

use super::{Answer, ready, routes, workers};
use crate::gateway::Gateway;

/// Paths of both addresses.
pub(super) fn common(gateway: &Gateway, path: &str) -> Option<Answer> {
    Some(match path {
        "/metrics" => Answer {
            status: StatusCode::OK,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: gateway.telemetry.metrics.encode().into(),
        },
        "/healthz" => Answer::text(StatusCode::OK, "ok\n"),
        "/readyz" => ready::answer(gateway),
        _ => return None,
    })
}

/// Paths of the admin address.
pub(super) fn admin(gateway: &Gateway, path: &str) -> Option<Answer> {
    let recorder = &gateway.telemetry.recorder;
    Some(match path {
        "/config" => {
            let snapshot = gateway.snapshot();
            Answer::json(StatusCode::OK, snapshot.loaded.redacted.to_string())
        }
        "/routes" => {
            let snapshot = gateway.snapshot();
            Answer::json(StatusCode::OK, routes::list(&snapshot.loaded.config.routes))
        }
        "/upstreams" => Answer::json(StatusCode::OK, upstreams(gateway)),
        "/targets" => Answer::json(StatusCode::OK, targets(gateway)),
        "/webhooks" => Answer::json(StatusCode::OK, workers::list(&gateway.webhooks, gateway)),
        "/llm_workers" => {
            Answer::json(StatusCode::OK, workers::list(&gateway.llm_workers, gateway))
        }
        "/requests" => Answer::json(StatusCode::OK, recorder.list_json()),
        _ => {
            let id = path.strip_prefix("/requests/")?;
            match recorder.find_json(id) {
                Some(found) => Answer::json(StatusCode::OK, found),
                None => Answer::text(
                    StatusCode::NOT_FOUND,
                    "not recorded: only failed and slow requests are kept, the latest of them\n",
                ),
            }
        }
    })
}

fn upstreams(gateway: &Gateway) -> String {
    let snapshot = gateway.snapshot();
    let list: Vec<_> = snapshot
        .upstreams()
        .map(|upstream| upstream.describe())
        .collect();
    serde_json::Value::from(list).to_string()
}

fn targets(gateway: &Gateway) -> String {
    let snapshot = gateway.snapshot();
    let all = snapshot.targets();
    let list: Vec<_> = all.into_iter().map(|target| target.describe()).collect();
    serde_json::Value::from(list).to_string()
}

/// What there is, for who asks for something else.
pub(super) fn index(admin: bool) -> &'static str {
    if admin {
        "there are /metrics /healthz /readyz /config /routes /upstreams /upstreams/{name}/methods \
         /targets /webhooks /llm_workers /requests /requests/{id} /quotas /quotas/{name} /quotas/{name}/{key}, and for POST \
         /quotas/{name}/{key}/grant \
         /quotas/{name}/{key}/reset /stores/{name}/rebuild /usage/replay /webhooks/{name}/pause /webhooks/{name}/resume \
         /llm_workers/{name}/pause /llm_workers/{name}/resume\n"
    } else {
        "there are /metrics /healthz /readyz\n"
    }
}
