//! Servers, a gateway before them, and the ways a client can take.
//!
//! It refuses to know what is called.

use std::net::SocketAddr;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::server::Server;
use crate::Gateway;
use crate::tls::{Authority, Validity};

/// The kind of route calls are sent through.
pub const ROUTE: &str = "grpc";

/// A server in the clear and one under TLS, and a gateway that reaches each by a listener of its own.
#[derive(Debug)]
pub struct Scene {
    authority: Authority,
    plain: Server,
    secure: Server,
    gateway: Gateway,
}

/// One way from a client to a server.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// What to call it when a case fails.
    pub name: &'static str,
    /// Where the client connects to.
    pub address: SocketAddr,
    /// Whether it does so under TLS.
    pub tls: bool,
    /// Who answers in the end.
    pub server: &'a Server,
    authority: &'a Authority,
}

impl Scene {
    /// Starts all of it.
    ///
    /// # Panics
    /// If something does not start.
    pub async fn start() -> Scene {
        let authority = Authority::new();
        let certificate = authority.issue(&["localhost", "127.0.0.1"], Validity::Current);
        let plain = Server::start().await;
        let secure = Server::start_tls(&certificate).await;
        let yaml = format!(
            r#"
version: 1
listeners:
  - {{ name: public, address: "127.0.0.1:0" }}
  - name: secure
    address: "127.0.0.1:0"
    tls: {{ certificates: [{{ cert: ../one.pem, key: ../one.key }}] }}
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams:
  - {{ name: plain, endpoints: [{{ address: "{}" }}], protocol: http2 }}
  - name: secure
    endpoints: [{{ address: "{}" }}]
    protocol: http2
    tls: {{ ca: ../ca.pem, sni: localhost }}
routes:
  - {{ name: plain, listeners: [public], {ROUTE}: {{ backends: [{{ upstream: plain }}] }} }}
  - {{ name: secure, listeners: [secure], {ROUTE}: {{ backends: [{{ upstream: secure }}] }} }}
"#,
            plain.addr(),
            secure.addr()
        );
        let gateway = Gateway::builder(&yaml)
            .file("one.pem", &certificate.certificate)
            .file("one.key", &certificate.key)
            .file("ca.pem", authority.pem())
            .start()
            .await;
        Scene {
            authority,
            plain,
            secure,
            gateway,
        }
    }

    /// Every way there is, those past the gateway first: what fails there is not the gateway's fault.
    pub fn ways(&self) -> [Way<'_>; 4] {
        let way = |name, address, tls| Way {
            name,
            address,
            tls,
            server: if tls { &self.secure } else { &self.plain },
            authority: &self.authority,
        };
        [
            way("direct", self.plain.addr(), false),
            way("direct under TLS", self.secure.addr(), true),
            way("gateway", self.gateway.addr("public"), false),
            way("gateway under TLS", self.gateway.addr("secure"), true),
        ]
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}

impl Way<'_> {
    /// The certificate of who vouches for what answers under TLS, PEM.
    pub fn authority(&self) -> &str {
        self.authority.pem()
    }

    /// A connection of tonic's.
    ///
    /// # Panics
    /// If there is none to be had.
    pub async fn connect(&self) -> Channel {
        let scheme = if self.tls { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", self.address));
        let mut endpoint = endpoint.expect("an address makes a URL");
        if self.tls {
            let authority = Certificate::from_pem(self.authority());
            let tls = ClientTlsConfig::new().ca_certificate(authority);
            endpoint = endpoint.tls_config(tls).expect("rcgen writes PEM");
        }
        let connecting = endpoint.connect().await;
        connecting.unwrap_or_else(|error| panic!("{}: no connection ({error:?})", self.name))
    }
}
