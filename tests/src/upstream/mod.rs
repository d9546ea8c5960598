//! Upstreams that do exactly what a test scripts, well-behaved or not, and remember what reached
//! them.
//!
//! [`Upstream`] speaks HTTP/1 over raw TCP or TLS, [`http2::Upstream`] HTTP/2. They know nothing
//! of the gateway.

mod behaviour;
mod connection;
mod dead;
pub mod http2;
mod record;
pub(crate) mod wire_format;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::stream::Stream;
use crate::{tls, wait};

pub use behaviour::{Behaviour, Step, When};
pub use dead::{Refusing, Unreachable};
pub use record::{Received, Record};

/// A scripted HTTP/1 upstream on a loopback port of its own; gone when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    secure: bool,
    record: Arc<Record>,
    script: Arc<connection::Script>,
    task: AbortHandle,
}

impl Upstream {
    /// Starts one that behaves like this on every request.
    pub async fn start(behaviour: Behaviour) -> Upstream {
        Upstream::sequence([behaviour]).await
    }

    /// Starts one that behaves like the first on the first request, and so on; the last repeats.
    /// Requests are counted over all connections.
    ///
    /// # Panics
    /// If there is no behaviour.
    pub async fn sequence(behaviours: impl IntoIterator<Item = Behaviour>) -> Upstream {
        Upstream::bind(loopback(), behaviours, None).await
    }

    /// Starts one at the address of another that has been stopped.
    ///
    /// # Panics
    /// If somebody else listens there.
    pub async fn start_at(address: SocketAddr, behaviour: Behaviour) -> Upstream {
        Upstream::bind(address, [behaviour], None).await
    }

    /// [`Upstream::sequence`] behind TLS with this certificate (ALPN `http/1.1`).
    ///
    /// # Panics
    /// If there is no behaviour, or the certificate is unusable.
    pub async fn tls(
        certificate: &tls::Certificate,
        behaviours: impl IntoIterator<Item = Behaviour>,
    ) -> Upstream {
        let acceptor = tls::acceptor(certificate, &["http/1.1"]);
        Upstream::bind(loopback(), behaviours, Some(acceptor)).await
    }

    async fn bind(
        address: SocketAddr,
        behaviours: impl IntoIterator<Item = Behaviour>,
        acceptor: Option<openssl::ssl::SslAcceptor>,
    ) -> Upstream {
        let listener = TcpListener::bind(address)
            .await
            .unwrap_or_else(|error| panic!("{address} cannot be listened on: {error}"));
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let record = Arc::new(Record::default());
        let script = Arc::new(connection::Script::new(behaviours));
        let secure = acceptor.is_some();
        let (seen, lines) = (Arc::clone(&record), Arc::clone(&script));
        let task = tokio::spawn(async move {
            // Dropped with the task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let _ = tcp.set_nodelay(true);
                let (record, script, acceptor) =
                    (Arc::clone(&seen), Arc::clone(&lines), acceptor.clone());
                connections.spawn(async move {
                    let opened = record::Opened::new(&record);
                    let stream = match acceptor {
                        None => Stream::Plain(tcp),
                        Some(acceptor) => match tls::accept(&acceptor, tcp).await {
                            Ok(stream) => stream,
                            Err(error) => return record.handshake_failed(error),
                        },
                    };
                    connection::serve(stream, opened.number, &script, &record).await;
                });
            }
        });
        Upstream {
            address,
            secure,
            record,
            script,
            task: task.abort_handle(),
        }
    }

    /// An address where nobody listens; held, so that nobody else can.
    pub fn refusing() -> Refusing {
        Refusing::new()
    }

    /// An address where connecting neither succeeds nor fails.
    pub async fn unreachable() -> Unreachable {
        Unreachable::new().await
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// Behaves like this from the next request on.
    pub fn set(&self, behaviour: Behaviour) {
        self.script.replace([behaviour]);
    }

    /// [`Upstream::sequence`], counted from the next request on.
    ///
    /// # Panics
    /// If there is no behaviour.
    pub fn set_sequence(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.script.replace(behaviours);
    }

    /// What reached it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Every request whose head has been read, in the order of their heads.
    pub fn requests(&self) -> Vec<Received> {
        self.record.requests()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.record.connections()
    }

    /// How many of them are open.
    pub fn open_connections(&self) -> usize {
        self.record.open()
    }

    /// Waits until so many requests have been read whole, and returns all seen.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn wait_for_requests(&self, count: usize) -> Vec<Received> {
        let what = format!("{count} requests at the upstream {}", self.address);
        wait::until(what, || async {
            let requests = self.requests();
            let whole = requests.iter().filter(|request| request.complete).count();
            (whole >= count).then_some(requests)
        })
        .await
    }

    /// Waits until every connection made to it has been closed.
    ///
    /// # Panics
    /// If one stays open.
    pub async fn wait_for_close(&self) {
        let what = format!("the connections of the upstream {} to close", self.address);
        wait::until_true(what, || self.open_connections() == 0).await;
    }

    /// Stops listening and closes every connection; [`Upstream::start_at`] brings it back.
    ///
    /// # Panics
    /// If a connection stays open.
    pub async fn stop(self) {
        self.task.abort();
        wait::until_true("the upstream to stop", || {
            self.task.is_finished() && self.open_connections() == 0
        })
        .await;
    }
}

/// Any free port on loopback.
fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
