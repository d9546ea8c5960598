//! What is exported, where to and how much, from the configuration file and
//! OpenTelemetry's environment variables.
//!
//! What the file says wins; a variable fills in what the file leaves out. (The
//! specification leaves the precedence of a file of one's own open; a file
//! under review should not be overruled by what a shell happened to export.)
//! The variables read here: `OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER`,
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` before `OTEL_EXPORTER_OTLP_ENDPOINT`,
//! `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER` and `_ARG`, and
//! `OTEL_BSP_SCHEDULE_DELAY`, `_MAX_QUEUE_SIZE`, `_MAX_EXPORT_BATCH_SIZE`. The
//! OTLP client itself reads `HEADERS`, `TIMEOUT` and `COMPRESSION` of the same
//! two prefixes, and `OTEL_RESOURCE_ATTRIBUTES`, when the exporter starts. For
//! log records and metrics those of their own are read by [`outlet`](super::outlet),
//! `OTEL_LOGS_EXPORTER` and `OTEL_METRICS_EXPORTER` too, and
//! `OTEL_METRIC_EXPORT_INTERVAL` here. All goes by gRPC in the clear, whatever
//! `PROTOCOL` and `INSECURE` say.

use super::outlet::{self, Outlet, Signal};
use crate::trace::Sampler;
use std::fmt;
use std::time::Duration;

/// What the configuration file says; all of it may be left out.
#[derive(Clone, Default)]
pub struct Settings {
    /// `http://host:port` of an OTLP/gRPC collector.
    pub endpoint: Option<String>,
    /// Sent with every export; values may be secrets.
    pub headers: Vec<(String, String)>,
    /// For one export, retries included.
    pub timeout: Option<Duration>,
    /// `service.name`.
    pub service_name: Option<String>,
    /// More attributes of the resource.
    pub resource: Vec<(String, String)>,
    /// Share of the traces begun here that are sampled, from 0 to 1.
    pub sample_ratio: Option<f64>,
    /// Spans sent at once.
    pub batch: Option<usize>,
    /// Finished requests that may wait to be sent.
    pub queue: Option<usize>,
    /// The longest a span or log record waits for its batch to fill.
    pub interval: Option<Duration>,
    /// Whether log records are sent too.
    pub logs: bool,
    /// Whether metrics are sent too.
    pub metrics: bool,
    /// The time from one reading of the metrics to the next.
    pub metrics_interval: Option<Duration>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .field("service_name", &self.service_name)
            .field("resource", &self.resource)
            .field("sample_ratio", &self.sample_ratio)
            .field("batch", &self.batch)
            .field("queue", &self.queue)
            .field("interval", &self.interval)
            .field("logs", &self.logs)
            .field("metrics", &self.metrics)
            .field("metrics_interval", &self.metrics_interval)
            .finish()
    }
}

/// A setting that cannot be used: which one, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The name of the variable, or of the field of [`Settings`].
    pub name: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl SettingsError {
    pub(super) fn new(name: &str, problem: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)
    }
}

impl std::error::Error for SettingsError {}

/// Settings with the environment's and the defaults filled in.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub(super) settings: Settings,
    pub(super) sampler: Sampler,
    pub(super) batch: usize,
    pub(super) queue: usize,
    pub(super) interval: Duration,
    pub(super) logs: Option<Outlet>,
    /// With the time from one reading to the next.
    pub(super) metrics: Option<(Outlet, Duration)>,
}

impl Resolved {
    /// Where spans go; `None` if nothing names a collector, or tracing is off.
    pub fn endpoint(&self) -> Option<&str> {
        self.settings.endpoint.as_deref()
    }

    /// Decides at a request's start. Without an endpoint nothing is recorded
    /// here, so no trace that begins here is marked as sampled.
    pub fn sampler(&self) -> Sampler {
        self.sampler
    }
}

impl Settings {
    /// Fill in what the file left out from this environment.
    pub fn resolve(
        mut self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Resolved, SettingsError> {
        // An empty variable counts as unset, as the specification asks.
        let variable = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let logs = outlet::resolve(Signal::Logs, self.logs, &self, &variable)?;
        let metrics = outlet::resolve(Signal::Metrics, self.metrics, &self, &variable)?;
        let reading = match (
            self.metrics_interval,
            variable("OTEL_METRIC_EXPORT_INTERVAL"),
        ) {
            (Some(interval), _) => interval,
            (None, Some(text)) => outlet::milliseconds("OTEL_METRIC_EXPORT_INTERVAL", &text)?,
            (None, None) => Duration::from_secs(60),
        };
        let off = variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || variable("OTEL_TRACES_EXPORTER").is_some_and(|v| v.trim() == "none");
        self.endpoint = self
            .endpoint
            .or_else(|| variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
            .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"))
            .filter(|_| !off);
        let service_name = self.service_name.take();
        self.service_name = service_name.or_else(|| variable("OTEL_SERVICE_NAME"));
        let ratio = match (&self.endpoint, self.sample_ratio) {
            (None, _) => 0.0,
            (Some(_), Some(ratio)) => ratio,
            (Some(_), None) => ratio_of(&variable)?,
        };
        let sampler =
            Sampler::new(ratio).map_err(|e| SettingsError::new("sample_ratio", e.to_string()))?;
        let queue = match self.queue {
            Some(queue) => queue,
            None => number(&variable, "OTEL_BSP_MAX_QUEUE_SIZE")?.unwrap_or(2_048),
        };
        let batch = match self.batch {
            Some(batch) => batch,
            None => number(&variable, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")?.unwrap_or(512),
        };
        let interval = match self.interval {
            Some(interval) => interval,
            None => number(&variable, "OTEL_BSP_SCHEDULE_DELAY")?
                .map_or(Duration::from_secs(1), |ms| {
                    Duration::from_millis(ms as u64)
                }),
        };
        Ok(Resolved {
            sampler,
            batch: batch.max(1),
            queue: queue.max(1),
            interval,
            logs,
            // A clock that ticks without a pause is none.
            metrics: metrics.map(|outlet| (outlet, reading.max(Duration::from_millis(100)))),
            settings: self,
        })
    }
}

fn number(
    variable: &impl Fn(&str) -> Option<String>,
    name: &str,
) -> Result<Option<usize>, SettingsError> {
    let Some(value) = variable(name) else {
        return Ok(None);
    };
    match value.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(SettingsError::new(
            name,
            format!("{value:?} is not a whole number"),
        )),
    }
}

/// The gateway always follows a caller's decision, so `traceidratio` and
/// `parentbased_traceidratio` are one and the same here.
fn ratio_of(variable: &impl Fn(&str) -> Option<String>) -> Result<f64, SettingsError> {
    let Some(sampler) = variable("OTEL_TRACES_SAMPLER") else {
        return Ok(1.0);
    };
    match sampler.trim() {
        "always_on" | "parentbased_always_on" => Ok(1.0),
        "always_off" | "parentbased_always_off" => Ok(0.0),
        "traceidratio" | "parentbased_traceidratio" => {
            let name = "OTEL_TRACES_SAMPLER_ARG";
            let Some(ratio) = variable(name) else {
                return Ok(1.0);
            };
            match ratio.trim().parse() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
                _ => Err(SettingsError::new(
                    name,
                    format!("{ratio:?} is not a number from 0 to 1"),
                )),
            }
        }
        other => Err(SettingsError::new(
            "OTEL_TRACES_SAMPLER",
            format!(
                "{other:?} is not supported; use always_on, always_off, traceidratio or \
                 their parentbased_ forms"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(settings: Settings, variables: &[(&str, &str)]) -> Result<Resolved, SettingsError> {
        settings.resolve(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn share(resolved: &Resolved) -> usize {
        let sampler = resolved.sampler();
        (0..1000).filter(|_| sampler.begin(None).sampled).count()
    }

    #[test]
    fn without_an_endpoint_nothing_is_exported_or_sampled() {
        let resolved = resolve(Settings::default(), &[]).expect("fine");
        assert_eq!(resolved.endpoint(), None);
        assert_eq!(share(&resolved), 0);
    }

    #[test]
    fn the_environment_fills_in_what_the_file_leaves_out() {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4317"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317"),
            ("OTEL_SERVICE_NAME", "edge"),
            ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64"),
            ("OTEL_BSP_SCHEDULE_DELAY", "250"),
        ];
        let resolved = resolve(Settings::default(), &environment).expect("fine");
        assert_eq!(resolved.endpoint(), Some("http://traces:4317"));
        assert_eq!(resolved.settings.service_name.as_deref(), Some("edge"));
        assert_eq!(share(&resolved), 0);
        assert_eq!(resolved.batch, 64);
        assert_eq!(resolved.interval, Duration::from_millis(250));

        let file = Settings {
            endpoint: Some("http://file:4317".into()),
            service_name: Some("file".into()),
            sample_ratio: Some(1.0),
            batch: Some(8),
            ..Settings::default()
        };
        let resolved = resolve(file, &environment).expect("fine");
        assert_eq!(resolved.endpoint(), Some("http://file:4317"));
        assert_eq!(resolved.settings.service_name.as_deref(), Some("file"));
        assert_eq!(share(&resolved), 1000);
        assert_eq!(resolved.batch, 8);
    }

    #[test]
    fn tracing_can_be_switched_off_from_outside() {
        for off in [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            let file = Settings {
                endpoint: Some("http://file:4317".into()),
                ..Settings::default()
            };
            assert_eq!(resolve(file, &[off]).expect("fine").endpoint(), None);
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        let ratio = ("OTEL_TRACES_SAMPLER", "traceidratio");
        for (bad, name) in [
            (("OTEL_TRACES_SAMPLER", "xray"), "OTEL_TRACES_SAMPLER"),
            (("OTEL_TRACES_SAMPLER_ARG", "2"), "OTEL_TRACES_SAMPLER_ARG"),
            (
                ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
                "OTEL_BSP_MAX_QUEUE_SIZE",
            ),
        ] {
            let error = resolve(Settings::default(), &[bad, endpoint, ratio]);
            assert_eq!(error.expect_err("must be refused").name, name);
        }
        let settings = Settings {
            sample_ratio: Some(1.5),
            ..Settings::default()
        };
        let error = resolve(settings, &[endpoint]).expect_err("must be refused");
        assert_eq!(error.name, "sample_ratio");
    }

    #[test]
    fn header_values_are_not_printed() {
        let settings = Settings {
            headers: vec![("authorization".into(), "Bearer hush".into())],
            ..Settings::default()
        };
        let printed = format!("{settings:?}");
        assert!(printed.contains("authorization") && !printed.contains("hush"));
    }
}
