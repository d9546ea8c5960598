//! How quotas stand, as JSON. Moments are RFC 3339.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::super::problem::Problem;
use super::amount::object;
use super::{Named, find, unavailable};
use crate::gateway::Gateway;
use crate::quota::{
    Detail, Found, OnExhausted, OnStoreFailure, Period, Quota, Reserved, Spender, Spent, Standing,
    Survey, Unit, Window,
};

/// How many keys of each quota the list of all shows.
const FEW: usize = 10;

/// How many keys of one quota are shown unless asked otherwise, and at most.
const MANY: usize = 100;
const MOST: usize = 1_000;

/// Every quota. One whose store does not answer says so in its place.
pub(super) async fn all(gateway: &Gateway) -> Value {
    let show = async |quota: Arc<Quota>| {
        let survey = gateway.ledger.survey(&quota, FEW).await;
        let mut one = definition(&quota);
        match survey {
            Ok(survey) => one.extend(surveyed(&quota, &survey, "fullest")),
            Err(why) => drop(one.insert("error".into(), (&*why).into())),
        }
        Value::from(one)
    };
    // At once, so that a store that does not answer is waited for once.
    let snapshot = gateway.snapshot();
    let shown = join_all(snapshot.quotas().iter().cloned().map(show)).await;
    shown.into()
}

/// One quota and its keys.
pub(super) async fn one(
    gateway: &Gateway,
    name: &str,
    query: Option<&str>,
) -> Result<Value, Problem> {
    let most = most(query)?;
    let quota = find(&gateway.snapshot(), name)?;
    let survey = gateway.ledger.survey(&quota, most).await;
    let survey = survey.map_err(|why| unavailable(&quota.store, &why))?;
    let mut shown = definition(&quota);
    shown.extend(surveyed(&quota, &survey, "list"));
    Ok(shown.into())
}

/// One key.
pub(super) async fn key(gateway: &Gateway, quota: &str, key: &str) -> Result<Value, Problem> {
    let snapshot = gateway.snapshot();
    let named = Named::find(&snapshot, quota, key)?;
    let (quota, subject) = (&named.quota, named.subject(&snapshot));
    let detail = gateway.ledger.detail(quota, &subject).await;
    let detail = detail.map_err(|why| unavailable(&quota.store, &why))?;
    let mut shown = stands(quota, &detail.standing);
    shown.insert("quota".into(), (&*quota.name).into());
    shown.insert("key".into(), named.key.to_string().into());
    shown.insert("unit".into(), quota.unit.as_str().into());
    shown.insert("store".into(), quota.store.name().as_ref().into());
    shown.insert("this_process".into(), here(quota.unit, &detail));
    Ok(shown.into())
}

/// How many keys a query asks for.
fn most(query: Option<&str>) -> Result<usize, Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(MANY);
    };
    let most = query.strip_prefix("most=").and_then(|n| n.parse().ok());
    most.filter(|most| (1..=MOST).contains(most))
        .ok_or_else(|| {
            Problem::bad(
                format!("the query \"{query}\" is not understood"),
                format!("write ?most=N, with N from 1 to {MOST}"),
            )
        })
}

/// What the configuration says of it.
fn definition(quota: &Quota) -> Map<String, Value> {
    let overrides: Vec<(&str, u64)> = quota
        .limit
        .overrides
        .iter()
        .map(|(key, limit)| (&**key, *limit))
        .collect();
    let mut shown = Map::new();
    let limit = object(quota.unit, &[("limit", quota.limit.default)]);
    shown.extend(limit);
    for (name, value) in [
        ("name", json!(&*quota.name)),
        ("unit", json!(quota.unit.as_str())),
        ("window", window(quota.window)),
        (
            "by",
            quota.by.iter().map(crate::quota::By::to_string).collect(),
        ),
        ("overrides", object(quota.unit, &overrides).into()),
        ("store", json!(&**quota.store.name())),
        ("enforce", json!(quota.enforce)),
        ("on_exhausted", json!(on_exhausted(quota.on_exhausted))),
        (
            "on_store_failure",
            json!(match quota.on_store_failure {
                OnStoreFailure::Deny => "deny",
                OnStoreFailure::Allow => "allow",
            }),
        ),
    ] {
        shown.insert(name.to_owned(), value);
    }
    shown
}

const fn on_exhausted(on: OnExhausted) -> &'static str {
    match on {
        OnExhausted::Refuse => "refuse",
        OnExhausted::Cut => "cut",
        OnExhausted::Finish => "finish",
    }
}

/// As the configuration writes it.
fn window(window: Window) -> Value {
    let seconds = |every: std::time::Duration| format!("{every:?}");
    match window {
        Window::Fixed { every } => match every {
            Period::Minute => json!({ "kind": "fixed", "every": "minute" }),
            Period::Hour => json!({ "kind": "fixed", "every": "hour" }),
            Period::Day(zone) => {
                json!({ "kind": "fixed", "every": "day", "time_zone": zone.name() })
            }
            Period::Month(zone) => {
                json!({ "kind": "fixed", "every": "month", "time_zone": zone.name() })
            }
        },
        Window::Sliding { every } => json!({ "kind": "sliding", "every": seconds(every) }),
        Window::TokenBucket { every, burst, .. } => {
            json!({ "kind": "token_bucket", "every": seconds(every), "burst": burst })
        }
        Window::Held => Value::Null,
    }
}

fn surveyed(quota: &Quota, survey: &Survey, list: &str) -> Map<String, Value> {
    let key = |found: &Found| {
        let mut shown = stands(quota, &found.standing);
        shown.insert("key".into(), found.key.to_string().into());
        Value::from(shown)
    };
    let total = &survey.total;
    let total = object(
        quota.unit,
        &[
            ("used", total.settled),
            ("reserved", total.reserved),
            ("debt", total.debt),
            ("credit", total.credit),
        ],
    );
    let shown = json!({
        "keys": survey.keys,
        "keys_complete": survey.whole,
        "total": total,
        list: survey.fullest.iter().map(key).collect::<Vec<_>>(),
    });
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

/// The figures of one key.
pub(super) fn stands(quota: &Quota, standing: &Standing) -> Map<String, Value> {
    let mut shown = object(
        quota.unit,
        &[
            ("limit", standing.limit),
            ("used", standing.settled),
            ("reserved", standing.reserved),
            ("debt", standing.debt),
            ("credit", standing.credit),
            ("remaining", standing.room),
        ],
    );
    let resets_at = match quota.window {
        Window::Held => Value::Null,
        _ => moment(standing.reset),
    };
    shown.insert("resets_at".into(), resets_at);
    shown
}

/// What only this process knows: others that count on the same key know their own.
fn here(unit: Unit, detail: &Detail) -> Value {
    let spent = |spent: &Spent| {
        let amounts = [("used", spent.amount), ("uncertain", spent.uncertain)];
        let mut shown = object(unit, &amounts);
        let (kind, who) = match &spent.by {
            Spender::Consumer(name) => ("consumer", name.to_string()),
            Spender::Client(address) => ("client_address", IpAddr::to_string(address)),
        };
        shown.insert(kind.into(), who.into());
        Value::from(shown)
    };
    let reserved = |reserved: &Reserved| {
        let mut shown = object(unit, &[("amount", reserved.amount)]);
        shown.insert("request_id".into(), reserved.request.as_deref().into());
        shown.insert("since".into(), moment(reserved.since));
        Value::from(shown)
    };
    let (since, spenders): (_, Vec<Value>) = match &detail.spenders {
        Some((since, spenders)) => (moment(*since), spenders.iter().map(spent).collect()),
        None => (Value::Null, Vec::new()),
    };
    let mut shown = object(unit, &[("reserved", detail.held)]);
    let reservations = detail.reserved.iter().map(reserved).collect::<Vec<_>>();
    shown.insert("spenders".into(), spenders.into());
    shown.insert("spenders_since".into(), since);
    shown.insert("open_reservations".into(), detail.open.into());
    shown.insert("reservations".into(), reservations.into());
    shown.into()
}

/// Microseconds since the Unix epoch, as people write moments; `null` beyond the calendar.
fn moment(micros: u64) -> Value {
    let micros = i64::try_from(micros).ok();
    let moment = micros.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    moment.map_or(Value::Null, |moment| moment.to_string().into())
}
