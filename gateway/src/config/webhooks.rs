//! `webhooks`, checked.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};

use super::check::{At, Checker, Item, Noun};
use super::platform::Team;
use super::policies::quota;
use super::quotas::Quota;
use super::raw::Name;
use super::raw::policies as raw_policies;
use super::raw::webhooks as raw;
use super::routes::schema::{self, Schema};
use super::routes::topic::check_name;
use super::secret::Secret;
use super::units::Setting;
use crate::quota::Unit;

pub use super::raw::subscribe::Start;
pub use raw::{Format, Method, Ordering};

/// Sends records of topics to a receiver.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its name.
    pub name: Arc<str>,
    /// Whose it is.
    pub team: Option<Arc<str>>,
    /// The cluster's name; it exists.
    pub cluster: Arc<str>,
    /// Topics that the team owns.
    pub topics: Vec<Arc<str>>,
    /// The consumer group.
    pub group: Arc<str>,
    /// Where it begins.
    pub start: Start,
    /// The upstream's name; it exists.
    pub upstream: Arc<str>,
    /// Begins with `/`.
    pub path: Arc<str>,
    /// By which records are sent.
    pub method: Method,
    /// Fields of each request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent of a record.
    pub format: Format,
    /// What their values are, if they are not sent as they are.
    pub schema: Option<Schema>,
    /// What signs.
    pub keys: Vec<Key>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What is tried again.
    pub retries: Retries,
    /// What is sent one after the other.
    pub ordering: Ordering,
    /// How many records may be under way.
    pub max_in_flight: usize,
    /// How long they are waited for.
    pub patience: Duration,
    /// Names of quotas; they exist.
    pub quotas: Vec<Arc<str>>,
    /// A topic that the team owns.
    pub dead_letter: Option<Arc<str>>,
}

/// What is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How often a record is sent at most.
    pub max_attempts: u32,
    /// How long after the first time it is still tried again.
    pub max_age: Option<Duration>,
    /// How long to wait after the first time.
    pub first: Duration,
    /// How long to wait at most.
    pub max: Duration,
}

/// What signs: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// Its bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// What keys of signatures begin with, and how long they are, in bytes.
const PREFIX: &str = "whsec_";
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// What requests carry anyway.
const TAKEN: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "content-type",
    "traceparent",
    "tracestate",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Checks one webhook.
pub(super) fn check(
    cx: &mut Checker<'_>,
    item: &Item<raw::Webhook>,
    quotas: &[Arc<Quota>],
) -> Option<Webhook> {
    let (at, raw) = (&item.at, &item.raw);
    let team = owner(cx, at, raw.team.as_ref(), item.team.as_ref())?;
    let named = team.as_ref().and_then(|team| cx.team_named(team));
    let cluster = cx.resolve(
        &at.key("cluster"),
        Noun::Cluster,
        &raw.cluster.0,
        team.as_ref(),
    );
    let group = raw.group.as_deref();
    let topics = check_topics(cx, at, &raw.topics, group, named.as_deref());
    let upstream = cx.resolve(
        &at.key("to").key("upstream"),
        Noun::Upstream,
        &raw.to.upstream.0,
        team.as_ref(),
    );
    check_path(cx, &at.key("to").key("path"), &raw.to.path);
    let headers = check_headers(cx, &at.key("to").key("headers"), &raw.to, team.as_ref());
    let schema = check_schema(cx, &at.key("schema"), raw, team.as_ref());
    let keys = check_keys(cx, &at.key("sign"), raw.sign.as_ref(), team.as_ref());
    let retries = check_retries(cx, &at.key("retries"), &raw.retries);
    check_times(cx, at, raw.timeout.0, raw.patience.0);
    let counted = check_quotas(cx, at, raw, team.as_ref(), quotas);
    let letter = raw.dead_letter.as_ref();
    let dead_letter = check_dead_letter(cx, at, letter, &raw.topics, named.as_deref());
    let name = &raw.name.0;
    Some(Webhook {
        name: name.as_str().into(),
        team,
        cluster: cluster?,
        topics: topics?,
        group: group.map_or_else(|| format!("weir-{name}").into(), Into::into),
        start: raw.start,
        upstream: upstream?,
        path: raw.to.path.as_str().into(),
        method: raw.to.method,
        headers: headers?,
        format: raw.format,
        schema: schema?,
        keys: keys?,
        timeout: raw.timeout.0,
        retries,
        ordering: raw.ordering,
        max_in_flight: raw.max_in_flight,
        patience: raw.patience.0,
        quotas: counted?,
        dead_letter: dead_letter?,
    })
}

/// Whose it is; `None` if that is faulty. `file` is the team whose file it is in.
pub(super) fn owner(
    cx: &mut Checker<'_>,
    at: &At,
    named: Option<&Name>,
    file: Option<&Arc<str>>,
) -> Option<Option<Arc<str>>> {
    let at = at.key("team");
    match (named, file) {
        (Some(named), Some(file)) if named.0 != **file => {
            let message = format!("this file belongs to team \"{file}\"");
            cx.fault(&at, message, "leave `team` out here");
            None
        }
        (Some(named), _) => cx.resolve(&at, Noun::Team, &named.0, None).map(Some),
        (None, file) => Some(file.cloned()),
    }
}

/// Checks what a group reads.
pub(super) fn check_topics(
    cx: &mut Checker<'_>,
    at: &At,
    names: &[String],
    group: Option<&str>,
    team: Option<&Team>,
) -> Option<Vec<Arc<str>>> {
    let mut topics: Vec<Arc<str>> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let at = at.key("topics").index(index);
        check_name(cx, &at, name, team)?;
        if topics.iter().any(|topic| **topic == **name) {
            cx.fault(&at, "this is given twice", "leave one out");
        }
        topics.push(name.as_str().into());
    }
    if group.is_some_and(str::is_empty) {
        cx.fault(&at.key("group"), "a group has a name", "leave `group` out");
    }
    Some(topics)
}

/// Checks where that goes which is given up; `None` if that is faulty.
pub(super) fn check_dead_letter(
    cx: &mut Checker<'_>,
    at: &At,
    letter: Option<&raw::DeadLetter>,
    topics: &[String],
    team: Option<&Team>,
) -> Option<Option<Arc<str>>> {
    let Some(letter) = letter else {
        return Some(None);
    };
    let at = at.key("dead_letter").key("topic");
    check_name(cx, &at, &letter.topic, team)?;
    if topics.contains(&letter.topic) {
        let message = "what cannot be delivered would be delivered again";
        cx.fault(&at, message, "name a topic that is not read");
    }
    Some(Some(letter.topic.as_str().into()))
}

/// Checks what values are written by; `None` if that is faulty.
fn check_schema(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Webhook,
    team: Option<&Arc<str>>,
) -> Option<Option<Schema>> {
    match &raw.schema {
        Some(schema) => schema::check_read(cx, at, schema, team).map(Some),
        None => Some(None),
    }
}

fn check_path(cx: &mut Checker<'_>, at: &At, path: &str) {
    let visible = path.bytes().all(|byte| byte.is_ascii_graphic());
    if !path.starts_with('/') || !visible || path.parse::<http::Uri>().is_err() {
        let message = format!("\"{path}\" is no path");
        cx.fault(at, message, "write it as /hooks/orders");
    }
}

fn check_headers(
    cx: &mut Checker<'_>,
    at: &At,
    to: &raw::To,
    team: Option<&Arc<str>>,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut headers = Vec::new();
    for (name, setting) in &to.headers {
        let at = at.key(name);
        let value = match setting {
            Setting::Text(text) => Secret::new(text.as_str()),
            Setting::Secret(secret) => cx.reveal(&at.key("secret"), &secret.0, team)?,
        };
        let parsed = name.parse::<HeaderName>().ok();
        let Some(parsed) = parsed.filter(|name| !TAKEN.contains(&name.as_str())) else {
            let message = format!("\"{name}\" is no field that can be set");
            cx.fault(
                &at,
                message,
                "Weir writes what belongs to the message itself",
            );
            continue;
        };
        let Ok(mut value) = HeaderValue::from_str(value.expose()) else {
            cx.fault(&at, "this is no value of a field", "write visible ASCII");
            continue;
        };
        value.set_sensitive(true);
        headers.push((parsed, value));
    }
    Some(headers)
}

fn check_keys(
    cx: &mut Checker<'_>,
    at: &At,
    sign: Option<&raw::Sign>,
    team: Option<&Arc<str>>,
) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    for (index, secret) in sign.iter().flat_map(|sign| &sign.secrets).enumerate() {
        let at = at.key("secrets").index(index).key("secret");
        let secret = cx.reveal(&at, &secret.secret.0, team)?;
        let bytes = secret.expose().strip_prefix(PREFIX);
        let bytes = bytes.and_then(|text| STANDARD.decode(text).ok());
        match bytes.filter(|bytes| LENGTHS.contains(&bytes.len())) {
            Some(bytes) => keys.push(Key(bytes.into())),
            None => cx.fault(
                &at,
                "this signs no webhooks: it is not `whsec_` and 24 to 64 bytes in base64",
                "make one by `echo whsec_$(openssl rand -base64 32)`",
            ),
        }
    }
    Some(keys)
}

/// Checks what is tried again.
pub(super) fn check_retries(cx: &mut Checker<'_>, at: &At, raw: &raw::Retries) -> Retries {
    let (first, max) = (raw.backoff.first.0, raw.backoff.max.0);
    if first.is_zero() || first > max {
        cx.fault(
            &at.key("backoff"),
            "`first` is more than nothing and at most `max`",
            "write { first: 1s, max: 1m }",
        );
    }
    Retries {
        max_attempts: raw.max_attempts,
        max_age: raw.max_age.map(|age| age.0),
        first,
        max,
    }
}

/// Checks how long is waited.
pub(super) fn check_times(cx: &mut Checker<'_>, at: &At, timeout: Duration, patience: Duration) {
    if timeout.is_zero() {
        cx.fault(
            &at.key("timeout"),
            "nobody answers in no time",
            "give it 10s",
        );
    }
    // While it waits nothing is polled, and a group takes who does not poll for five minutes for dead.
    if patience > Duration::from_secs(60) {
        cx.fault(
            &at.key("patience"),
            "other gateways wait for that long for the partition",
            "give it at most 60s",
        );
    }
}

fn check_quotas(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Webhook,
    team: Option<&Arc<str>>,
    quotas: &[Arc<Quota>],
) -> Option<Vec<Arc<str>>> {
    if raw.quotas.is_empty() {
        return Some(Vec::new());
    }
    let named = raw_policies::Quota {
        quotas: raw.quotas.clone(),
    };
    let named = quota::check(cx, at, &named, team)?.quotas;
    for (index, name) in named.iter().enumerate() {
        let quota = quotas.iter().find(|quota| quota.name == *name);
        let fits = |unit| {
            matches!(
                unit,
                Unit::Requests | Unit::ConcurrentRequests | Unit::KafkaBytes
            )
        };
        if let Some(quota) = quota.filter(|quota| !fits(quota.unit)) {
            let message = format!(
                "the quota \"{name}\" counts {}, which no webhook uses",
                quota.unit
            );
            let hint = "webhooks use requests, concurrent requests and Kafka bytes";
            cx.fault(&at.key("quotas").index(index), message, hint);
        }
    }
    Some(named)
}
