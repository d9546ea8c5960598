//! Every word an operator sees: error codes, the metric catalogue, spans, the
//! access log and the flight recorder.
//!
//! One finished request is one [`Record`]; everything else is derived from it
//! by [`Telemetry::finish`]. The crate knows neither Pingora nor the gateway:
//! it is told what happened and never asks.

pub mod access_log;
pub mod catalogue;
pub mod code;
pub mod content;
pub mod explain;
pub mod export;
mod json;
pub mod metrics;
pub mod record;
pub mod recorder;
pub mod spans;
pub mod tail;
mod timestamp;
pub mod trace;

pub use access_log::{AccessLog, Choice};
pub use code::{Code, Fault};
pub use content::Content;
pub use export::{Exporter, LogExporter, MetricExporter};
pub use metrics::Metrics;
pub use record::{Attempt, Protocol, Record};
pub use recorder::Recorder;
pub use tail::Tail;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where a finished request's figures go: resolved when the snapshot was
/// built, so that finishing a request looks nothing up.
#[derive(Clone, Copy)]
pub struct Handles<'a> {
    /// The listener it came in by.
    pub listener: &'a metrics::Listener,
    /// Its route, once one matched.
    pub route: Option<&'a metrics::Route>,
    /// The models it called, in the order of the record's targets.
    pub models: &'a [Arc<metrics::Model>],
    /// The topic it wrote to.
    pub topic: Option<&'a metrics::Topic>,
    /// The connection it became.
    pub websocket: Option<&'a metrics::WebSocket>,
}

impl<'a> Handles<'a> {
    /// A request that has come no further than its listener.
    pub fn of(listener: &'a metrics::Listener) -> Self {
        Self {
            listener,
            route: None,
            models: &[],
            topic: None,
            websocket: None,
        }
    }
}

/// Everything a finished request is told to.
pub struct Telemetry {
    /// The one recorder of figures.
    pub metrics: Metrics,
    /// Which requests get a line, and what stands in it.
    pub choice: Arc<Choice>,
    /// The access log, unless its output is none.
    pub access_log: Option<AccessLog>,
    /// The exporter of the same lines as log records, if one is configured.
    pub log_exporter: Option<LogExporter>,
    /// The exporter of metrics, if one is configured.
    pub metric_exporter: Option<MetricExporter>,
    /// The span exporter, if one is configured.
    pub exporter: Option<Exporter>,
    /// The flight recorder.
    pub recorder: Recorder,
    /// Whoever watches failures as they happen.
    pub tail: Tail,
    /// From when on a request counts as slow.
    pub slow_after: SlowAfter,
}

/// The duration from which on a request counts as slow; a reload may change it.
#[derive(Debug)]
pub struct SlowAfter(AtomicU64);

impl From<Duration> for SlowAfter {
    fn from(after: Duration) -> Self {
        let this = Self(AtomicU64::new(0));
        this.set(after);
        this
    }
}

impl SlowAfter {
    /// As it is now, to the microsecond.
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// From now on.
    pub fn set(&self, after: Duration) {
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }
}

impl Telemetry {
    /// Told to metrics and the flight recorder, and to nobody else.
    pub fn of(metrics: Metrics, slow_after: Duration) -> Self {
        Self {
            metrics,
            choice: Arc::default(),
            access_log: None,
            log_exporter: None,
            metric_exporter: None,
            exporter: None,
            recorder: Recorder::default(),
            tail: Tail::default(),
            slow_after: slow_after.into(),
        }
    }

    /// Tell everybody about a finished request, once: metrics, access log,
    /// spans, flight recorder. Never blocks; a line or span nobody has room
    /// for is counted as dropped. Attempts are not counted here: whoever made
    /// one has called [`metrics::Upstream::attempt`].
    pub fn finish(&self, record: Record, handles: Handles<'_>) {
        self.finish_with(record, handles, None);
    }

    /// The same of a request whose prompt and answer are to be seen: on the spans of a sampled
    /// request, and nowhere else.
    pub fn finish_with(&self, record: Record, handles: Handles<'_>, content: Option<Box<Content>>) {
        self.count(&record, handles);
        let reason = match &self.exporter {
            Some(_) => spans::should_export(&record, record.trace.sampled, self.slow_after.get()),
            None => None,
        };
        let kept = self.recorder.wants(&record);
        let logged = (self.access_log.is_some() || self.log_exporter.is_some())
            && self.choice.takes(&record, self.slow_after.get());
        let watched = self.tail.is_watched() && self.is_watched_for(&record);
        if !logged && reason.is_none() && !kept && !watched {
            return;
        }
        let record = Arc::new(record);
        if let Some(access_log) = self.access_log.as_ref().filter(|_| logged) {
            access_log.write(&record);
        }
        if let Some(exporter) = self.log_exporter.as_ref().filter(|_| logged) {
            exporter.export(&record);
        }
        if let (Some(exporter), Some(reason)) = (&self.exporter, reason) {
            let content = content.filter(|_| reason == spans::Reason::Sampled);
            exporter.export(&record, reason, content);
        }
        if watched {
            self.tail.tell(&record);
        }
        if kept {
            self.recorder.keep(record);
        }
    }

    fn is_watched_for(&self, record: &Record) -> bool {
        record.error_type().is_some() || record.aborted || record.slow(self.slow_after.get())
    }

    fn count(&self, record: &Record, handles: Handles<'_>) {
        match handles.route {
            Some(route) => route.finished(record),
            // What nobody asked for was not refused either.
            None if record.delivery.is_some() => {}
            None => {
                if let Some(code) = record.code {
                    handles.listener.refused(code);
                }
            }
        }
        if let Some(llm) = &record.llm {
            self.metrics.called(record, llm, handles.models);
        }
        if let (Some(topic), Some(kafka)) = (handles.topic, &record.kafka) {
            // What the broker acknowledged did not fail, whatever came after.
            let code = record.code.filter(|_| kafka.offset.is_none());
            topic.sent(kafka.took, code);
        }
        if let (Some(series), Some(websocket)) = (handles.websocket, &record.websocket) {
            series.closed(websocket, record.duration.saturating_sub(websocket.opened));
        }
    }

    /// Write out and send what is queued, for at most `within`. Whatever is
    /// left then is lost. Blocks: call it from a thread that may.
    pub fn shutdown(&self, within: Duration) {
        let deadline = Instant::now() + within;
        // The access log first: a file is quicker than a collector.
        if let Some(access_log) = &self.access_log {
            access_log.flush(deadline.saturating_duration_since(Instant::now()));
        }
        // Side by side: one collector that is stuck takes no time from another.
        let spans = self.exporter.as_ref().map(|it| it.flushing(deadline));
        let logs = self.log_exporter.as_ref().map(|it| it.flushing(deadline));
        let metrics = self
            .metric_exporter
            .as_ref()
            .map(|it| it.flushing(deadline));
        for flushing in [spans, logs, metrics].into_iter().flatten() {
            let _whole = flushing.wait();
        }
    }
}
