//! The demo's shop: a GraphQL server as async-graphql makes them, by POST, GET and WebSocket, and with its
//! answers as events for who asks for these.
//!
//! It answers whatever it is asked, as servers do that trust the gateway to have counted.

mod schema;

use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::http::{WebSocket, WebSocketProtocols, WsMessage, parse_query_string};
use async_graphql::{Request as Operation, Schema};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, future, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use schema::{Mutation, Query, Shelf, Subscription};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::serve::{self, Body};
use super::socket::{self, Socket};

/// How GraphQL goes over WebSocket.
const SUBPROTOCOL: &str = "graphql-transport-ws";

/// How it goes as events.
const EVENTS: &str = "text/event-stream";

/// The shop.
pub(super) struct Shop(Schema<Query, Mutation, Subscription>);

impl Shop {
    /// One with everything on its shelf.
    pub(super) fn new() -> Self {
        Shop(
            Schema::build(Query, Mutation, Subscription)
                .data(Arc::new(Shelf::default()))
                .finish(),
        )
    }

    /// The schema in the definition language.
    pub(super) fn definition() -> String {
        Shop::new().0.sdl()
    }

    /// Answers one request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        if socket::wanted(&request) {
            return socket::upgrade(request, Some(SUBPROTOCOL), move |socket| async move {
                subscriptions(&self.0, socket).await;
            });
        }
        let as_events = wants_events(request.headers());
        match operation(request).await {
            Ok(operation) if as_events => self.events(operation),
            Ok(operation) => serve::json(StatusCode::OK, &self.0.execute(operation).await),
            Err(why) => {
                let refused = json!({"errors": [{"message": why}]});
                serve::json(StatusCode::BAD_REQUEST, &refused)
            }
        }
    }

    /// Each result as an event, and one at the end.
    fn events(&self, operation: Operation) -> Response<Body> {
        let results = self.0.execute_stream(operation).map(|result| {
            let json = serde_json::to_string(&result).expect("a result has text for keys");
            format!("event: next\ndata: {json}\n\n")
        });
        let end = stream::iter(["event: complete\ndata:\n\n".to_owned()]);
        let frames = results
            .chain(end)
            .map(|event| Ok::<_, Infallible>(Frame::data(Bytes::from(event))));
        let body = StreamBody::new(frames).boxed_unsync();
        serve::typed(StatusCode::OK, EVENTS, body)
    }
}

/// Whether results are to be events.
fn wants_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|types| types.to_str().is_ok_and(|types| types.contains(EVENTS)))
}

/// What is to be run.
async fn operation(request: Request<Incoming>) -> Result<Operation, String> {
    if request.method() == Method::GET {
        let query = request.uri().query().unwrap_or_default();
        return parse_query_string(query).map_err(|error| error.to_string());
    }
    let body = serve::read(request.into_body())
        .await
        .map_err(|_| "the body is too large, or broke off".to_owned())?;
    serde_json::from_slice(&body).map_err(|error| format!("the body is no operation: {error}"))
}

/// Serves the operations of a WebSocket until it is closed.
async fn subscriptions(schema: &Schema<Query, Mutation, Subscription>, socket: Socket) {
    let (mut sink, messages) = socket.split();
    let texts = messages
        .take_while(|message| future::ready(matches!(message, Ok(one) if !one.is_close())))
        .filter_map(|message| future::ready(message.ok().and_then(|one| one.into_text().ok())))
        .filter(|text| future::ready(!text.is_empty()));
    let answers = WebSocket::new(
        schema.clone(),
        texts.map(|text| text.to_string().into_bytes()),
        WebSocketProtocols::GraphQLWS,
    );
    let mut answers = answers.map(|answer| match answer {
        WsMessage::Text(text) => Message::text(text),
        WsMessage::Close(code, reason) => Message::Close(Some(CloseFrame {
            code: code.into(),
            reason: reason.into(),
        })),
    });
    while let Some(answer) = answers.next().await {
        if sink.send(answer).await.is_err() {
            return;
        }
    }
    // Whoever closed first is answered; who has left already is not.
    let _ = sink.close().await;
}

#[cfg(test)]
mod tests;
