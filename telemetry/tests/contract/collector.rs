//! An OTLP collector on loopback that keeps what it is sent.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[derive(Default)]
pub struct Received {
    pub requests: Mutex<Vec<(MetadataMap, ExportTraceServiceRequest)>>,
    /// How many exports to refuse first, as a collector under load does.
    pub refusals: AtomicUsize,
}

struct Service(Arc<Received>);

#[async_trait::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let refuse = |left: usize| left.checked_sub(1);
        let refused = &self.0.refusals;
        if refused
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse)
            .is_ok()
        {
            return Err(Status::unavailable("try later"));
        }
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
        let service = TraceServiceServer::new(Service(Arc::clone(&received)));
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .expect("a port");
            let address = listener.local_addr().expect("bound");
            let server = tonic::transport::Server::builder().add_service(service);
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
