//! `telemetry` as written: traces, access log, what counts as slow.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::units::{Duration, Setting, Size};

/// Traces and access log.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Exports spans, and log records and metrics where it says so. Without it none are exported.
    pub otlp: Option<Otlp>,
    /// One JSON line per request.
    pub access_log: AccessLog,
    /// Requests that took longer are exported whatever the ratio, and recorded.
    pub slow_after: Duration,
    /// Allows routes with `record_content` to show prompts and answers on sampled spans. Without it
    /// none may.
    pub llm_content: Option<LlmContent>,
}

/// Prompts and answers on spans.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LlmContent {
    /// How much of a prompt, and how much of an answer, is shown; at most 256KiB.
    pub max_bytes: Size,
}

impl Default for LlmContent {
    fn default() -> Self {
        Self {
            max_bytes: Size::kib(8),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp: None,
            access_log: AccessLog::default(),
            slow_after: Duration::from_secs(1),
            llm_content: None,
        }
    }
}

/// An OTLP collector, over gRPC.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// The collector, as `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// The share of requests without a sampled parent whose spans are exported.
    #[serde(default = "Otlp::default_sample_ratio")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// Metadata sent with every export: text, or `{ secret: NAME }`.
    #[serde(default)]
    pub headers: BTreeMap<String, Setting>,
    /// Sends a log record for each request that `access_log` has a line for, whatever its `output`.
    #[serde(default)]
    pub logs: bool,
    /// Sends what the metrics address shows. Without it no metrics are sent.
    #[serde(default)]
    pub metrics: Option<OtlpMetrics>,
}

/// Metrics by OTLP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpMetrics {
    /// The time from one reading to the next; at least 1s.
    pub interval: Duration,
}

impl Default for OtlpMetrics {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
        }
    }
}

impl Otlp {
    fn default_sample_ratio() -> f64 {
        1.0
    }
}

/// The access log.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessLog {
    /// `stdout`, `none`, or the path of a file or named pipe, reopened on SIGUSR1.
    pub output: String,
    /// The share of requests that get a line, chosen by their trace id, so that all gateways choose the same
    /// traces. Those that failed, were cut or were slow always do.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// Requests without a line, such as probes, unless they fail or are slow.
    pub exclude: Vec<Exclusion>,
    /// What stands in a line; all that applies, if it is not said.
    pub fields: Option<Fields>,
}

/// Requests that are all that is said here.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exclusion {
    /// Those of this path, as `/healthz`.
    pub path: Option<String>,
    /// Those whose `User-Agent` begins so, as `kube-probe/`.
    pub user_agent_prefix: Option<String>,
    /// Those of this route.
    pub route: Option<String>,
}

/// Members of a line by their names: exactly one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// These, in this order.
    pub include: Option<Vec<String>>,
    /// All but these.
    pub exclude: Option<Vec<String>>,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            output: "stdout".to_owned(),
            sample_ratio: 1.0,
            exclude: Vec::new(),
            fields: None,
        }
    }
}
