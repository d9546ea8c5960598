//! Addresses where no server answers: one that refuses, one that leaves connecting open.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A port that is bound but not listened on: connecting is refused, and nobody else gets it.
#[derive(Debug)]
pub struct Refusing(TcpSocket);

impl Refusing {
    pub(super) fn new() -> Refusing {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .expect("loopback has a free port");
        Refusing(socket)
    }

    /// The address that refuses.
    pub fn addr(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket has an address")
    }
}

/// A port whose accept queue is full, so that connecting gets no answer at all.
#[derive(Debug)]
pub struct Unreachable {
    listener: TcpListener,
    /// They fill the queue.
    _waiting: Vec<TcpStream>,
}

impl Unreachable {
    pub(super) async fn new() -> Unreachable {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .expect("loopback has a free port");
        let listener = socket.listen(1).expect("a bound socket can listen");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let mut waiting = Vec::new();
        // Loopback connects at once, unless the queue is full; then the kernel drops the SYN.
        while let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await
        {
            waiting.push(stream);
        }
        Unreachable {
            listener,
            _waiting: waiting,
        }
    }

    /// The address that does not answer.
    pub fn addr(&self) -> SocketAddr {
        self.listener
            .local_addr()
            .expect("a bound socket has an address")
    }
}
