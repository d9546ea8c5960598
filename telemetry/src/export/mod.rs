//! Export by OTLP over gRPC: spans, log records and metrics, each from a thread of its own.
//!
//! A request hands over a pointer and goes on. What is sent is made, batched and sent on the exporter's
//! thread, which has its own runtime, so that a slow collector takes nothing from a request's worker. A
//! failed export is tried again with back-off within its timeout; what cannot be sent, or found the queue
//! full, is counted in `weir_telemetry_dropped_total` by signal.

mod client;
mod log_record;
mod logs;
mod metrics;
mod outlet;
mod points;
mod queue;
mod settings;
mod spans;
mod worker;

pub use logs::LogExporter;
pub use metrics::MetricExporter;
pub use queue::Flushing;
pub use settings::{Resolved, Settings, SettingsError};
pub use spans::Exporter;

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic as proto;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use std::fmt;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};

/// Why an exporter could not be started.
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

/// `Err` unless the collector is spoken to in the clear, which is all there is.
fn check_endpoint(endpoint: &str) -> Result<(), SettingsError> {
    if endpoint.starts_with("http://") {
        return Ok(());
    }
    Err(SettingsError::new(
        "endpoint",
        format!(
            "{endpoint:?}: telemetry is sent in the clear only; name an http:// collector on \
             this host or network and let it speak TLS to the outside"
        ),
    ))
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

/// The resource as it is sent by [`client`].
fn proto_resource(settings: &Settings) -> proto::resource::v1::Resource {
    proto::resource::v1::Resource {
        attributes: ResourceAttributesWithSchema::from(&resource(settings))
            .attributes
            .0,
        ..proto::resource::v1::Resource::default()
    }
}

/// Who made what is sent by [`client`].
fn scope() -> proto::common::v1::InstrumentationScope {
    proto::common::v1::InstrumentationScope {
        name: "weir".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..proto::common::v1::InstrumentationScope::default()
    }
}
