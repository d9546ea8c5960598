//! `POST /usage/replay`: the counters of quotas made anew from the records of usage. `{"from": "earliest",
//! "quotas": ["q"], "dry_run": true, "reason": "…"}`, all of which may be left out but the reason.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::audit::{self, Act, Person};
use super::body::parse;
use super::problem::Problem;
use crate::gateway::Gateway;
use crate::quota::{Quota, Standing};
use crate::runtime::Snapshot;
use crate::usage::{Asked, From, Key, Report, Trouble, replay};

/// How many keys are told.
const TOLD: usize = 10_000;

/// The change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replay;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    quotas: Vec<String>,
    #[serde(default)]
    dry_run: bool,
    reason: String,
}

impl Replay {
    /// The change that a path asks for.
    pub(super) fn of(path: &str) -> Option<Self> {
        (path == "/usage/replay").then_some(Self)
    }

    /// Makes it, as the body says.
    pub(super) async fn make(
        &self,
        gateway: &Gateway,
        person: Person,
        body: &[u8],
    ) -> Result<Value, Problem> {
        let body: Body = parse(body, "{\"reason\": \"why\"}")?;
        let reason = body.reason.trim();
        if reason.is_empty() {
            let hint = "say why, for whoever reads the audit";
            return Err(Problem::bad("the reason is empty", hint));
        }
        let snapshot = gateway.snapshot();
        let topic = snapshot.usage.as_ref().ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "conflict",
                "the configuration has no `usage_events`: there are no records to replay",
                "name the topic that holds them under `usage_events`, and reload",
            )
        })?;
        let quotas = quotas(&snapshot, &body.quotas)?;
        let asked = Asked {
            from: from(body.from.as_deref())?,
            dry_run: body.dry_run,
        };
        let replayed = replay(&gateway.ledger, topic, &quotas, &asked).await;
        let shown = replayed.as_ref().map(|report| shown(report, &asked));
        if !asked.dry_run {
            let failure = match &replayed {
                Ok(report) => report.keys.iter().find_map(|key| key.changed.clone().err()),
                Err(trouble) => Some(problem(trouble).detail.into()),
            };
            let details = match &shown {
                Ok(shown) => counts(shown),
                Err(_) => Map::new(),
            };
            let act = Act {
                action: "usage_replay",
                reason,
                details,
                failure: failure.as_deref(),
            };
            audit::write(&gateway.telemetry.metrics, person, act);
        }
        shown.map_err(problem)
    }
}

/// The quotas of these names; all, if there are none.
fn quotas(snapshot: &Snapshot, names: &[String]) -> Result<Vec<Arc<Quota>>, Problem> {
    if names.is_empty() {
        return Ok(snapshot.quotas().to_vec());
    }
    let find = |name: &String| super::quotas::find(snapshot, name);
    names.iter().map(find).collect()
}

fn from(text: Option<&str>) -> Result<From, Problem> {
    match text {
        None => Ok(From::Windows),
        Some("earliest") => Ok(From::Earliest),
        Some(text) => text.parse::<Timestamp>().map(From::Time).map_err(|_| {
            let hint = "write `earliest`, or a time as 2026-11-22T00:00:00Z";
            Problem::bad(format!("\"{text}\" is no time"), hint)
        }),
    }
}

fn problem(trouble: &Trouble) -> Problem {
    let unavailable = |detail: String, hint: &str| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Problem::new(status, "service_unavailable", detail, hint)
    };
    match trouble {
        Trouble::Topic(error) => unavailable(
            format!("the topic of `usage_events` cannot be read, and nothing was changed: {error}"),
            "see the gateway's log, and try again",
        ),
        Trouble::Silent => unavailable(
            "the brokers stopped answering, and nothing was changed".to_owned(),
            "see the gateway's log, and try again",
        ),
        Trouble::TooManyKeys => Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "the records name more than a million keys, and nothing was changed",
            "replay fewer quotas at a time, by name",
        ),
    }
}

fn shown(report: &Report, asked: &Asked) -> Value {
    let keys: Vec<Value> = report.keys.iter().take(TOLD).map(key).collect();
    json!({
        "dry_run": asked.dry_run,
        "records": report.records,
        "duplicates": report.duplicates,
        "unreadable": report.unreadable,
        "strangers": report.strangers,
        "missing": report.missing,
        "keys": report.keys.len(),
        "keys_complete": report.keys.len() <= TOLD,
        "list": keys,
    })
}

/// What the audit has room for.
fn counts(shown: &Value) -> Map<String, Value> {
    let names = [
        "records",
        "duplicates",
        "unreadable",
        "strangers",
        "missing",
        "keys",
    ];
    let named = |name: &str| (format!("weir.usage.{name}"), shown[name].clone());
    names.into_iter().map(named).collect()
}

fn key(key: &Key) -> Value {
    let quota = &key.quota;
    let mut shown = json!({
        "quota": &*quota.name,
        "store": &**quota.store.name(),
        "unit": quota.unit.as_str(),
        "key": key.key.to_string(),
    });
    match &key.changed {
        Ok(changed) => {
            let (before, after) = (counted(&changed.before), counted(&changed.after));
            // Nothing is ever forgotten by it.
            shown["difference"] = after.0.saturating_sub(before.0).into();
            shown["before"] = before.1;
            shown["after"] = after.1;
        }
        Err(why) => shown["error"] = (&**why).into(),
    }
    shown
}

/// What is known to be used or owed, and that piece by piece.
fn counted(standing: &Standing) -> (u64, Value) {
    let Standing {
        settled,
        reserved,
        debt,
        ..
    } = *standing;
    let shown = json!({ "used": settled, "reserved": reserved, "debt": debt });
    (settled.saturating_add(debt), shown)
}
