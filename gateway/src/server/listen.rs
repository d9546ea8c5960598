//! Sockets: bound by us, so that their ports are known, or taken over from the process before.
//!
//! They go to Pingora by name in the table it hands over on an upgrade.

use std::net::SocketAddr;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::server::{Fds, ListenFds, ShutdownWatch};
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// What a connection with TLS keeps between the socket and OpenSSL, which reads the head of each record
/// and then the rest: a whole record, so that both come in one system call. Writes are as Pingora has
/// them.
const RECORD: L4BufferSettings = L4BufferSettings {
    read: Some((16 << 10) + 512),
    write: None,
};

/// The process's sockets, by name.
pub(super) struct Sockets {
    fds: ListenFds,
    bound: Vec<(String, SocketAddr)>,
}

impl Sockets {
    /// Begins with the sockets taken over; none on a fresh start.
    pub(super) fn new(inherited: Fds) -> Self {
        Sockets {
            fds: Arc::new(Mutex::new(inherited)),
            bound: Vec::new(),
        }
    }

    /// Makes sure there is a socket called `name`, bound to `address`. One that was taken over is
    /// used unless the configuration has moved since.
    pub(super) fn open(&mut self, name: &str, address: SocketAddr) -> Result<(), String> {
        let inherited = self
            .fds
            .lock()
            .get(name)
            .copied()
            .and_then(super::upgrade::local_address);
        let bound = match inherited.filter(|bound| fits(address, *bound)) {
            Some(bound) => bound,
            None => {
                let listener = bind(address)
                    .map_err(|e| format!("{name}: cannot listen on {address}: {e}"))?;
                let local = listener.local_addr().map_err(|e| e.to_string())?;
                self.close(name);
                self.fds.lock().add(name.to_owned(), listener.into_raw_fd());
                local
            }
        };
        self.bound.push((name.to_owned(), bound));
        Ok(())
    }

    /// Closes the socket called `name`, if there is one.
    fn close(&self, name: &str) {
        let mut fds = self.fds.lock();
        let (names, _) = fds.serialize();
        fds.close_unclaimed(&names.into_iter().filter(|other| other != name).collect());
    }

    /// The sockets and where they are bound.
    pub(super) fn bound(&self) -> &[(String, SocketAddr)] {
        &self.bound
    }

    /// The table that an upgrade hands over.
    pub(super) fn fds(&self) -> ListenFds {
        self.fds.clone()
    }

    /// Closes taken-over sockets that nothing accepts on any more.
    pub(super) fn close_unclaimed(&self) {
        let keep = self.bound.iter().map(|(name, _)| name.clone()).collect();
        self.fds.lock().close_unclaimed(&keep);
    }

    /// Accepts on the socket called `name` until `shutdown` says otherwise.
    pub(super) fn accept<A: ServerApp + Send + Sync + 'static>(
        &self,
        name: &str,
        tls: Option<TlsSettings>,
        app: A,
        shutdown: ShutdownWatch,
    ) {
        let mut service = Service::new(name.to_owned(), app);
        let endpoint = ListenerConfig::tcp(name);
        service.add_listener(match tls {
            Some(tls) => endpoint.tls(tls).l4_buffer(RECORD),
            // Who reads and writes has buffers of its own, for as long as it needs them.
            None => endpoint.l4_buffer(L4BufferSettings::unbuffered()),
        });
        let fds = self.fds();
        tokio::spawn(async move { service.start_service(Some(fds), shutdown, 1).await });
    }
}

/// Whether a socket bound there is what `address` asks for; port 0 asks for any.
fn fits(address: SocketAddr, bound: SocketAddr) -> bool {
    address.ip() == bound.ip() && (address.port() == 0 || address.port() == bound.port())
}

fn bind(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
