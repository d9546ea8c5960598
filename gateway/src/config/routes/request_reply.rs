//! `routes[].request_reply`, checked.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::actions::Around;
use super::matches::{Match, Path};
use super::record::{self, Record};
use super::topic;
use crate::config::check::{At, Checker};
use crate::config::raw::request_reply as raw;

pub use raw::Respond;

/// What a match of status URLs captures last.
pub const TOKEN: &str = "token";
/// The header of a request that says who called.
pub const CONSUMER: &str = "weir-consumer";

/// How long status URLs may be answered.
const KEEP: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);

/// Makes a request a Kafka record, and answers with the one that replies to it.
#[derive(Debug, Clone)]
pub struct RequestReply {
    /// What the request is made.
    pub record: Record,
    /// Where replies are read; of the same cluster.
    pub reply_topic: Arc<str>,
    /// The header of the correlation id.
    pub correlation: Arc<str>,
    /// The header of the topic that the reply is wanted in.
    pub reply_to: Arc<str>,
    /// Whether callers wait.
    pub respond: Respond,
    /// How long in all.
    pub timeout: Duration,
    /// Whether there are status URLs.
    pub status_urls: bool,
    /// How long they are answered.
    pub keep: Duration,
    /// How long their callers may wait.
    pub max_wait: Duration,
    /// How many callers may wait at a time.
    pub max_waiting: usize,
    /// The largest body in bytes.
    pub max_body: u64,
    /// The header of a reply that says the status.
    pub status_header: Arc<str>,
    /// How the names of those begin that are fields of the answer.
    pub header_prefix: Option<Arc<str>>,
}

/// Checks the action.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::RequestReply,
    around: &Around<'_>,
) -> Option<RequestReply> {
    let said = record::Said {
        cluster: &raw.cluster,
        topic: &raw.topic,
        key: raw.key.as_deref(),
        partition: raw.partition.as_deref(),
        timestamp: raw.timestamp.as_deref(),
        headers: &raw.headers,
    };
    let record = record::check(cx, at, &said, around);
    let reply_at = at.key("reply_topic");
    let is_topic = topic::check_name(cx, &reply_at, &raw.reply_topic, around.team);
    check_headers(cx, at, raw);
    if !KEEP.contains(&raw.keep.0) {
        let message = format!("status URLs cannot be answered for {}", raw.keep);
        cx.fault(&at.key("keep"), message, "give 1s to 30d");
    }
    let record = record?;
    is_topic?;
    if record.topic.name.literal() == Some(&raw.reply_topic) {
        let message = "requests would be read as replies: this is the topic of both";
        cx.fault(&reply_at, message, "give replies a topic of their own");
    }
    let paths = around.paths.iter().flatten();
    let status_urls = paths.clone().any(is_of_status);
    if raw.respond != Respond::Sync && !cx.signs_cursors(&record.topic.cluster) {
        let message = format!(
            "status URLs are signed, and the Kafka cluster \"{}\" has no `cursor_keys`: another gateway would \
             not know what this one promised",
            record.topic.cluster
        );
        let hint = "write `cursor_keys: [{ secret: NAME }]` under it in `kafka_clusters`, or `respond: sync`";
        cx.fault(&at.key("respond"), message, hint);
    }
    Some(RequestReply {
        record,
        reply_topic: raw.reply_topic.as_str().into(),
        correlation: raw.correlation.header.as_str().into(),
        reply_to: raw.correlation.reply_to.as_str().into(),
        respond: raw.respond,
        timeout: raw.timeout.0,
        status_urls,
        keep: raw.keep.0,
        max_wait: raw.max_wait.0,
        max_waiting: raw.max_waiting,
        max_body: raw.max_body.0,
        status_header: raw.reply.status_header.as_str().into(),
        header_prefix: raw.reply.header_prefix.as_deref().map(Into::into),
    })
}

/// What the gateway writes, nothing else does.
fn check_headers(cx: &mut Checker<'_>, at: &At, raw: &raw::RequestReply) {
    let raw::Correlation { header, reply_to } = &raw.correlation;
    let own = [header.as_str(), reply_to, CONSUMER];
    for name in raw
        .headers
        .keys()
        .filter(|name| own.contains(&name.as_str()))
    {
        let message = format!("the gateway writes the header \"{name}\" itself");
        cx.fault(&at.key("headers").key(name), message, "leave it out");
    }
    let taken = [CONSUMER, "traceparent", "tracestate"];
    for (key, name) in [("header", header), ("reply_to", reply_to)] {
        let at = at.key("correlation").key(key);
        if name.is_empty() {
            cx.fault(
                &at,
                "this is no name of a header",
                "write it as correlation-id",
            );
        } else if taken.contains(&name.as_str()) || (key == "reply_to" && name == header) {
            let message = format!("the header \"{name}\" says something else already");
            cx.fault(&at, message, "give it another name");
        }
    }
    if raw.reply.header_prefix.as_deref() == Some("") {
        let message = "every header would be a field of the answer";
        let at = at.key("reply").key("header_prefix");
        cx.fault(&at, message, "write it as `http-`");
    }
}

/// Checks that each request's status URL is one of the route's own.
pub(super) fn check_matches(
    cx: &mut Checker<'_>,
    at: &At,
    action: &RequestReply,
    matches: &[Match],
) {
    if action.respond == Respond::Sync && !action.status_urls {
        return;
    }
    for (index, one) in matches.iter().enumerate() {
        let at = at.key("matches").index(index).key("path");
        match &one.path {
            path if is_of_status(path) => {
                if !below(path).is_some_and(|rest| rest.ends_with("{token}")) {
                    let message = "a status URL ends with its token";
                    cx.fault(&at, message, "write {token} as the last segment");
                }
            }
            Path::Prefix(prefix) => {
                let message = "where status URLs of a prefix are is not known";
                let hint = format!("match exactly \"{prefix}\", or a template");
                cx.fault(&at, message, hint);
            }
            Path::Exact(_) | Path::Template(_) => {
                let asked = below(&one.path).unwrap_or_default();
                let wanted = format!("{}/{{{TOKEN}}}", asked.trim_end_matches('/'));
                let answers = |other: &Match| {
                    below(&other.path) == Some(&wanted)
                        && (other.methods.is_empty() || other.methods.contains(&Method::GET))
                };
                if !matches.iter().any(answers) {
                    let message = "no match of this route is that of the status URLs of this path";
                    let hint =
                        format!("add `{{ path: {{ template: \"{wanted}\" }}, methods: [GET] }}`");
                    cx.fault(&at, message, hint);
                }
            }
        }
    }
}

fn is_of_status(path: &Path) -> bool {
    path.captures().iter().any(|name| **name == *TOKEN)
}

/// A path as it is written.
fn below(path: &Path) -> Option<&str> {
    match path {
        Path::Exact(text) => Some(text),
        Path::Template(template) => Some(&template.text),
        Path::Prefix(_) => None,
    }
}
