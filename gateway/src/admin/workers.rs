//! How webhooks stand: for `GET /webhooks`, and for `/metrics`; and those that are paused by hand.
//!
//! `POST /webhooks/{name}/pause` and `POST /webhooks/{name}/resume` take `{"reason": "…"}`. It is this
//! gateway that pauses, until it is told otherwise or restarted: the partitions stay its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use weir_telemetry::metrics::webhook::{Figures, Pause, Standing};

use super::audit::{self, Act, Person};
use super::body::parse;
use super::problem::Problem;
use crate::gateway::Gateway;
use crate::kafka::group;
use crate::webhook::Watched;

/// All of them, with their partitions.
pub(super) fn list(gateway: &Gateway) -> String {
    let webhooks = gateway.webhooks.watch(gateway);
    let list: Vec<Value> = webhooks.iter().map(one).collect();
    Value::from(list).to_string()
}

fn one(watched: &Watched) -> Value {
    let (config, survey) = (watched.config(), &watched.survey);
    let partitions: Vec<Value> = survey.partitions.iter().map(partition).collect();
    json!({
        "webhook": &*config.name,
        "team": config.team.as_deref(),
        "cluster": &*config.cluster,
        "group": &*config.group,
        "upstream": &*config.upstream,
        "paused_by_hand": survey.paused,
        "in_flight": survey.in_flight,
        "trouble": survey.trouble,
        "partitions": partitions,
    })
}

fn partition(standing: &group::Standing) -> Value {
    let held = standing
        .held
        .map(|(cause, left)| json!({ "reason": cause, "for_seconds": left.as_secs_f64() }));
    json!({
        "topic": &*standing.topic,
        "partition": standing.partition,
        "next_offset": standing.next,
        "lag": standing.lag,
        "waiting": standing.waiting,
        "in_flight": standing.in_flight,
        "paused": held,
        "last_error": standing.error,
    })
}

/// A webhook that is to be paused, or to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    webhook: String,
    pause: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    reason: String,
}

impl Turn {
    /// What a path asks for.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (webhook, what) = path.strip_prefix("/webhooks/")?.split_once('/')?;
        let pause = match what {
            "pause" => true,
            "resume" => false,
            _ => return None,
        };
        let webhook = webhook.to_owned();
        Some(Self { webhook, pause })
    }

    /// Does it, as the body says.
    pub(super) fn make(
        &self,
        gateway: &Gateway,
        person: Person,
        body: &[u8],
    ) -> Result<Value, Problem> {
        let Self { webhook, pause } = self;
        let asked: Asked = parse(body, "{\"reason\": \"why\"}")?;
        if !gateway.webhooks.pause(webhook, *pause) {
            let hint = "GET /webhooks tells which there are";
            let detail = format!("there is no webhook \"{webhook}\"");
            return Err(Problem::absent(detail, hint));
        }
        let mut details = Map::new();
        details.insert("weir.webhook".into(), webhook.as_str().into());
        let act = Act {
            action: if *pause {
                "webhook_pause"
            } else {
                "webhook_resume"
            },
            reason: asked.reason.trim(),
            details,
            failure: None,
        };
        audit::write(&gateway.telemetry.metrics, person, act);
        Ok(json!({ "webhook": webhook, "paused_by_hand": pause }))
    }
}

/// Brings the figures of all of them up to date; those of webhooks that are gone are gone too.
pub(super) fn look(
    gateway: &Gateway,
    mut before: HashMap<Arc<str>, Standing>,
) -> HashMap<Arc<str>, Standing> {
    let metrics = &gateway.telemetry.metrics;
    let webhooks = gateway.webhooks.watch(gateway);
    let each = webhooks.iter().map(|watched| {
        let name = &watched.config().name;
        let known = before.remove(name);
        let mut standing = known.unwrap_or_else(|| metrics.webhook_standing(name));
        standing.is(&figures(&watched.survey));
        (name.clone(), standing)
    });
    each.collect()
}

fn figures(survey: &group::Survey) -> Figures {
    let mut lag: BTreeMap<Arc<str>, i64> = BTreeMap::new();
    let mut paused: BTreeMap<&'static str, usize> = BTreeMap::new();
    for partition in &survey.partitions {
        // What nobody knows yet is not none.
        if let Some(behind) = partition.lag {
            *lag.entry(partition.topic.clone()).or_default() += behind;
        }
        let cause = match survey.paused {
            true => Some(Pause::ByHand.as_str()),
            false => partition.held.map(|(cause, _)| cause),
        };
        if let Some(cause) = cause {
            *paused.entry(cause).or_default() += 1;
        }
    }
    Figures {
        in_flight: survey.in_flight,
        partitions: survey.partitions.len(),
        lag: lag.into_iter().collect(),
        paused: paused.into_iter().collect(),
    }
}
