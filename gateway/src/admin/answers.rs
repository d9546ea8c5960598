//! What each path of the two addresses answers.

use std::sync::Arc;

use http::StatusCode;

use serde_json::{Value, json};
use weir_telemetry::{Code, Metrics};

use super::problem::Problem;
use super::{Answer, ready, routes, workers};
use crate::gateway::Gateway;
use crate::runbooks;

/// Every figure there is. They are many, so that writing them is no matter for a thread that serves others.
pub(super) async fn metrics(gateway: &Arc<Gateway>) -> Answer {
    let metrics = gateway.telemetry.metrics.clone();
    let text = tokio::task::spawn_blocking(move || metrics.encode()).await;
    Answer {
        status: StatusCode::OK,
        content_type: Metrics::CONTENT_TYPE,
        // It fails only where the process is about to end.
        body: text.unwrap_or_default().into(),
    }
}

/// Paths of both addresses.
pub(super) fn common(gateway: &Gateway, path: &str) -> Option<Answer> {
    Some(match path {
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
        "/runbooks" => Answer::json(StatusCode::OK, runbook_list()),
        _ if path.starts_with("/runbooks/") => runbook(path.trim_start_matches("/runbooks/")),
        _ => {
            let id = path.strip_prefix("/requests/")?;
            match recorder.find_json(id, gateway.snapshot().revision) {
                Some(found) => Answer::json(StatusCode::OK, found),
                None => Problem::absent(
                    format!("\"{id}\" is not recorded"),
                    "only the latest failed, refused or mistaken and the slowest requests are, until \
                     the gateway restarts: look for it in the access log, and ask the gateway that \
                     served it",
                )
                .into(),
            }
        }
    })
}

fn runbook_list() -> String {
    let pages = runbooks::all().map(|page| {
        let code = page.name.parse::<Code>().ok();
        json!({
            "name": page.name,
            "status": code.map(Code::status),
            "fault": code.map(|code| code.fault().as_str()),
            "title": code.map(Code::title),
        })
    });
    Value::from_iter(pages).to_string()
}

fn runbook(name: &str) -> Answer {
    match runbooks::find(name.trim_end_matches(".md")) {
        Some(page) => Answer {
            status: StatusCode::OK,
            content_type: "text/markdown; charset=utf-8",
            body: page.text.into(),
        },
        None => Answer::text(
            StatusCode::NOT_FOUND,
            "there is no such page; /runbooks lists them\n",
        ),
    }
}

fn upstreams(gateway: &Gateway) -> String {
    let snapshot = gateway.snapshot();
    let list: Vec<_> = snapshot
        .upstreams()
        .map(|upstream| upstream.describe())
        .collect();
    Value::from(list).to_string()
}

fn targets(gateway: &Gateway) -> String {
    let snapshot = gateway.snapshot();
    let all = snapshot.targets();
    let list: Vec<_> = all.into_iter().map(|target| target.describe()).collect();
    Value::from(list).to_string()
}

/// What there is, for who asks for something else.
pub(super) fn index(admin: bool) -> &'static str {
    if admin {
        "there are /metrics /healthz /readyz /config /routes /upstreams /upstreams/{name}/methods \
         /targets /webhooks /llm_workers /requests /requests/{id} /tail /evidence /runbooks \
         /runbooks/{name} /quotas /quotas/{name} /quotas/{name}/{key}, and for POST \
         /quotas/{name}/{key}/grant \
         /quotas/{name}/{key}/reset /stores/{name}/rebuild /usage/replay /webhooks/{name}/pause /webhooks/{name}/resume \
         /llm_workers/{name}/pause /llm_workers/{name}/resume\n"
    } else {
        "there are /metrics /healthz /readyz\n"
    }
}
