//! Opens connections: address, TLS, and the protocol spoken over them.
//!
//! Built once per upstream from its configuration. It knows no pool, no retry and no deadline but
//! the one it is given; a failure comes back as Pingora's error and is named by [`super::attribute`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora_core::connectors::http::v2::{ConnectionRef, H2HandshakeSettings, handshake};
use pingora_core::connectors::{ConnectorOptions, TransportConnector};
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::utils::tls::CertKey;
use pingora_error::{BError, Error, ErrorType, OrErr};

use super::pool::Facts;
use super::slot::Slot;
use crate::wire::Handle;

/// The protocol an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, by ALPN over TLS and with prior knowledge without.
    Http2,
}

/// How to speak TLS to an upstream.
#[derive(Clone)]
pub(crate) struct Tls {
    /// Whether the certificate and its name are verified.
    pub(crate) verify: bool,
    /// Authorities to trust instead of the system's.
    pub(crate) authorities: Option<Arc<Box<[openssl::x509::X509]>>>,
    /// A client certificate for mutual TLS.
    pub(crate) client: Option<Arc<CertKey>>,
}

/// Opens connections to the endpoints of one upstream.
pub(crate) struct Dialer {
    connector: TransportConnector,
    protocol: Protocol,
    tls: Option<Tls>,
}

/// A connection just opened.
pub(crate) enum Opened {
    /// For one HTTP/1 exchange at a time.
    Http1(Handle),
    /// For many HTTP/2 streams.
    Http2(ConnectionRef),
}

/// Most streams we open on one upstream HTTP/2 connection, below what the peer allows.
const MAX_STREAMS: usize = 256;

impl Dialer {
    /// A dialer for one upstream.
    pub(crate) fn new(protocol: Protocol, tls: Option<Tls>) -> Self {
        // Keep-alive is our pool's job, so the connector's own is left empty.
        let connector = TransportConnector::new(Some(ConnectorOptions::new(1)));
        Dialer {
            connector,
            protocol,
            tls,
        }
    }

    /// The protocol spoken over what is opened.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Opens a connection to `address`; `server_name` is what its certificate must be for, and
    /// `within` covers TCP, TLS and HTTP/2's preface together.
    pub(crate) async fn open(
        &self,
        address: SocketAddr,
        server_name: &str,
        slot: Arc<Slot>,
        within: Duration,
    ) -> Result<(Opened, Facts), BError> {
        let begun = Instant::now();
        let opening = self.open_inner(address, server_name, slot);
        let opened = tokio::time::timeout(within, opening)
            .await
            .or_err(ErrorType::ConnectTimedout, "while connecting")??;
        Ok((opened, Facts::new(address, begun.elapsed())))
    }

    async fn open_inner(
        &self,
        address: SocketAddr,
        server_name: &str,
        slot: Arc<Slot>,
    ) -> Result<Opened, BError> {
        let stream = self.stream(address, server_name).await?;
        let alpn = stream.selected_alpn_proto();
        // The handle keeps the slot for exactly as long as the socket is open, also when an
        // HTTP/2 connection has left the pool and its last streams are still running.
        let handle = Handle::new(stream, slot);
        match self.protocol {
            Protocol::Http1 => Ok(Opened::Http1(handle)),
            Protocol::Http2 => {
                if self.tls.is_some() && alpn != Some(ALPN::H2) {
                    return Error::e_explain(
                        ErrorType::H2Error,
                        "the endpoint did not agree to HTTP/2 by ALPN",
                    );
                }
                let mut settings = H2HandshakeSettings::new();
                settings.max_streams = MAX_STREAMS;
                Ok(Opened::Http2(
                    handshake(handle.shared_end(), settings).await?,
                ))
            }
        }
    }

    /// Opens the bare stream: TCP, and TLS when configured.
    pub(crate) async fn stream(
        &self,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Stream, BError> {
        self.connector
            .new_stream(&self.peer(address, server_name))
            .await
    }

    fn peer(&self, address: SocketAddr, server_name: &str) -> HttpPeer {
        let mut peer = HttpPeer::new(address, self.tls.is_some(), server_name.to_owned());
        peer.options.alpn = match self.protocol {
            Protocol::Http1 => ALPN::H1,
            Protocol::Http2 => ALPN::H2,
        };
        if let Some(tls) = &self.tls {
            peer.options.verify_cert = tls.verify;
            peer.options.verify_hostname = tls.verify;
            peer.options.ca = tls.authorities.clone();
            peer.client_cert_key = tls.client.clone();
        }
        peer
    }
}
