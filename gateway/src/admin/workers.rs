//! How webhooks and LLM workers stand: for `GET /webhooks` and `GET /llm_workers`, and for `/metrics`; and those
//! that are paused by hand.
//!
//! `POST /webhooks/{name}/pause` and `POST /webhooks/{name}/resume` take `{"reason": "…"}`, and so it is below
//! `/llm_workers`. It is this gateway that pauses, until it is told otherwise or restarted: the partitions
//! stay its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use weir_telemetry::metrics::worker::{Figures, Kind, Pause, Standing};

use super::audit::{self, Act, Person};
use super::body::parse;
use super::problem::Problem;
use crate::gateway::Gateway;
use crate::kafka::group;
use crate::workers::{Crew, Watched, Worker};

/// All of a kind, with their partitions.
pub(super) fn list<W: Worker>(crew: &Crew<W>, gateway: &Gateway) -> String {
    let list: Vec<Value> = crew.watch(gateway).iter().map(one).collect();
    Value::from(list).to_string()
}

fn one<W: Worker>(watched: &Watched<W>) -> Value {
    let (reader, survey) = (watched.worker.reader(), &watched.survey);
    let partitions: Vec<Value> = survey.partitions.iter().map(partition).collect();
    let (to, name) = watched.worker.to();
    json!({
        (W::KIND.as_str()): &*reader.name,
        "team": reader.team.as_deref(),
        "cluster": &*reader.cluster_name,
        "group": &*reader.plan.group,
        (to): name,
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

/// One that is to be paused, or to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    kind: Kind,
    name: String,
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
        let (kind, rest) = match path.strip_prefix("/webhooks/") {
            Some(rest) => (Kind::Webhook, rest),
            None => (Kind::LlmWorker, path.strip_prefix("/llm_workers/")?),
        };
        let (name, what) = rest.split_once('/')?;
        let pause = match what {
            "pause" => true,
            "resume" => false,
            _ => return None,
        };
        let name = name.to_owned();
        Some(Self { kind, name, pause })
    }

    /// Does it, as the body says.
    pub(super) fn make(
        &self,
        gateway: &Gateway,
        person: Person,
        body: &[u8],
    ) -> Result<Value, Problem> {
        let Self { kind, name, pause } = self;
        let asked: Asked = parse(body, "{\"reason\": \"why\"}")?;
        let (is_there, spoken, section) = match kind {
            Kind::Webhook => (gateway.webhooks.pause(name, *pause), "webhook", "webhooks"),
            Kind::LlmWorker => (
                gateway.llm_workers.pause(name, *pause),
                "LLM worker",
                "llm_workers",
            ),
        };
        if !is_there {
            let hint = format!("GET /{section} tells which there are");
            let detail = format!("there is no {spoken} \"{name}\"");
            return Err(Problem::absent(detail, hint));
        }
        let mut details = Map::new();
        details.insert(format!("weir.{}", kind.as_str()), name.as_str().into());
        let act = Act {
            action: match (kind, *pause) {
                (Kind::Webhook, true) => "webhook_pause",
                (Kind::Webhook, false) => "webhook_resume",
                (Kind::LlmWorker, true) => "llm_worker_pause",
                (Kind::LlmWorker, false) => "llm_worker_resume",
            },
            reason: asked.reason.trim(),
            details,
            failure: None,
        };
        audit::write(&gateway.telemetry.metrics, person, act);
        Ok(json!({ (kind.as_str()): name, "paused_by_hand": pause }))
    }
}

/// Those of a kind, by name.
pub(super) type Standings = HashMap<Arc<str>, Standing>;

/// Brings the figures of all of a kind up to date; those of workers that are gone are gone too.
pub(super) fn look<W: Worker>(
    crew: &Crew<W>,
    gateway: &Gateway,
    mut before: Standings,
) -> Standings {
    let metrics = &gateway.telemetry.metrics;
    let all = crew.watch(gateway);
    let each = all.iter().map(|watched| {
        let name = &watched.worker.reader().name;
        let known = before.remove(name);
        let mut standing = known.unwrap_or_else(|| metrics.worker_standing(W::KIND, name));
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
