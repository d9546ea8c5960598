//! A scripted HTTP/2 upstream (RFC 9113), in the clear with prior knowledge or behind TLS.
//!
//! Most of it is the `h2` crate's; where that is too polite, the frames are written here.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::record::{Opened, Received, Record};
use crate::http1::Fields;
use crate::stream::Stream;
use crate::{tls, wait};

/// What the upstream does with a request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers 200 with the request as JSON: see [`Received::echo`].
    Echo,
    /// A fixed answer.
    Answer {
        /// The status code.
        status: u16,
        /// The header fields.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
        /// The trailer fields, such as `grpc-status`.
        trailers: Vec<(String, String)>,
    },
    /// Resets the first so many requests with REFUSED_STREAM, then echoes.
    Refuse {
        /// How many.
        first: usize,
    },
    /// On the first so many connections, answers every request with a GOAWAY whose last stream is
    /// 0 (nothing was processed); then echoes.
    GoAwayUnprocessed {
        /// How many.
        connections: usize,
    },
    /// Echoes so many requests on a connection, then says GOAWAY and finishes it in order.
    GoAwayAfter {
        /// How many.
        requests: usize,
    },
    /// Resets every request with this code once it is read.
    Reset(Reason),
    /// Sends a 200 and 10 bytes, then resets the stream with this code.
    ResetAmidBody(Reason),
    /// Reads the request and never answers.
    Hang,
}

/// A running HTTP/2 upstream; gone when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    secure: bool,
    state: Arc<State>,
    task: AbortHandle,
}

#[derive(Debug)]
struct State {
    record: Arc<Record>,
    behaviour: Mutex<Behaviour>,
}

impl State {
    fn behaviour(&self) -> Behaviour {
        self.behaviour
            .lock()
            .expect("no thread panics while it holds the lock")
            .clone()
    }
}

impl Upstream {
    /// Starts one in the clear (h2c with prior knowledge).
    pub async fn start(behaviour: Behaviour) -> Upstream {
        Upstream::bind(behaviour, None).await
    }

    /// Starts one behind TLS (ALPN `h2`).
    ///
    /// # Panics
    /// If the certificate is unusable.
    pub async fn tls(certificate: &tls::Certificate, behaviour: Behaviour) -> Upstream {
        Upstream::bind(behaviour, Some(tls::acceptor(certificate, &["h2"]))).await
    }

    async fn bind(behaviour: Behaviour, acceptor: Option<openssl::ssl::SslAcceptor>) -> Upstream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let state = Arc::new(State {
            record: Arc::new(Record::default()),
            behaviour: Mutex::new(behaviour),
        });
        let secure = acceptor.is_some();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let _ = tcp.set_nodelay(true);
                let (state, acceptor) = (Arc::clone(&shared), acceptor.clone());
                connections.spawn(async move {
                    let opened = Opened::new(&state.record);
                    let stream = match acceptor {
                        None => Stream::Plain(tcp),
                        Some(acceptor) => match tls::accept(&acceptor, tcp).await {
                            Ok(stream) => stream,
                            Err(error) => return state.record.handshake_failed(error),
                        },
                    };
                    serve(stream, opened.number, &state).await;
                });
            }
        });
        Upstream {
            address,
            secure,
            state,
            task: task.abort_handle(),
        }
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
    ///
    /// # Panics
    /// Never: no thread panics while it holds the lock.
    pub fn set(&self, behaviour: Behaviour) {
        *self
            .state
            .behaviour
            .lock()
            .expect("no thread panics while it holds the lock") = behaviour;
    }

    /// What reached it.
    pub fn record(&self) -> &Record {
        &self.state.record
    }

    /// Every request whose head has been read.
    pub fn requests(&self) -> Vec<Received> {
        self.state.record.requests()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.state.record.connections()
    }

    /// Waits until so many requests have been read whole, and returns all seen.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn wait_for_requests(&self, count: usize) -> Vec<Received> {
        let what = format!("{count} requests at the HTTP/2 upstream {}", self.address);
        wait::until(what, || async {
            let requests = self.requests();
            let whole = requests.iter().filter(|request| request.complete).count();
            (whole >= count).then_some(requests)
        })
        .await
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: Stream, number: usize, state: &Arc<State>) {
    if let Behaviour::GoAwayUnprocessed { connections } = state.behaviour()
        && number < connections
    {
        // The peer's close is the only error there is.
        let _ = go_away(stream).await;
        return;
    }
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return state.record.saw_garbage();
    };
    let mut streams = JoinSet::new();
    let mut accepted = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        accepted += 1;
        let state_here = Arc::clone(state);
        streams.spawn(async move {
            // An error is the peer's way of ending the stream.
            let _ = answer(request, respond, number, &state_here).await;
        });
        if let Behaviour::GoAwayAfter { requests } = state.behaviour()
            && accepted >= requests
        {
            connection.graceful_shutdown();
        }
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    connection: usize,
    state: &State,
) -> Result<(), h2::Error> {
    let (index, received) = receive(request, connection, &state.record).await?;
    match state.behaviour() {
        Behaviour::Refuse { first } if index < first => {
            respond.send_reset(Reason::REFUSED_STREAM);
        }
        Behaviour::Reset(reason) => respond.send_reset(reason),
        Behaviour::ResetAmidBody(reason) => {
            let mut body = respond.send_response(Response::new(()), false)?;
            body.send_data(Bytes::from_static(b"0123456789"), false)?;
            // A reset overtakes data still queued: the peer shall see the ten bytes.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            body.send_reset(reason);
        }
        Behaviour::Hang => {
            // Resolves when the peer resets the stream; the connection's end aborts the task.
            std::future::poll_fn(|cx| respond.poll_reset(cx)).await?;
        }
        Behaviour::Answer {
            status,
            headers,
            body,
            trailers,
        } => {
            let mut head = Response::new(());
            *head.status_mut() = http::StatusCode::from_u16(status).expect("a test's status");
            *head.headers_mut() = map(&headers);
            let mut stream = respond.send_response(head, false)?;
            stream.send_data(body.into(), trailers.is_empty())?;
            if !trailers.is_empty() {
                stream.send_trailers(map(&trailers))?;
            }
        }
        Behaviour::Echo
        | Behaviour::Refuse { .. }
        | Behaviour::GoAwayUnprocessed { .. }
        | Behaviour::GoAwayAfter { .. } => {
            let mut head = Response::new(());
            let json = HeaderValue::from_static("application/json");
            head.headers_mut().insert(http::header::CONTENT_TYPE, json);
            let mut stream = respond.send_response(head, false)?;
            stream.send_data(received.echo().to_string().into(), true)?;
        }
    }
    Ok(())
}

/// Reads a request whole, remembering it as it comes.
async fn receive(
    request: Request<RecvStream>,
    connection: usize,
    record: &Record,
) -> Result<(usize, Received), h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut headers = fields(&head.headers);
    if let Some(authority) = head.uri.authority() {
        headers.0.insert(0, ("host".into(), authority.to_string()));
    }
    let target = head
        .uri
        .path_and_query()
        .map_or("*", |target| target.as_str());
    let index = record.add(Received {
        connection,
        method: head.method.to_string(),
        target: target.to_owned(),
        version: "HTTP/2".to_owned(),
        headers,
        ..Received::default()
    });
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        record.extend(index, &piece);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let received = record.update(index, |request| {
        request.trailers = fields(&trailers);
        request.complete = true;
    });
    Ok((index, received))
}

const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const ACK: u8 = 1;

/// Speaks just enough HTTP/2 to say that no stream was processed.
async fn go_away(mut stream: Stream) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    stream
        .write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0])
        .await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        match (head[3], head[4]) {
            (SETTINGS, flags) if flags & ACK == 0 => {
                stream
                    .write_all(&[0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0])
                    .await?;
            }
            (HEADERS, _) => {
                // Length 8, type 7; last stream 0, NO_ERROR.
                let frame = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                stream.write_all(&frame).await?;
            }
            _ => {}
        }
    }
}

fn fields(map: &HeaderMap) -> Fields {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    Fields(map.iter().map(pair).collect())
}

fn map(pairs: &[(String, String)]) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        let name = HeaderName::try_from(name.as_str()).expect("a test's field name");
        let value = HeaderValue::try_from(value.as_str()).expect("a test's field value");
        (name, value)
    };
    pairs.iter().map(pair).collect()
}
