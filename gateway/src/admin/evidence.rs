//! `GET /evidence`: all that a gateway can tell about itself and its latest failures, as one JSON document
//! to put into a ticket.
//!
//! It is made of what the other paths show, so it holds no more than they: no header, query or body, and of
//! the configuration what is not secret.

use std::sync::Arc;
use std::time::SystemTime;

use http::{StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{Answer, answers, quotas, ready};
use crate::gateway::Gateway;

/// How many of the latest failures are explained where nobody names any.
const LATEST: usize = 20;

/// Paths whose answers are put in as they are.
const PARTS: [&str; 8] = [
    "/config",
    "/routes",
    "/upstreams",
    "/targets",
    "/webhooks",
    "/llm_workers",
    "/requests",
    "/quotas",
];

/// The document; `id`s in the query are requests to explain.
pub(super) async fn show(gateway: &Arc<Gateway>, uri: &Uri) -> Option<Answer> {
    if uri.path() != "/evidence" {
        return None;
    }
    let mut document = Map::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    document.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    document.insert(
        "unix_time".to_owned(),
        now.unwrap_or_default().as_secs().into(),
    );
    document.insert("readyz".to_owned(), parsed(ready::answer(gateway)));
    for path in PARTS {
        let answer = match path {
            "/quotas" => quotas::show(gateway, &Uri::from_static(path)).await,
            path => answers::admin(gateway, path),
        };
        let name = path.trim_start_matches('/').to_owned();
        document.insert(name, answer.map_or(Value::Null, parsed));
    }
    let mut ids = asked(uri.query());
    if ids.is_empty() {
        ids = latest(&document["requests"]);
    }
    let explained = ids.into_iter().map(|id| {
        let found = answers::admin(gateway, &format!("/requests/{id}"));
        let found = found.filter(|answer| answer.status == StatusCode::OK);
        (id, found.map_or(Value::Null, parsed))
    });
    document.insert("explained".to_owned(), Value::Object(explained.collect()));
    document.insert(
        "metrics".to_owned(),
        gateway.telemetry.metrics.encode().into(),
    );
    Some(Answer::json(StatusCode::OK, json!(document).to_string()))
}

fn parsed(answer: Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

/// The requests that are named.
fn asked(query: Option<&str>) -> Vec<String> {
    let pairs = query.unwrap_or_default().split('&');
    let ids = pairs.filter_map(|pair| pair.strip_prefix("id="));
    ids.map(|id| percent_decode_str(id).decode_utf8_lossy().into_owned())
        .collect()
}

/// The latest failures, else the latest refusals, else callers' mistakes, by the recorder's list.
fn latest(requests: &Value) -> Vec<String> {
    let of = |kind: &str| requests[kind].as_array().into_iter().flatten();
    let ids = ["failed", "refused", "mistaken"]
        .into_iter()
        .flat_map(of)
        .take(LATEST);
    ids.filter_map(|request| Some(request["request_id"].as_str()?.to_owned()))
        .collect()
}
