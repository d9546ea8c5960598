//! HTTP for the demo's upstreams, in either version: hyper does the protocol, here are bounds and
//! answers.
//!
//! Not Pingora: an upstream made of the gateway's own parts would share its mistakes.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};

/// The body of an answer, whole or streamed.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body that can be sent: [`Body`], or one of another library's.
pub(super) trait Sent:
    hyper::body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static
{
}

impl<B> Sent for B where
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static
{
}

/// The largest request body read, in bytes.
pub(super) const MAX_BODY: usize = 1 << 20;

/// How long a connection may stay without a request head; longer than the gateway keeps unused
/// connections, so that it is the gateway that closes them.
const IDLE: Duration = Duration::from_secs(120);

/// How long to wait when no connection can be accepted, as when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and has `answer` answer their requests, until it is dropped.
pub(super) async fn serve<A, F, B>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Sent,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, answer.clone()))),
            Err(error) => {
                log::warn!("demo: cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection<A, F, B>(stream: TcpStream, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Sent,
{
    // Costs latency only, where it fails.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE);
    let served = http
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        log::debug!("demo: a connection ended: {error}");
    }
}

/// Why a body was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is larger than [`MAX_BODY`].
    TooLarge,
    /// It broke off, or its framing is wrong.
    Broken,
}

/// Reads a whole body, of [`MAX_BODY`] at most.
pub(super) async fn read(mut body: Incoming) -> Result<Bytes, Unread> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers are read, so that the connection can be used again, and left out.
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > MAX_BODY {
            return Err(Unread::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("the demo's own types have text for keys");
    typed(
        status,
        "application/json",
        Full::new(text.into()).boxed_unsync(),
    )
}

/// An answer of this content type.
pub(super) fn typed(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
