//! `telemetry`, checked.

mod lines;

pub use lines::{Excluded, Fields, Lines};

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, Uri};

use super::address;
use super::check::{At, Checker, Item};
use super::raw::telemetry as raw;
use super::secret::Secret;
use super::units::Setting;

/// Traces and access log.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// Where spans are exported to.
    pub otlp: Option<Otlp>,
    /// Where the access log goes.
    pub access_log: AccessLog,
    /// What is written there.
    pub lines: Lines,
    /// Requests that took longer count as slow.
    pub slow_after: Duration,
    /// What may be shown of prompts and answers.
    pub llm_content: Option<LlmContent>,
}

/// Prompts and answers on spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LlmContent {
    /// How much of a prompt, and how much of an answer, in bytes.
    pub max_bytes: usize,
}

/// More than this of each is not shown: collectors take messages of 4 MiB unless told otherwise.
const MOST_CONTENT: u64 = 256 << 10;

/// Metrics are not sent more often.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// An OTLP collector, over gRPC.
#[derive(Debug, Clone)]
pub struct Otlp {
    /// `http` or `https`, with an authority.
    pub endpoint: Uri,
    /// From 0 to 1.
    pub sample_ratio: f64,
    /// Metadata of every export, in the order of their names.
    pub headers: Vec<(HeaderName, Secret)>,
    /// Whether log records are sent.
    pub logs: bool,
    /// The time from one reading of the metrics to the next, if they are sent.
    pub metrics: Option<Duration>,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// Nowhere.
    None,
    /// A file, reopened on SIGUSR1.
    File(PathBuf),
}

/// Checks `telemetry`; what is not written gets its default.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Telemetry>) -> Option<Telemetry> {
    let otlp = match &item.raw.otlp {
        Some(otlp) => Some(check_otlp(cx, &item.at.key("otlp"), otlp)?),
        None => None,
    };
    let output = &item.raw.access_log.output;
    let access_log = match output.as_str() {
        "stdout" => AccessLog::Stdout,
        "none" => AccessLog::None,
        path if path.contains('/') => AccessLog::File(cx.locate(&item.at, path)),
        _ => {
            let at = item.at.key("access_log").key("output");
            cx.fault(
                &at,
                format!("\"{output}\" is neither stdout nor none nor a path"),
                format!("write a path with a slash, as ./{output}"),
            );
            return None;
        }
    };
    let llm_content = match &item.raw.llm_content {
        Some(content) => Some(check_content(cx, &item.at.key("llm_content"), content)?),
        None => None,
    };
    let lines = lines::check(cx, &item.at.key("access_log"), &item.raw.access_log)?;
    Some(Telemetry {
        otlp,
        access_log,
        lines,
        slow_after: item.raw.slow_after.0,
        llm_content,
    })
}

fn check_content(cx: &mut Checker<'_>, at: &At, raw: &raw::LlmContent) -> Option<LlmContent> {
    let bytes = raw.max_bytes.0;
    let max_bytes = usize::try_from(bytes)
        .ok()
        .filter(|_| bytes <= MOST_CONTENT);
    if max_bytes.is_none() {
        let message = format!(
            "{} of a prompt is more than a span can carry",
            raw.max_bytes
        );
        cx.fault(&at.key("max_bytes"), message, "give 256KiB at most");
    }
    let content = LlmContent {
        max_bytes: max_bytes?,
    };
    cx.show_content(content);
    Some(content)
}

fn check_otlp(cx: &mut Checker<'_>, at: &At, raw: &raw::Otlp) -> Option<Otlp> {
    let mut headers = Vec::new();
    for (name, setting) in &raw.headers {
        let at = at.key("headers").key(name);
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            cx.fault(&at, format!("\"{name}\" is no header name"), "");
            continue;
        };
        let value = match setting {
            Setting::Text(text) => Some(Secret::new(text.as_str())),
            Setting::Secret(secret) => cx.reveal(&at.key("secret"), &secret.0, None),
        };
        let Some(value) = value else { continue };
        if http::HeaderValue::from_str(value.expose()).is_err() {
            cx.fault(
                &at,
                "the value cannot be sent in a header",
                "it holds control characters",
            );
            continue;
        }
        headers.push((name, value));
    }
    let metrics = raw.metrics.as_ref().map(|metrics| metrics.interval.0);
    if metrics.is_some_and(|interval| interval < SHORTEST_INTERVAL) {
        let at = at.key("metrics").key("interval");
        cx.fault(
            &at,
            "metrics are read less often than that",
            "give 1s at least",
        );
        return None;
    }
    let at = at.key("endpoint");
    match address::url(&raw.endpoint) {
        Ok(_) => {}
        Err(message) => {
            cx.fault(&at, message, "write it as http://127.0.0.1:4317");
            return None;
        }
    }
    let endpoint = raw.endpoint.parse().ok()?;
    Some(Otlp {
        endpoint,
        sample_ratio: raw.sample_ratio,
        headers,
        logs: raw.logs,
        metrics,
    })
}
