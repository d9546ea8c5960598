//! The demo's chat: rooms over WebSocket, and a page to try them in a browser.
//!
//! What is said in a room all in it are told, as it came. That it is JSON of a certain shape and
//! comes at a bearable rate is the gateway's business.

mod rooms;

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use rooms::{Room, Rooms};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;

use super::serve::{self, Body};
use super::socket::{self, Socket};

const PAGE: &str = include_str!("page.html");

/// Where the page is.
const PAGE_PATH: &str = "/rooms";

/// What the names of rooms come after.
const ROOMS: &str = "/rooms/";

/// The longest name of a room, in bytes.
const MAX_NAME: usize = 64;

/// The chat.
#[derive(Debug, Default)]
pub(super) struct Chat(Rooms);

impl Chat {
    /// Answers one request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let refused = |status, why: &str| serve::json(status, &json!({"error": why}));
        let path = request.uri().path();
        if path == PAGE_PATH && request.method() == Method::GET {
            let page = Full::new(PAGE.into()).boxed_unsync();
            return serve::typed(StatusCode::OK, "text/html; charset=utf-8", page);
        }
        let name = path.strip_prefix(ROOMS).unwrap_or_default();
        if name.is_empty() || name.len() > MAX_NAME {
            let why = "the chat is at /rooms, a room at /rooms/NAME";
            return refused(StatusCode::NOT_FOUND, why);
        }
        if !socket::wanted(&request) {
            let why = "a room is entered by a WebSocket";
            return refused(StatusCode::UPGRADE_REQUIRED, why);
        }
        let Some(room) = self.0.room(name) else {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "there are too many rooms");
        };
        socket::upgrade(request, None, move |socket| async move {
            if let Err(error) = talk(socket, &room).await {
                log::debug!("demo: somebody left the chat: {error}");
            }
        })
    }
}

/// Passes what is said both ways, until the connection is closed.
async fn talk(mut socket: Socket, room: &Room) -> Result<(), Error> {
    let (last, mut said) = room.enter();
    for text in last {
        socket.send(Message::text(&*text)).await?;
    }
    loop {
        tokio::select! {
            // First what was said before: who says something and leaves is told it all the same.
            biased;
            text = said.recv() => match text {
                Ok(text) => socket.send(Message::text(&*text)).await?,
                // too slow a reader misses something, and nobody waits for it
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => room.say(&text),
                Some(Ok(_)) => {}
                Some(Err(Error::ConnectionClosed)) | None => return Ok(()),
                Some(Err(error)) => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests;
