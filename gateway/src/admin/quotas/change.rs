//! Changes by hand. Each has a reason, and each is told to the audit.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::audit::{self, Act, Person};
use super::super::body::parse;
use super::super::problem::Problem;
use super::amount::{Amount, object};
use super::show::stands;
use super::{Named, choices, unavailable};
use crate::gateway::Gateway;
use crate::quota::{Change, Unchanged};
use http::StatusCode;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    amount: Amount,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebuild {
    #[serde(default)]
    reason: String,
}

/// More room for one key, until what is used now no longer counts.
pub(super) async fn grant(
    gateway: &Gateway,
    person: Person,
    named: (&str, &str),
    body: &[u8],
) -> Result<Value, Problem> {
    let snapshot = gateway.snapshot();
    let named = Named::find(&snapshot, named.0, named.1)?;
    let form = "{\"amount\": 1000, \"reason\": \"why\"}";
    let asked: Grant = parse(body, form)?;
    let reason = given(&asked.reason)?;
    let amount = asked.amount.read(named.quota.unit)?;
    let by_hand = ByHand {
        action: "quota_grant",
        change: Change::Grant(amount),
        reason,
    };
    by_hand.make(gateway, person, &named).await
}

/// A new beginning for one key.
pub(super) async fn reset(
    gateway: &Gateway,
    person: Person,
    named: (&str, &str),
    body: &[u8],
) -> Result<Value, Problem> {
    let snapshot = gateway.snapshot();
    let named = Named::find(&snapshot, named.0, named.1)?;
    let asked: Reset = parse(body, "{\"reason\": \"why\"}")?;
    let by_hand = ByHand {
        action: "quota_reset",
        change: Change::Reset,
        reason: given(&asked.reason)?,
    };
    by_hand.make(gateway, person, &named).await
}

fn given(reason: &str) -> Result<&str, Problem> {
    let reason = reason.trim();
    match reason.is_empty() {
        false => Ok(reason),
        true => Err(Problem::bad(
            "the reason is empty",
            "say why, for whoever reads the audit",
        )),
    }
}

/// A change that is about to be made.
struct ByHand<'a> {
    action: &'static str,
    change: Change,
    reason: &'a str,
}

impl ByHand<'_> {
    async fn make(
        self,
        gateway: &Gateway,
        person: Person,
        named: &Named,
    ) -> Result<Value, Problem> {
        let snapshot = gateway.snapshot();
        let (quota, subject) = (&named.quota, named.subject(&snapshot));
        let changed = gateway.ledger.change(quota, &subject, self.change).await;
        let mut details = Map::new();
        details.insert("weir.quota".into(), (&*quota.name).into());
        details.insert("weir.quota.key".into(), named.key.to_string().into());
        details.insert("weir.quota.unit".into(), quota.unit.as_str().into());
        let store = quota.store.name().as_ref();
        details.insert("weir.quota.store".into(), store.into());
        if let Change::Grant(amount) = self.change {
            details.insert("weir.quota.amount".into(), amount.into());
        }
        let (outcome, failure) = match changed {
            Ok(changed) => {
                let before = stands(quota, &changed.before);
                let after = stands(quota, &changed.after);
                details.insert("weir.quota.before".into(), before.clone().into());
                details.insert("weir.quota.after".into(), after.clone().into());
                (Ok((before, after)), None)
            }
            Err(Unchanged::Held) => return Err(held(&quota.name)),
            Err(Unchanged::Store(why)) => (Err(unavailable(&quota.store, &why)), Some(why)),
        };
        let act = Act {
            action: self.action,
            reason: self.reason,
            details,
            failure: failure.as_deref(),
        };
        audit::write(&gateway.telemetry.metrics, person, act);
        let (before, after) = outcome?;
        let mut shown = Map::new();
        if let Change::Grant(amount) = self.change {
            shown.extend(object(quota.unit, &[("granted", amount)]));
        }
        shown.insert("quota".into(), (&*quota.name).into());
        shown.insert("key".into(), named.key.to_string().into());
        shown.insert("unit".into(), quota.unit.as_str().into());
        shown.insert("before".into(), before.into());
        shown.insert("after".into(), after.into());
        Ok(shown.into())
    }
}

fn held(quota: &str) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "conflict",
        format!("the quota \"{quota}\" counts requests in progress: they come back as they end"),
        "raise its limit in the configuration, and reload",
    )
}

/// Everything this process holds, told to a store again.
pub(super) fn rebuild(
    gateway: &Gateway,
    person: Person,
    name: &str,
    body: &[u8],
) -> Result<Value, Problem> {
    let asked: Rebuild = parse(body, "{}, or {\"reason\": \"why\"}")?;
    let snapshot = gateway.snapshot();
    let stores = &snapshot.loaded.config.stores;
    let store = snapshot.store(name).ok_or_else(|| {
        let names: Vec<&str> = stores.iter().map(|store| &*store.name).collect();
        Problem::absent(
            format!("there is no store \"{name}\""),
            choices(&names, "stores"),
        )
    })?;
    let keys = gateway.ledger.rebuild(store).ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            format!("the store \"{name}\" is this process's memory: there is nothing to rebuild"),
            "only what is kept elsewhere can be told again",
        )
    })?;
    let mut details = Map::new();
    details.insert("weir.quota.store".into(), name.into());
    details.insert("weir.quota.keys".into(), keys.into());
    let act = Act {
        action: "store_rebuild",
        reason: asked.reason.trim(),
        details,
        failure: None,
    };
    audit::write(&gateway.telemetry.metrics, person, act);
    Ok(json!({ "store": name, "keys_told_again": keys }))
}
