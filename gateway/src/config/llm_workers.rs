//! `llm_workers`, checked.

use std::sync::Arc;
use std::time::Duration;

use super::check::{At, Checker, Item, Noun};
use super::raw::llm_workers as raw;
use super::routes::topic::check_name;
use super::routes::{Action, Route};
use super::webhooks::{check_dead_letter, check_retries, check_times, check_topics, owner};

pub use super::webhooks::{Ordering, Retries, Start};

/// Has a route answer the records of topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlmWorker {
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
    /// The route's name; it exists, and its action is `llm`.
    pub route: Arc<str>,
    /// What is asked for by a POST; `/` and visible ASCII.
    pub path: Arc<str>,
    /// In whose name.
    pub consumer: As,
    /// The topic of answers, which the team owns.
    pub to: Arc<str>,
    /// Headers of each answer.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// What is answered one after the other.
    pub ordering: Ordering,
    /// How many prompts may be under way.
    pub max_in_flight: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long prompts under way are waited for.
    pub patience: Duration,
    /// What is tried again.
    pub retries: Retries,
    /// A topic that the team owns.
    pub dead_letter: Option<Arc<str>>,
}

/// In whose name prompts are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum As {
    /// The consumer's name; it exists.
    Consumer(Arc<str>),
    /// The header that names one.
    Header(Arc<str>),
}

/// Ends of the paths that ask for one answer.
const CALLS: [&str; 5] = [
    "/chat/completions",
    "/responses",
    "/messages",
    "/embeddings",
    ":generateContent",
];

/// Checks one worker; `routes` are those that are good.
pub(super) fn check(
    cx: &mut Checker<'_>,
    item: &Item<raw::LlmWorker>,
    routes: &[Arc<Route>],
) -> Option<LlmWorker> {
    let (at, raw) = (&item.at, &item.raw);
    let team = owner(cx, at, raw.team.as_ref(), item.team.as_ref())?;
    let named = team.as_ref().and_then(|team| cx.team_named(team));
    let team_of = team.as_ref();
    let cluster = cx.resolve(&at.key("cluster"), Noun::Cluster, &raw.cluster.0, team_of);
    let group = raw.group.as_deref();
    let topics = check_topics(cx, at, &raw.topics, group, named.as_deref());
    let route = cx.resolve(&at.key("route"), Noun::Route, &raw.route.0, team_of);
    if let Some(route) = &route {
        check_action(cx, &at.key("route"), route, routes);
    }
    check_path(cx, &at.key("path"), &raw.path);
    let consumer = check_consumer(cx, &at.key("as"), &raw.consumer, team_of);
    let to = at.key("to");
    check_name(cx, &to.key("topic"), &raw.to.topic, named.as_deref())?;
    if raw.topics.contains(&raw.to.topic) {
        let message = "what is answered would be asked again";
        let hint = "name a topic that the worker does not read";
        cx.fault(&to.key("topic"), message, hint);
    }
    check_headers(cx, &to.key("headers"), &raw.to);
    let retries = check_retries(cx, &at.key("retries"), &raw.retries);
    check_times(cx, at, raw.timeout.0, raw.patience.0);
    let letter = raw.dead_letter.as_ref();
    let dead_letter = check_dead_letter(cx, at, letter, &raw.topics, named.as_deref());
    let name = &raw.name.0;
    let headers = raw.to.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str().into(), value.as_str().into()));
    Some(LlmWorker {
        name: name.as_str().into(),
        team,
        cluster: cluster?,
        topics: topics?,
        group: group.map_or_else(|| format!("weir-{name}").into(), Into::into),
        start: raw.start,
        route: route?,
        path: raw.path.as_str().into(),
        consumer: consumer?,
        to: raw.to.topic.as_str().into(),
        headers: headers.collect(),
        ordering: raw.ordering,
        max_in_flight: raw.max_in_flight,
        timeout: raw.timeout.0,
        patience: raw.patience.0,
        retries,
        dead_letter: dead_letter?,
    })
}

fn check_action(cx: &mut Checker<'_>, at: &At, name: &Arc<str>, routes: &[Arc<Route>]) {
    let mut routes = routes.iter();
    let route = routes.find(|route| route.name == *name);
    if let Some(route) = route.filter(|route| !matches!(route.action, Action::Llm(_))) {
        let message = format!(
            "the route \"{name}\" has the action `{}`, which answers no prompts",
            route.action.kind()
        );
        cx.fault(at, message, "name one whose action is `llm`");
    }
}

fn check_path(cx: &mut Checker<'_>, at: &At, path: &str) {
    let visible = path.bytes().all(|byte| byte.is_ascii_graphic());
    let known = path.starts_with('/') && CALLS.iter().any(|call| path.ends_with(call));
    if !visible || !known || path.parse::<http::Uri>().is_err() {
        let message = format!("\"{path}\" asks for no answer that is one record");
        let hint = "write it as /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages or \
                    /v1beta/models/MODEL:generateContent";
        cx.fault(at, message, hint);
    }
}

fn check_consumer(
    cx: &mut Checker<'_>,
    at: &At,
    consumer: &raw::As,
    team: Option<&Arc<str>>,
) -> Option<As> {
    let at = at.key("name");
    match consumer {
        raw::As::Consumer { name } => {
            let found = cx.resolve(&at, Noun::Consumer, &name.0, team);
            found.map(As::Consumer)
        }
        raw::As::Header { name } if name.is_empty() => {
            cx.fault(&at, "a header has a name", "leave `name` out");
            None
        }
        raw::As::Header { name } => Some(As::Header(name.as_str().into())),
    }
}

/// What Weir itself says of an answer is not said twice.
fn check_headers(cx: &mut Checker<'_>, at: &At, to: &raw::Completions) {
    const TAKEN: [&str; 5] = [
        "correlation-id",
        "content-type",
        "status",
        "traceparent",
        "tracestate",
    ];
    for name in to.headers.keys() {
        if name.is_empty() || TAKEN.contains(&name.as_str()) || name.starts_with("weir-") {
            let message = format!("\"{name}\" is no header that can be set");
            let hint = "Weir writes what belongs to the answer itself";
            cx.fault(&at.key(name), message, hint);
        }
    }
}
