//! One exchange on an upstream connection: a head out, a head and a body back.
//!
//! It evens out Pingora's HTTP/1 and HTTP/2 client sessions, and nothing more: no retry, no
//! deadline, no metrics. Every read may be dropped while pending and asked again.

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use pingora_core::connectors::http::v2::ConnectionRef;
use pingora_core::protocols::http::v1::client::HttpSession as Http1;
use pingora_core::protocols::http::v2::client::Http2Session as Http2;
use pingora_error::{BError, Error, ErrorType};
use pingora_http::{RequestHeader, ResponseHeader};

use super::body::Writer;
use crate::wire::Handle;

/// How a body broke off after what was given out of it last, if it did.
type Broken = Option<BError>;

/// What is known of the length of an HTTP/2 head on the wire: HPACK keeps the rest to itself.
const FRAME_HEAD: usize = 9;

/// As much of a body is gathered at most before it is given out, in bytes.
const GATHER: usize = 16 << 10;

/// An exchange with one endpoint.
pub(crate) enum Session {
    /// The only exchange on its connection.
    Http1(Box<Http1>, Handle, Broken),
    /// One stream among others.
    Http2(Box<Http2>),
    /// A connection that has left HTTP, once nothing is left of what came with the head.
    Tunnel(Handle),
}

impl Session {
    /// Begins an exchange on an HTTP/1 connection.
    pub(crate) fn http1(handle: Handle) -> Self {
        handle.listen();
        Session::Http1(Box::new(Http1::new(handle.end())), handle, None)
    }

    /// Begins a stream; `None` when the connection takes no more.
    pub(crate) async fn http2(connection: &ConnectionRef) -> Result<Option<Self>, BError> {
        let stream = connection.spawn_stream().await?;
        Ok(stream.map(|s| Session::Http2(Box::new(s))))
    }

    /// Whether the endpoint will say that it wants the body, where `head` asks it to.
    pub(crate) fn will_ask(&self, head: &RequestHeader) -> bool {
        matches!(self, Session::Http1(..)) && head.headers.contains_key(EXPECT)
    }

    /// Sends the head, and with it what is known of the body.
    ///
    /// `first` is the body's beginning, or all of it when `last`; it leaves in the same system
    /// call as the head. With neither, the request has no body. Gives the way up for the rest, and
    /// how many bytes the head took.
    pub(crate) async fn send(
        &mut self,
        mut head: Box<RequestHeader>,
        first: Option<Bytes>,
        last: bool,
    ) -> Result<(Writer, usize), BError> {
        let bodiless = last && first.is_none();
        let (mut writer, length) = match self {
            Session::Http1(session, handle, _) => {
                let chunked = head.headers.contains_key(TRANSFER_ENCODING);
                let framed = chunked || head.headers.contains_key(CONTENT_LENGTH);
                handle.cork(first.is_some());
                let length = session.write_request_header(head).await?;
                handle.cork(false);
                let writer = if framed {
                    Writer::http1(handle.clone(), chunked)
                } else {
                    Writer::ended()
                };
                (writer, length)
            }
            Session::Tunnel(_) => return Err(left_http()),
            Session::Http2(session) => {
                // HTTP/2 frames bodies by itself and refuses the field (RFC 9113, 8.2.2).
                head.remove_header(&TRANSFER_ENCODING);
                // What Pingora reads of it begins with the final head: nobody would hear the 100.
                head.remove_header(&EXPECT);
                session.write_request_header(head, bodiless)?;
                match session.take_request_body_writer() {
                    Some(stream) if !bodiless => (Writer::http2(stream), FRAME_HEAD),
                    _ => return Ok((Writer::ended(), FRAME_HEAD)),
                }
            }
        };
        if let Some(first) = first {
            writer.push(first);
        }
        if last {
            writer.finish();
        }
        Ok((writer, length))
    }

    /// Reads the next response head; on HTTP/1 informational ones come first.
    pub(crate) async fn read_head(&mut self) -> Result<Box<ResponseHeader>, BError> {
        match self {
            Session::Http1(session, ..) => session.read_resp_header_parts().await,
            Session::Http2(session) => {
                session.read_response_header().await?;
                let head = session.response_header().cloned();
                head.map(Box::new).ok_or_else(|| {
                    Error::explain(ErrorType::H2Error, "the response head went missing")
                })
            }
            Session::Tunnel(_) => Err(left_http()),
        }
    }

    /// Reads the next piece of the body; `None` at its end.
    pub(crate) async fn read_chunk(&mut self) -> Result<Option<Bytes>, BError> {
        match self {
            Session::Http1(session, _, broken) => gather(session, broken).await,
            Session::Http2(session) => session.read_response_body().await,
            Session::Tunnel(handle) => match handle.read().await {
                Ok(bytes) => Ok((!bytes.is_empty()).then_some(bytes)),
                Err(error) => Error::e_because(ErrorType::ReadError, "reading a tunnel", error),
            },
        }
    }

    /// As [`Session::read_chunk`], of a connection that has left HTTP: while nobody speaks on it, no
    /// room is kept for what may come.
    pub(crate) async fn read_tunnel(&mut self) -> Result<Option<Bytes>, BError> {
        if let Session::Http1(session, handle, broken) = self {
            match gather(session, broken).now_or_never() {
                Some(read) => return read,
                None => *self = Session::Tunnel(handle.clone()),
            }
        }
        self.read_chunk().await
    }

    /// Whether the response has no more body.
    pub(crate) fn body_done(&mut self) -> Result<bool, BError> {
        match self {
            Session::Http1(session, _, broken) => Ok(broken.is_none() && session.is_body_done()),
            Session::Http2(session) => session.check_response_end_or_error(),
            Session::Tunnel(_) => Ok(false),
        }
    }

    /// Whether something may follow the body.
    pub(crate) const fn has_trailers(&self) -> bool {
        matches!(self, Session::Http2(_))
    }

    /// Trailers, where the protocol carries them.
    pub(crate) async fn trailers(&mut self) -> Result<Option<HeaderMap>, BError> {
        match self {
            Session::Http1(..) | Session::Tunnel(_) => Ok(None),
            Session::Http2(session) => session.read_trailers().await,
        }
    }

    /// Whether anything of an answer has come.
    pub(crate) fn heard(&self) -> bool {
        match self {
            Session::Http1(_, handle, _) | Session::Tunnel(handle) => handle.heard(),
            // What has come of an HTTP/2 head is h2's secret until it is whole.
            Session::Http2(_) => false,
        }
    }

    /// The way up once both sides have agreed to leave HTTP; `None` if they have not.
    pub(crate) fn tunnel(&self) -> Option<Writer> {
        match self {
            Session::Http1(session, handle, _) => session
                .was_upgraded()
                .then(|| Writer::tunnel(handle.clone())),
            Session::Http2(_) | Session::Tunnel(_) => None,
        }
    }

    /// Ends the exchange; gives back the connection if it can carry another.
    pub(crate) fn into_reusable(self) -> Option<Handle> {
        match self {
            Session::Http1(mut session, handle, _) => {
                session.respect_keepalive();
                (session.will_keepalive() && session.is_body_done()).then_some(handle)
            }
            // The connection stays shared; dropping the session releases the stream.
            Session::Http2(_) | Session::Tunnel(_) => None,
        }
    }
}

/// Nothing of HTTP happens any more on a connection that has left it.
fn left_http() -> BError {
    Error::explain(ErrorType::InternalError, "the connection has left HTTP")
}

/// Reads the next piece of a body, and with it what more of it is there already: each piece costs
/// as much as a hundred times its bytes on its further way.
async fn gather(session: &mut Http1, broken: &mut Broken) -> Result<Option<Bytes>, BError> {
    if let Some(error) = broken.take() {
        return Err(error);
    }
    let Some(first) = session.read_body_ref().await? else {
        return Ok(None);
    };
    let mut all = first.to_vec();
    while all.len() < GATHER && broken.is_none() && !session.is_body_done() {
        match session.read_body_ref().now_or_never() {
            Some(Ok(Some(more))) => all.extend_from_slice(more),
            Some(Err(error)) => *broken = Some(error),
            Some(Ok(None)) | None => break,
        }
    }
    Ok(Some(all.into()))
}
