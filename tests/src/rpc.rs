//! A gRPC server and client of tonic's whose messages are bytes as they are.
//!
//! The server does what the name of the method says, whatever the service is called; see
//! [`Server`]. Whether that is right for a gateway is not known here.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::codegen::Service;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// Services of `tests/proto/shop.proto`, whose methods do what [`Server`] does, as a
/// `google.protobuf.FileDescriptorSet`.
pub const SHOP: &[u8] = tonic::include_file_descriptor_set!("shop");

/// Messages are bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A running server; gone when dropped. What a method does:
///
/// | Method | Answer |
/// |---|---|
/// | `Echo` | each message as it comes |
/// | `Fail` | nothing but the status `x-code` (and `grpc-retry-pushback-ms: x-pushback`), until the server has been called `x-until` times: then as `Echo` |
/// | `FailLate` | the first message, then the status `x-code` |
/// | `Hang` | nothing, ever |
/// | `Drip` | the first message, then nothing more |
/// | `Check` | its health, as `grpc.health.v1.Health` has it |
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    calls: Mutex<Vec<Call>>,
    given_up: AtomicUsize,
    unwell: AtomicBool,
}

/// A call that came.
#[derive(Debug, Clone)]
pub struct Call {
    /// The path.
    pub path: String,
    /// The header fields.
    pub headers: HeaderMap,
}

impl Server {
    /// Starts one on a free port, in the clear.
    ///
    /// # Panics
    /// If loopback has no free port.
    pub async fn start() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let state = Arc::new(State::default());
        let service = Dispatch(state.clone());
        let server = tonic::transport::Server::builder()
            .serve_with_incoming(service, TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { server.await.expect("the server serves") });
        Server {
            address,
            state,
            task: task.abort_handle(),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The calls so far, without those about its health.
    ///
    /// # Panics
    /// Never: no thread panics while it holds the lock.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.state.calls.lock();
        calls
            .expect("no thread panics while it holds the lock")
            .clone()
    }

    /// How many calls ended before the server had ended them.
    pub fn given_up(&self) -> usize {
        self.state.given_up.load(Ordering::SeqCst)
    }

    /// Says that it is unwell from now on, or no longer.
    pub fn unwell(&self, unwell: bool) {
        self.state.unwell.store(unwell, Ordering::SeqCst);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Dispatch(Arc<State>);

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Service<http::Request<Body>> for Dispatch {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Boxed<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = Method {
            path: request.uri().path().to_owned(),
            state: self.0.clone(),
        };
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw).max_decoding_message_size(usize::MAX);
            Ok(grpc.streaming(method, request).await)
        })
    }
}

/// Counts as given up unless it is told otherwise.
struct Watched(Arc<State>, bool);

impl Watched {
    fn ended(mut self) {
        self.1 = true;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.1 {
            self.0.given_up.fetch_add(1, Ordering::SeqCst);
        }
    }
}

struct Method {
    path: String,
    state: Arc<State>,
}

type Messages = BoxStream<'static, Result<Bytes, Status>>;

impl tonic::server::StreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = Boxed<Result<Response<Messages>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (path, state) = (self.path.clone(), self.state.clone());
        Box::pin(async move { answer(&path, state, request).await.map(Response::new) })
    }
}

async fn answer(
    path: &str,
    state: Arc<State>,
    request: Request<Streaming<Bytes>>,
) -> Result<Messages, Status> {
    let method = path.rsplit('/').next().unwrap_or_default();
    if method == "Check" {
        let status = if state.unwell.load(Ordering::SeqCst) {
            &b"\x08\x02"[..]
        } else {
            b"\x08\x01"
        };
        return Ok(once(Bytes::from_static(status)));
    }
    let (metadata, _, mut messages) = request.into_parts();
    let headers = metadata.into_headers();
    let number = |name: &str| -> Option<usize> {
        let value = headers.get(name)?;
        value.to_str().ok()?.parse().ok()
    };
    let fault = || {
        let code = Code::from(i32::try_from(number("x-code").unwrap_or(2)).unwrap_or(2));
        let mut status = Status::new(code, "told to fail: 100% \u{fc}");
        if let Some(pushback) = headers.get("x-pushback") {
            let value = pushback.to_str().unwrap_or_default();
            let value = value.parse().expect("a test's field value");
            status
                .metadata_mut()
                .insert("grpc-retry-pushback-ms", value);
        }
        status
    };
    let called = {
        let calls = state.calls.lock();
        let mut calls = calls.expect("no thread panics while it holds the lock");
        calls.push(Call {
            path: path.to_owned(),
            headers: headers.clone(),
        });
        calls.len()
    };
    match method {
        "Fail" if called < number("x-until").unwrap_or(usize::MAX) => Err(fault()),
        "FailLate" => {
            let first = messages.message().await?.unwrap_or_default();
            let end = futures_util::stream::iter([Err(fault())]);
            // Apart, so that the message is on its way when the status is.
            let pause = futures_util::stream::once(async {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            });
            Ok(once(first)
                .chain(pause.flat_map(move |()| end.clone()))
                .boxed())
        }
        "Hang" => {
            let _watched = Watched(state, false);
            std::future::pending().await
        }
        "Drip" => {
            let first = messages.message().await?.unwrap_or_default();
            let watched = Watched(state, false);
            let never = futures_util::stream::once(async move {
                let _watched = watched;
                std::future::pending().await
            });
            Ok(once(first).chain(never).boxed())
        }
        _ => {
            let watched = Watched(state, false);
            let echoed = futures_util::stream::unfold(
                (messages, watched),
                |(mut messages, watched)| async move {
                    match messages.message().await {
                        Ok(Some(message)) => Some((Ok(message), (messages, watched))),
                        Ok(None) => {
                            watched.ended();
                            None
                        }
                        Err(status) => Some((Err(status), (messages, watched))),
                    }
                },
            );
            Ok(echoed.boxed())
        }
    }
}

fn once(message: Bytes) -> Messages {
    futures_util::stream::iter([Ok(message)]).boxed()
}

/// A client on a connection of its own.
#[derive(Debug, Clone)]
pub struct Client(Channel);

impl Client {
    /// Connects with prior knowledge.
    ///
    /// # Panics
    /// If that does not work.
    pub async fn connect(address: SocketAddr) -> Client {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"));
        let channel = endpoint.expect("an address makes a URL").connect().await;
        Client(channel.expect("the gateway accepts"))
    }

    /// Calls a method with a stream of messages.
    ///
    /// # Errors
    /// If the call failed before any message of its answer.
    ///
    /// # Panics
    /// If `path` is none.
    pub async fn call(
        &self,
        path: &str,
        request: Request<impl futures_util::Stream<Item = Bytes> + Send + 'static>,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        let mut grpc =
            tonic::client::Grpc::new(self.0.clone()).max_decoding_message_size(usize::MAX);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = path.parse().expect("a test's path");
        grpc.streaming(request, path, Raw).await
    }

    /// Calls a method with one message and reads the one it answers with.
    ///
    /// # Errors
    /// If the call failed.
    pub async fn unary(
        &self,
        path: &str,
        request: Request<&'static [u8]>,
    ) -> Result<Bytes, Status> {
        let request =
            request.map(|message| futures_util::stream::iter([Bytes::from_static(message)]));
        let mut answer = self.call(path, request).await?.into_inner();
        let message = answer.message().await?;
        // The status comes after the message.
        answer.message().await?;
        Ok(message.unwrap_or_default())
    }
}
