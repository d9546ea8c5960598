//! The span exporter: OTLP over gRPC, in batches, from a thread of its own.
//!
//! A request hands over a pointer and goes on. Spans are made, batched and
//! sent on the exporter's thread, which has its own runtime, so that a slow
//! collector takes nothing from a request's worker. A failed export is retried
//! with back-off by the OTLP client within the timeout; what cannot be sent,
//! or found the queue full, is counted in
//! `weir_telemetry_dropped_total{signal="span"}`.

mod settings;
mod worker;

pub use settings::{Resolved, Settings, SettingsError};

use crate::content::Content;
use crate::metrics::{Metrics, Tally};
use crate::record::Record;
use crate::spans::{self, Reason};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SpanExporter as _;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use worker::{Flush, Queued, Worker};

/// Why the exporter could not be started.
#[derive(Debug)]
pub enum StartError {
    /// A setting cannot be used.
    Settings(SettingsError),
    /// No runtime or thread can be had.
    System(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::System(error) => write!(f, "the exporter's thread cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<SettingsError> for StartError {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}

/// A running exporter. Dropping it lets the thread send what is queued.
pub struct Exporter {
    queue: mpsc::Sender<Queued>,
    flushes: mpsc::Sender<Flush>,
    dropped: Tally,
}

impl Exporter {
    /// Start sending; `None` if no endpoint was named. The collector need not
    /// be there yet. `Err` if an endpoint, a header or a variable makes no
    /// sense, or the system has no thread.
    pub fn start(resolved: &Resolved, metrics: &Metrics) -> Result<Option<Self>, StartError> {
        let Some(endpoint) = resolved.endpoint() else {
            return Ok(None);
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::System)?;
        let exporter = {
            // The client's channel wants to be made inside its runtime.
            let _inside = runtime.enter();
            client(endpoint, &resolved.settings)?
        };
        let (queue, queued) = mpsc::channel(resolved.queue);
        let (flushes, asked) = mpsc::channel(1);
        let dropped = metrics.dropped("span");
        let worker = Worker::new(
            exporter,
            resolved,
            metrics.spans_exported(),
            dropped.clone(),
        );
        std::thread::Builder::new()
            .name("span-exporter".into())
            .spawn(move || runtime.block_on(worker.run(queued, asked)))
            .map_err(StartError::System)?;
        Ok(Some(Self {
            queue,
            flushes,
            dropped,
        }))
    }

    /// Queue the spans of a record, or drop and count them; `content` is shown on them. Never blocks.
    pub fn export(&self, record: &Arc<Record>, reason: Reason, content: Option<Box<Content>>) {
        let queued = Queued {
            record: Arc::clone(record),
            reason,
            content,
        };
        if self.queue.try_send(queued).is_err() {
            self.dropped.add(spans::count(record) as u64);
        }
    }

    /// Have everything queued so far sent; what is not by then is dropped and
    /// counted. `false` if that was needed, or another flush is under way.
    /// Blocks for at most `within`: call it from a thread that may.
    pub fn flush(&self, within: Duration) -> bool {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        let flush = Flush {
            deadline: Instant::now() + within,
            answer,
        };
        self.flushes.try_send(flush).is_ok() && answered.recv_timeout(within) == Ok(true)
    }
}

fn client(endpoint: &str, settings: &Settings) -> Result<SpanExporter, StartError> {
    if !endpoint.starts_with("http://") {
        return Err(SettingsError::new(
            "endpoint",
            format!(
                "{endpoint:?}: spans are sent in the clear only; name an http:// collector on \
                 this host or network and let it speak TLS to the outside"
            ),
        )
        .into());
    }
    let retry = RetryPolicy::recommended()
        .with_max_retries(5)
        .with_initial_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5));
    let headers = headers(&settings.headers)?;
    let mut builder = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_retry_policy(retry)
        // The library lets the environment's headers replace those it was
        // given; an interceptor comes after both, so that the file wins.
        .with_interceptor(move |mut request: tonic::Request<()>| {
            for (key, value) in &headers {
                request.metadata_mut().insert(key.clone(), value.clone());
            }
            Ok(request)
        });
    if let Some(timeout) = settings.timeout {
        builder = builder.with_timeout(timeout);
    }
    let mut exporter = builder
        .build()
        .map_err(|error| SettingsError::new("otlp", error.to_string()))?;
    exporter.set_resource(&resource(settings));
    Ok(exporter)
}

type Header = (MetadataKey<Ascii>, MetadataValue<Ascii>);

fn headers(headers: &[(String, String)]) -> Result<Vec<Header>, SettingsError> {
    let parse = |(name, value): &(String, String)| {
        let key = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes());
        let key = key.map_err(|_| {
            SettingsError::new("headers", format!("{name:?} is not a header's name"))
        })?;
        // The value may be a secret: say where, not what.
        let mut value = value.parse::<MetadataValue<Ascii>>().map_err(|_| {
            SettingsError::new(
                "headers",
                format!("the value of {name:?} is not ASCII text"),
            )
        })?;
        value.set_sensitive(true);
        Ok((key, value))
    };
    headers.iter().map(parse).collect()
}

fn resource(settings: &Settings) -> Resource {
    let mut builder = Resource::builder_empty()
        .with_service_name("weir")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attributes(
            settings
                .resource
                .iter()
                .map(|(key, value)| KeyValue::new(key.clone(), value.clone())),
        );
    if let Some(name) = &settings.service_name {
        builder = builder.with_service_name(name.clone());
    }
    builder.build()
}
