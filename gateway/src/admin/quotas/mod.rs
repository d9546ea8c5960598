//! Quotas on the admin address: how they stand, and changes by hand.
//!
//! | | |
//! |---|---|
//! | `GET /quotas` | each quota and its fullest keys |
//! | `GET /quotas/{name}?most=100` | one quota, and its keys |
//! | `GET /quotas/{name}/{key}` | one key, who spends it and what holds it |
//! | `POST /quotas/{name}/{key}/grant` | `{"amount": 1000, "reason": "…"}` |
//! | `POST /quotas/{name}/{key}/reset` | `{"reason": "…"}` |
//! | `POST /stores/{name}/rebuild` | `{}` |
//!
//! A key is written as [`Values`] are. How anything is counted is not known here.

mod amount;
mod change;
mod show;

use std::sync::Arc;

use http::{StatusCode, Uri};
use percent_encoding::percent_decode_str;
use weir_telemetry::Code;

use super::Answer;
use super::audit::Person;
use super::problem::Problem;
use crate::gateway::Gateway;
use crate::quota::{By, Quota, Store, Subject, Values};
use crate::runtime::Snapshot;

/// The changes that can be made, by what stands at the end of their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Grant { quota: String, key: String },
    Reset { quota: String, key: String },
    Rebuild { store: String },
}

impl Change {
    /// The change that a path asks for.
    pub(super) fn of(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/stores/") {
            let store = decoded(rest.strip_suffix("/rebuild")?);
            return Some(Self::Rebuild { store });
        }
        let (rest, what) = path.strip_prefix("/quotas/")?.rsplit_once('/')?;
        let (quota, key) = rest.split_once('/')?;
        let (quota, key) = (decoded(quota), key.to_owned());
        match what {
            "grant" => Some(Self::Grant { quota, key }),
            "reset" => Some(Self::Reset { quota, key }),
            _ => None,
        }
    }

    /// Makes it, as the body says.
    pub(super) async fn make(
        &self,
        gateway: &Gateway,
        person: Person,
        body: &[u8],
    ) -> Result<serde_json::Value, Problem> {
        match self {
            Self::Grant { quota, key } => change::grant(gateway, person, (quota, key), body).await,
            Self::Reset { quota, key } => change::reset(gateway, person, (quota, key), body).await,
            Self::Rebuild { store } => change::rebuild(gateway, person, store, body),
        }
    }
}

/// What is shown under a path, if it is one of these.
pub(super) async fn show(gateway: &Gateway, uri: &Uri) -> Option<Answer> {
    let rest = uri.path().strip_prefix("/quotas")?;
    if rest.is_empty() {
        return Some(answer(Ok(show::all(gateway).await)));
    }
    let rest = rest.strip_prefix('/')?;
    Some(answer(match rest.split_once('/') {
        None => show::one(gateway, &decoded(rest), uri.query()).await,
        Some((quota, key)) => show::key(gateway, &decoded(quota), key).await,
    }))
}

pub(super) fn answer(outcome: Result<serde_json::Value, Problem>) -> Answer {
    match outcome {
        Ok(shown) => Answer::json(StatusCode::OK, format!("{shown}\n")),
        Err(problem) => problem.into(),
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The quota of that name.
pub(super) fn find(snapshot: &Snapshot, name: &str) -> Result<Arc<Quota>, Problem> {
    let quotas = snapshot.quotas();
    let found = quotas.iter().find(|quota| *quota.name == *name);
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = quotas.iter().map(|quota| &*quota.name).collect();
        Problem::absent(
            format!("there is no quota \"{name}\""),
            choices(&names, "quotas"),
        )
    })
}

fn choices(names: &[&str], of: &str) -> String {
    match names {
        [] => format!("the configuration has no {of}"),
        names => format!("the {of} are {}", names.join(", ")),
    }
}

/// One key of a quota.
struct Named {
    quota: Arc<Quota>,
    key: Values,
}

impl Named {
    fn find(snapshot: &Snapshot, quota: &str, key: &str) -> Result<Self, Problem> {
        let quota = find(snapshot, quota)?;
        let key = Values::parse(&quota, key).map_err(|why| {
            let hint = format!("GET /quotas/{} lists keys in use", quota.name);
            Problem::bad(why.to_string(), hint)
        })?;
        Ok(Self { quota, key })
    }

    /// For whom the key counts, as a request of theirs would say it: above what the quota counts
    /// by stands what the configuration puts there.
    fn subject<'a>(&'a self, snapshot: &'a Snapshot) -> Subject<'a> {
        let mut subject = self.key.subject(&self.quota);
        let told = |by: By| self.quota.by.contains(&by);
        if let (Some(name), false) = (subject.consumer, told(By::Team)) {
            let consumers = &snapshot.loaded.config.consumers;
            let consumer = consumers.iter().find(|consumer| *consumer.name == *name);
            subject.team = consumer.and_then(|consumer| consumer.team.as_deref());
        }
        if let (Some(team), false) = (subject.team, told(By::Organisation)) {
            subject.organisation = snapshot.organisation(team);
        }
        subject
    }
}

/// The store did not answer.
fn unavailable(store: &Store, why: &str) -> Problem {
    let code = Code::QuotaStoreUnavailable;
    Problem {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: code.slug(),
        runbook: Some(code.runbook()),
        detail: format!("the store {store}: {why}"),
        hint: format!("see {}, and try again", code.runbook()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_change_whatever_the_key() {
        let grant = |quota: &str, key: &str| Change::Grant {
            quota: quota.into(),
            key: key.into(),
        };
        for (path, change) in [
            ("/quotas/q/*/grant", Some(grant("q", "*"))),
            ("/quotas/q/shop/a%2Fb/grant", Some(grant("q", "shop/a%2Fb"))),
            ("/quotas/q/grant/grant", Some(grant("q", "grant"))),
            ("/quotas/q//grant", Some(grant("q", ""))),
            (
                "/stores/s/rebuild",
                Some(Change::Rebuild { store: "s".into() }),
            ),
            ("/quotas/q/grant", None),
            ("/quotas/q/shop/delete", None),
            ("/quotas/q", None),
            ("/stores/s", None),
            ("/stores/s/grant", None),
            ("/config", None),
        ] {
            assert_eq!(Change::of(path), change, "{path}");
        }
    }
}
