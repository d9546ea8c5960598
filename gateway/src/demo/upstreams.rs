//! The demo's HTTP upstreams, on a thread of their own: the gateway's threads do the gateway's
//! work only, as they would with upstreams elsewhere.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{self, Runtime};

use super::chat::Chat;
use super::model::Model;
use super::shop::Shop;
use super::{echo, greeter, serve};

/// The upstreams, served until this is dropped.
pub(super) struct Upstreams {
    /// Where the echo listens.
    pub(super) echo: SocketAddr,
    /// Where the greeter listens.
    pub(super) greeter: SocketAddr,
    /// Where the shop listens.
    pub(super) shop: SocketAddr,
    /// Where the chat listens.
    pub(super) chat: SocketAddr,
    /// Where the model listens.
    pub(super) model: SocketAddr,
    /// The key the model asks for; another one every time.
    pub(super) model_key: String,
    /// Where connections are refused.
    pub(super) broken: SocketAddr,
    _refusing: TcpSocket,
    _runtime: Runtime,
}

impl Upstreams {
    /// Starts them on free ports of the loopback address.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("demo-upstreams")
            .enable_all()
            .build()?;
        let model_key = secret()?;
        let model = Arc::new(Model::new(&model_key));
        let (shop, chat) = (Arc::new(Shop::new()), Arc::new(Chat::default()));
        let greeter = runtime.block_on(greeter::service());
        let refusing = refusing()?;
        let broken = refusing.local_addr()?;
        Ok(Upstreams {
            echo: serving(&runtime, echo::answer)?,
            greeter: serving(&runtime, greeter)?,
            shop: serving(&runtime, move |request| shop.clone().answer(request))?,
            chat: serving(&runtime, move |request| chat.clone().answer(request))?,
            model: serving(&runtime, move |request| model.clone().answer(request))?,
            model_key,
            broken,
            _refusing: refusing,
            _runtime: runtime,
        })
    }
}

/// A free port of the loopback address, where `answer` answers.
fn serving<A, F, B>(runtime: &Runtime, answer: A) -> io::Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: serve::Sent,
{
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    runtime.spawn(serve::serve(listener, answer));
    Ok(address)
}

/// A socket that holds a port without listening on it: connections are refused for as long as it
/// lives, as nobody else can be given the port.
fn refusing() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    Ok(socket)
}

/// 128 random bits, in hexadecimal.
fn secret() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn the_upstreams_accept_and_the_broken_one_refuses() {
        let upstreams = Upstreams::start().unwrap();
        for listening in [
            upstreams.echo,
            upstreams.greeter,
            upstreams.shop,
            upstreams.chat,
            upstreams.model,
        ] {
            TcpStream::connect(listening).unwrap();
        }
        let refused = TcpStream::connect(upstreams.broken).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn every_demo_has_a_model_key_of_its_own() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
