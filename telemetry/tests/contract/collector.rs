//! An OTLP collector on loopback that keeps what it is sent.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
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
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[derive(Default)]
pub struct Received {
    pub requests: Mutex<Vec<(MetadataMap, ExportTraceServiceRequest)>>,
    pub logs: Mutex<Vec<(MetadataMap, ExportLogsServiceRequest)>>,
    pub metrics: Mutex<Vec<(MetadataMap, ExportMetricsServiceRequest)>>,
    /// How many log records it says to have refused, of each message.
    pub refused_records: AtomicUsize,
    /// How many exports to refuse first, as a collector under load does.
    pub refusals: AtomicUsize,
}

impl Received {
    fn answer(&self) -> Result<(), Status> {
        let refuse = |left: usize| left.checked_sub(1);
        let refused = &self.refusals;
        match refused.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse) {
            Ok(_) => Err(Status::unavailable("try later")),
            Err(_) => Ok(()),
        }
    }
}

#[derive(Clone)]
struct Service(Arc<Received>);

#[async_trait::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.answer()?;
        let (metadata, _, message) = request.into_parts();
        let mut logs = self.0.logs.lock().expect("not poisoned");
        logs.push((metadata, message));
        let refused = self.0.refused_records.load(Ordering::SeqCst);
        Ok(Response::new(ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: refused as i64,
                error_message: String::new(),
            }),
        }))
    }
}

#[async_trait::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.answer()?;
        let (metadata, _, message) = request.into_parts();
        let mut metrics = self.0.metrics.lock().expect("not poisoned");
        metrics.push((metadata, message));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[async_trait::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.answer()?;
        let (metadata, _, message) = request.into_parts();
        let mut requests = self.0.requests.lock().expect("not poisoned");
        requests.push((metadata, message));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A running collector; it stops when dropped.
pub struct Collector {
    pub address: SocketAddr,
    pub received: Arc<Received>,
    _runtime: tokio::runtime::Runtime,
}

impl Collector {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let received = Arc::new(Received::default());
        let service = Service(Arc::clone(&received));
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .expect("a port");
            let address = listener.local_addr().expect("bound");
            let server = tonic::transport::Server::builder()
                .add_service(TraceServiceServer::new(service.clone()))
                .add_service(LogsServiceServer::new(service.clone()).accept_compressed(Gzip))
                .add_service(MetricsServiceServer::new(service));
            tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
            address
        });
        Self {
            address,
            received,
            _runtime: runtime,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}
