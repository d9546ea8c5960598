//! An OTLP collector over gRPC that keeps the spans, log records and metrics it is sent.
//!
//! It accepts everything and judges nothing; it can be told to fail, to see what exporters do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1 as proto;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use crate::wait;

pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Kind;
pub use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

/// A span as it was exported.
#[derive(Debug, Clone)]
pub struct Span {
    /// The trace id, 32 hexadecimal digits.
    pub trace_id: String,
    /// The span id, 16 hexadecimal digits.
    pub span_id: String,
    /// The parent's span id, empty for a root.
    pub parent_span_id: String,
    /// The name.
    pub name: String,
    /// SERVER, CLIENT and so on.
    pub kind: Kind,
    /// Unset, ok or error.
    pub status: StatusCode,
    /// The attributes; arrays and maps as JSON.
    pub attributes: serde_json::Map<String, Value>,
    /// The resource's attributes, such as `service.name`.
    pub resource: serde_json::Map<String, Value>,
    /// Start, in nanoseconds since the epoch.
    pub start: u64,
    /// End, in nanoseconds since the epoch.
    pub end: u64,
    /// The names and attributes of events.
    pub events: Vec<(String, serde_json::Map<String, Value>)>,
    /// The linked (trace id, span id) pairs.
    pub links: Vec<(String, String)>,
}

/// A log record as it was exported.
#[derive(Debug, Clone)]
pub struct Log {
    /// The trace id, 32 hexadecimal digits.
    pub trace_id: String,
    /// `INFO`, `WARN` or `ERROR`.
    pub severity: String,
    /// What is to be read.
    pub body: Value,
    /// The attributes; arrays and maps as JSON.
    pub attributes: serde_json::Map<String, Value>,
}

impl Span {
    /// An attribute; JSON null if it is absent.
    pub fn attribute(&self, name: &str) -> &Value {
        self.attributes.get(name).unwrap_or(&Value::Null)
    }
}

/// A running collector; gone when dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    store: Store,
    task: AbortHandle,
}

#[derive(Debug, Clone, Default)]
struct Store {
    spans: Arc<Mutex<Vec<Span>>>,
    logs: Arc<Mutex<Vec<Log>>>,
    metrics: Arc<Mutex<Vec<Metric>>>,
    failing: Arc<AtomicBool>,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If loopback has no free port.
    pub async fn start() -> Collector {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let store = Store::default();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(store.clone()))
            .add_service(LogsServiceServer::new(store.clone()))
            .add_service(MetricsServiceServer::new(store.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { server.await.expect("the collector serves") });
        Collector {
            address,
            store,
            task: task.abort_handle(),
        }
    }

    /// The endpoint for a configuration, `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers UNAVAILABLE from now on, or no longer.
    pub fn fail(&self, failing: bool) {
        self.store.failing.store(failing, Ordering::Relaxed);
    }

    /// Every span received so far.
    ///
    /// # Panics
    /// Never: no thread panics while it holds the lock.
    pub fn spans(&self) -> Vec<Span> {
        self.store
            .spans
            .lock()
            .expect("no thread panics while it holds the lock")
            .clone()
    }

    /// Every log record received so far.
    ///
    /// # Panics
    /// Never: no thread panics while it holds the lock.
    pub fn logs(&self) -> Vec<Log> {
        let logs = self.store.logs.lock();
        logs.expect("no thread panics while it holds the lock")
            .clone()
    }

    /// Every metric received so far, as often as it came.
    ///
    /// # Panics
    /// Never: no thread panics while it holds the lock.
    pub fn metrics(&self) -> Vec<Metric> {
        let metrics = self.store.metrics.lock();
        metrics
            .expect("no thread panics while it holds the lock")
            .clone()
    }

    /// Waits for a span that `wanted` accepts, and returns it.
    ///
    /// # Panics
    /// If none comes; the message names those that did.
    pub async fn wait_for(&self, wanted: impl Fn(&Span) -> bool) -> Span {
        let found = wait::until("a span", || async {
            self.spans().into_iter().find(&wanted)
        });
        found.await
    }

    /// Waits until a trace has so many spans, and returns them in the order of their starts.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn wait_for_trace(&self, trace_id: &str, count: usize) -> Vec<Span> {
        wait::until(format!("{count} spans of the trace {trace_id}"), || async {
            let mut spans = self.spans();
            spans.retain(|span| span.trace_id == trace_id);
            spans.sort_by_key(|span| span.start);
            (spans.len() >= count).then_some(spans)
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Store {
    fn answer(&self) -> Result<(), tonic::Status> {
        match self.failing.load(Ordering::Relaxed) {
            true => Err(tonic::Status::unavailable("told to fail")),
            false => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl LogsService for Store {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        self.answer()?;
        let groups = request.into_inner().resource_logs.into_iter();
        let scopes = groups.flat_map(|group| group.scope_logs);
        let received = scopes.flat_map(|scope| scope.log_records).map(|log| Log {
            trace_id: hex(&log.trace_id),
            severity: log.severity_text,
            body: json(log.body),
            attributes: map(Some(log.attributes)),
        });
        let logs = self.logs.lock();
        logs.expect("no thread panics while it holds the lock")
            .extend(received);
        Ok(tonic::Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Store {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        self.answer()?;
        let groups = request.into_inner().resource_metrics.into_iter();
        let scopes = groups.flat_map(|group| group.scope_metrics);
        let metrics = self.metrics.lock();
        metrics
            .expect("no thread panics while it holds the lock")
            .extend(scopes.flat_map(|scope| scope.metrics));
        Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Store {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.answer()?;
        let mut received = Vec::new();
        for group in request.into_inner().resource_spans {
            let resource = map(group.resource.map(|resource| resource.attributes));
            for scope in group.scope_spans {
                let convert = |exported| span(exported, resource.clone());
                received.extend(scope.spans.into_iter().map(convert));
            }
        }
        self.spans
            .lock()
            .expect("no thread panics while it holds the lock")
            .extend(received);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

fn span(span: proto::Span, resource: serde_json::Map<String, Value>) -> Span {
    let status = span.status.as_ref().map(|status| status.code());
    Span {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: hex(&span.parent_span_id),
        kind: span.kind(),
        status: status.unwrap_or(StatusCode::Unset),
        name: span.name,
        attributes: map(Some(span.attributes)),
        resource,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        events: span
            .events
            .into_iter()
            .map(|event| (event.name, map(Some(event.attributes))))
            .collect(),
        links: span
            .links
            .iter()
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
    }
}

fn map(attributes: Option<Vec<KeyValue>>) -> serde_json::Map<String, Value> {
    let pair = |attribute: KeyValue| (attribute.key, json(attribute.value));
    attributes.into_iter().flatten().map(pair).collect()
}

fn json(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        None => Value::Null,
        Some(Any::StringValue(text)) => text.into(),
        Some(Any::BoolValue(truth)) => truth.into(),
        Some(Any::IntValue(number)) => number.into(),
        Some(Any::DoubleValue(number)) => number.into(),
        Some(Any::ArrayValue(list)) => list
            .values
            .into_iter()
            .map(|value| json(Some(value)))
            .collect(),
        Some(Any::KvlistValue(list)) => Value::Object(map(Some(list.values))),
        Some(Any::BytesValue(bytes)) => hex(&bytes).into(),
        // Profiles' string tables; no trace has them.
        Some(_) => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
