//! Telemetry started from what the configuration says of it, and told by what knows none.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use weir_telemetry::access_log::{Exclusion, Fields, Output};
use weir_telemetry::export::{Resolved, Settings, StartError};
use weir_telemetry::metrics::store::Fault;
use weir_telemetry::recorder::{Limits, Recorder};
use weir_telemetry::trace::Sampler;
use weir_telemetry::{
    AccessLog, Choice, Exporter, LogExporter, MetricExporter, Metrics, Tail, Telemetry, metrics,
};

use crate::config::Config;
use crate::config::telemetry as config;
use crate::quota::{Observer, Unfit};

/// Starts the writers and exporters.
pub(crate) fn start(config: &Config) -> Result<Telemetry, String> {
    let metrics = Metrics::new();
    let output = match &config.telemetry.access_log {
        config::AccessLog::Stdout => Some(Output::Stdout),
        config::AccessLog::File(path) => Some(Output::Path(path.clone())),
        config::AccessLog::None => None,
    };
    let in_log = |e: io::Error| format!("telemetry.access_log: {e}");
    let choice = Arc::new(choice(&config.telemetry.lines).map_err(in_log)?);
    let access_log = output
        .map(|output| AccessLog::start(output, &choice, &metrics))
        .transpose()
        .map_err(in_log)?;
    let otlp = resolve(config)?;
    let in_otlp = |e: StartError| format!("telemetry.otlp: {e}");
    Ok(Telemetry {
        access_log,
        log_exporter: LogExporter::start(&otlp, &choice, &metrics).map_err(in_otlp)?,
        metric_exporter: MetricExporter::start(&otlp, &metrics).map_err(in_otlp)?,
        exporter: Exporter::start(&otlp, &metrics).map_err(in_otlp)?,
        choice,
        recorder: Recorder::new(Limits::default()),
        tail: Tail::default(),
        slow_after: config.telemetry.slow_after.into(),
        metrics,
    })
}

/// Which requests get a line, and what stands in it.
fn choice(lines: &config::Lines) -> io::Result<Choice> {
    let exclude = lines.exclude.iter().cloned().map(|one| Exclusion {
        path: one.path,
        user_agent_prefix: one.user_agent_prefix,
        route: one.route,
    });
    let fields = match &lines.fields {
        config::Fields::All => Fields::All,
        config::Fields::Include(names) => Fields::Include(names.clone()),
        config::Fields::Exclude(names) => Fields::Exclude(names.clone()),
    };
    Choice::new(lines.sample_ratio, exclude.collect(), fields).map_err(io::Error::other)
}

/// Counts how the store of this name fares.
pub(crate) fn store(metrics: &Metrics, name: &str) -> Arc<dyn Observer> {
    Arc::new(Counted(metrics.store(name)))
}

#[derive(Debug)]
struct Counted(Arc<metrics::Store>);

impl Observer for Counted {
    fn decided(&self, waited: bool) {
        self.0.decided(waited);
    }

    fn entered(&self, took: Duration, failed: bool) {
        self.0.entered(took, failed);
    }

    fn unfit(&self, faults: &[Unfit]) {
        let faults: Vec<Fault> = faults.iter().copied().map(fault).collect();
        self.0.unfit(&faults);
    }
}

const fn fault(unfit: Unfit) -> Fault {
    match unfit {
        Unfit::Evict => Fault::Eviction,
        Unfit::Volatile => Fault::Persistence,
    }
}

/// What decides on traces that begin under this configuration.
pub(crate) fn sampler(config: &Config) -> Result<Sampler, String> {
    Ok(resolve(config)?.sampler())
}

fn resolve(config: &Config) -> Result<Resolved, String> {
    let settings = config
        .telemetry
        .otlp
        .as_ref()
        .map(settings)
        .unwrap_or_default();
    settings
        .resolve(|name| std::env::var(name).ok())
        .map_err(|e| format!("telemetry.otlp: {e}"))
}

fn settings(otlp: &config::Otlp) -> Settings {
    Settings {
        endpoint: Some(otlp.endpoint.to_string()),
        sample_ratio: Some(otlp.sample_ratio),
        headers: otlp
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.expose().to_owned()))
            .collect(),
        logs: otlp.logs,
        metrics: otlp.metrics.is_some(),
        metrics_interval: otlp.metrics,
        ..Settings::default()
    }
}
