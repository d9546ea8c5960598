//! A real gRPC server on a free port: the test service, health and reflection.
//!
//! It knows nothing of who calls it.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::server::Server as Builder;
use tonic::transport::{Error, Identity, ServerTlsConfig};
use tonic_reflection::server as reflection;
use tonic_web::GrpcWebLayer;

use super::echo::Echo;
use super::record::Record;
use super::service::Service;
use super::testing::DESCRIPTORS;
use super::testing::test_service_server::TestServiceServer;
use crate::tls::Certificate;

/// A server; takes no new connections once dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    record: Record,
    serving: JoinHandle<()>,
}

impl Server {
    /// Starts one that speaks HTTP/2 with prior knowledge.
    ///
    /// # Panics
    /// If no port can be bound.
    pub async fn start() -> Server {
        let (routes, record) = routes(Reflection::V1).await;
        let (address, incoming) = listen().await;
        let router = Builder::builder().add_routes(routes);
        Server::run(address, record, router.serve_with_incoming(incoming))
    }

    /// Starts one that has the server reflection of before its first version.
    ///
    /// # Panics
    /// If no port can be bound.
    pub async fn start_v1alpha() -> Server {
        let (routes, record) = routes(Reflection::V1alpha).await;
        let (address, incoming) = listen().await;
        let router = Builder::builder().add_routes(routes);
        Server::run(address, record, router.serve_with_incoming(incoming))
    }

    /// Starts one that speaks HTTP/2 under TLS.
    ///
    /// # Panics
    /// If no port can be bound, or the certificate is unusable.
    pub async fn start_tls(certificate: &Certificate) -> Server {
        let (routes, record) = routes(Reflection::V1).await;
        let (address, incoming) = listen().await;
        let identity = Identity::from_pem(&certificate.certificate, &certificate.key);
        let router = Builder::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .expect("rcgen writes PEM")
            .add_routes(routes);
        Server::run(address, record, router.serve_with_incoming(incoming))
    }

    /// Starts one that speaks gRPC for the Web itself, as a gateway should for it.
    ///
    /// # Panics
    /// If no port can be bound.
    pub async fn start_web() -> Server {
        let (routes, record) = routes(Reflection::V1).await;
        let (address, incoming) = listen().await;
        let router = Builder::builder()
            .accept_http1(true)
            .layer(GrpcWebLayer::new())
            .add_routes(routes);
        Server::run(address, record, router.serve_with_incoming(incoming))
    }

    fn run(
        address: SocketAddr,
        record: Record,
        serving: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> Server {
        let serving = tokio::spawn(async move {
            serving.await.expect("a bound socket can be served");
        });
        Server {
            address,
            record,
            serving,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What it remembers of its calls.
    pub fn record(&self) -> &Record {
        &self.record
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn listen() -> (SocketAddr, TcpListenerStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("there is a free port on loopback");
    let address = listener.local_addr().expect("a bound socket has one");
    (address, TcpListenerStream::new(listener))
}

/// Which version a server has.
enum Reflection {
    V1,
    V1alpha,
}

async fn routes(version: Reflection) -> (Routes, Record) {
    let record = Record::default();
    let test = TestServiceServer::new(Service {
        record: record.clone(),
    });
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<TestServiceServer<Service>>().await;
    let routes = Routes::new(Echo(test)).add_service(health);
    let reflection = reflection::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    let whole = "the descriptions are whole";
    let routes = match version {
        Reflection::V1 => routes.add_service(reflection.build_v1().expect(whole)),
        Reflection::V1alpha => routes.add_service(reflection.build_v1alpha().expect(whole)),
    };
    (routes, record)
}
