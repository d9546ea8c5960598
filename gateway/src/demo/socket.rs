//! The upgrade of a request to a WebSocket, for the demo's upstreams: tungstenite does the protocol.
//!
//! It refuses to know what is said.

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::serve::{self, Body};

/// A connection that has become a WebSocket.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The largest message taken, in bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// Whether the request asks for another protocol.
pub(super) fn wanted<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(header::UPGRADE)
}

/// Answers the handshake, and has `talk` do the rest once the connection is a WebSocket. Of the
/// subprotocols, `subprotocol` is chosen.
pub(super) fn upgrade<F>(
    mut request: Request<Incoming>,
    subprotocol: Option<&'static str>,
    talk: impl FnOnce(Socket) -> F + Send + 'static,
) -> Response<Body>
where
    F: Future<Output = ()> + Send,
{
    let answered = create_response_with_body(&request, || Empty::new().boxed_unsync());
    let Ok(mut response) = answered else {
        let why = serde_json::json!({"error": "this is no handshake of a WebSocket"});
        return serve::json(StatusCode::BAD_REQUEST, &why);
    };
    if let Some(chosen) = subprotocol {
        response.headers_mut().insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(chosen),
        );
    }
    tokio::spawn(async move {
        match hyper::upgrade::on(&mut request).await {
            Ok(upgraded) => {
                let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE));
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                talk(socket).await;
            }
            Err(error) => log::debug!("demo: a connection did not become a WebSocket: {error}"),
        }
    });
    response
}
