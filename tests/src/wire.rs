//! A raw HTTP/1 client: sends exactly the bytes given, in the pieces given, and reads what comes.
//!
//! It corrects nothing and retries nothing, so that a test sees what the gateway really did.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http1::{Fields, Framing, Head, Reader};
use crate::stream::Stream;
use crate::{tls, wait};

/// A response as it came over the wire.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Fields,
    /// The body, without chunk framing; what came of it, if it was cut.
    pub body: Vec<u8>,
    /// The trailer fields.
    pub trailers: Fields,
    /// Interim responses (1xx) before this one: their status codes.
    pub interim: Vec<u16>,
    /// `None` if the body ended as its framing said, otherwise what happened instead.
    pub broken: Option<io::ErrorKind>,
    /// Whether the connection was seen closed after the response. `true` is certain; `false`
    /// means that the response promised no close (see [`Connection::expect_close`]).
    pub closed: bool,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The first value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// A connection to whatever listens at an address.
#[derive(Debug)]
pub struct Connection {
    reader: Reader<Stream>,
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// If nobody accepts.
    pub async fn open(address: SocketAddr) -> Connection {
        let tcp = wait::for_end(format!("a connection to {address}"), connect(address)).await;
        Connection {
            reader: Reader::new(Stream::Plain(tcp)),
        }
    }

    /// Connects to who may not be there.
    ///
    /// # Errors
    /// If nobody accepts.
    pub async fn try_open(address: SocketAddr) -> io::Result<Connection> {
        let tcp = TcpStream::connect(address).await?;
        Ok(Connection {
            reader: Reader::new(Stream::Plain(tcp)),
        })
    }

    /// Connects with TLS.
    ///
    /// # Errors
    /// What the handshake failed with.
    ///
    /// # Panics
    /// If nobody accepts the TCP connection.
    pub async fn open_tls(
        address: SocketAddr,
        client: &tls::Client<'_>,
    ) -> Result<Connection, String> {
        let tcp = wait::for_end(format!("a connection to {address}"), connect(address)).await;
        let handshake = tls::connect(client, tcp);
        let stream = wait::for_end("the TLS handshake", handshake).await?;
        Ok(Connection {
            reader: Reader::new(stream),
        })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// If the peer has closed; a test that sends malformed bytes may well expect that.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let stream = self.reader.stream();
        stream.write_all(bytes.as_ref()).await?;
        stream.flush().await
    }

    /// Sends pieces, each in a TCP segment of its own as far as the kernel allows.
    ///
    /// # Errors
    /// If the peer closes meanwhile.
    pub async fn send_pieces<B: AsRef<[u8]>>(
        &mut self,
        pieces: impl IntoIterator<Item = B>,
    ) -> io::Result<()> {
        for piece in pieces {
            self.send(piece).await?;
            // Nagle is off; this lets the peer run between two pieces.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Says that nothing more will be sent, and goes on reading.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.reader.stream().shutdown().await
    }

    /// Reads one response (after its interim ones).
    ///
    /// # Panics
    /// If none comes: the connection closes, or nothing arrives before the deadline.
    pub async fn response(&mut self) -> Response {
        self.response_to("GET").await
    }

    /// [`Connection::response`] to a request of that method: `HEAD` has no body to wait for.
    ///
    /// # Panics
    /// As [`Connection::response`].
    pub async fn response_to(&mut self, method: &str) -> Response {
        self.try_response_to(method)
            .await
            .unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// [`Connection::response_to`], with the failure for the caller to look at.
    ///
    /// # Errors
    /// `UnexpectedEof` if the connection closes before a whole head, `InvalidData` if the head is
    /// malformed, or what the connection gives.
    pub async fn try_response_to(&mut self, method: &str) -> io::Result<Response> {
        let mut interim = Vec::new();
        loop {
            let head = self.head().await?;
            match status(&head)? {
                code @ 100..=199 if code != 101 => interim.push(code),
                code => return self.rest(method, code, head, interim).await,
            }
        }
    }

    /// Reads only a head: for streams, whose body is read with [`Connection::read`].
    ///
    /// # Errors
    /// As [`Connection::try_response_to`].
    pub async fn head(&mut self) -> io::Result<Head> {
        let head = wait::for_end("a response head", self.reader.head()).await?;
        head.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection closed before a response",
            )
        })
    }

    /// The next bytes, as they are on the wire; empty when the peer has closed.
    ///
    /// # Errors
    /// What the connection gives, such as a reset.
    pub async fn read(&mut self) -> io::Result<Vec<u8>> {
        let ahead = self.reader.take();
        if !ahead.is_empty() {
            return Ok(ahead);
        }
        wait::for_end("bytes or the end", self.reader.fill()).await?;
        Ok(self.reader.take())
    }

    /// Reads until what has come (from here on) contains `needle`, and returns it.
    ///
    /// # Panics
    /// If the connection ends before.
    pub async fn read_until(&mut self, needle: &str) -> String {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(needle) {
            let piece = self.read().await.unwrap_or_else(|error| {
                panic!("{error} before {needle:?}, after {:?}", lossy(&seen))
            });
            assert!(
                !piece.is_empty(),
                "closed before {needle:?}, after {:?}",
                lossy(&seen)
            );
            seen.extend(piece);
        }
        lossy(&seen)
    }

    /// Everything until the peer closes; a reset counts as a close.
    ///
    /// # Panics
    /// If it does not close.
    pub async fn read_to_close(&mut self) -> Vec<u8> {
        let mut seen = Vec::new();
        while let Ok(piece) = self.read().await {
            if piece.is_empty() {
                break;
            }
            seen.extend(piece);
        }
        seen
    }

    /// The peer closes without another byte.
    ///
    /// # Panics
    /// If it sends something, or stays open until the deadline.
    pub async fn expect_close(&mut self) {
        let rest = self.read_to_close().await;
        assert!(
            rest.is_empty(),
            "bytes before the close: {:?}",
            lossy(&rest)
        );
    }

    /// Ends the connection with a TCP reset.
    pub fn reset(self) {
        self.reader.into_parts().0.reset();
    }

    /// The stream, with the bytes read ahead of it, to speak something else over it.
    pub fn into_parts(self) -> (Stream, Vec<u8>) {
        self.reader.into_parts()
    }

    async fn rest(
        &mut self,
        method: &str,
        status: u16,
        head: Head,
        interim: Vec<u16>,
    ) -> io::Result<Response> {
        let bodiless = method == "HEAD" || matches!(status, 101 | 204 | 304);
        let framing = match bodiless {
            true => Framing::Length(0),
            false => Framing::of(&head.fields, Framing::UntilClose)?,
        };
        let mut body = Vec::new();
        let mut sink = |piece: &[u8]| body.extend_from_slice(piece);
        let ended = wait::for_end("the response body", self.reader.body(framing, &mut sink)).await;
        let (trailers, broken) = match ended {
            Ok(trailers) => (trailers, None),
            Err(error) => (Fields::default(), Some(error.kind())),
        };
        let closes = framing == Framing::UntilClose || head.fields.has_token("connection", "close");
        if broken.is_none() && closes {
            self.expect_close().await;
        }
        Ok(Response {
            status,
            headers: head.fields,
            body,
            trailers,
            interim,
            closed: closes || broken.is_some(),
            broken,
        })
    }
}

/// Sends these bytes on a new connection and reads one response.
///
/// # Panics
/// If no response comes.
pub async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Response {
    exchange_pieces(address, [bytes]).await
}

/// [`exchange`] with the bytes in pieces. A peer that answers and closes before it has read all
/// of them is no error.
///
/// # Panics
/// If no response comes.
pub async fn exchange_pieces<B: AsRef<[u8]>>(
    address: SocketAddr,
    pieces: impl IntoIterator<Item = B>,
) -> Response {
    let pieces: Vec<B> = pieces.into_iter().collect();
    let method = pieces
        .first()
        .map(|first| lossy(first.as_ref()))
        .and_then(|first| first.split(' ').next().map(str::to_owned))
        .unwrap_or_default();
    let mut connection = Connection::open(address).await;
    // An early refusal may close the connection while we still send.
    let _ = connection.send_pieces(pieces).await;
    connection.response_to(&method).await
}

/// A GET with nothing but a Host field, on a connection of its own.
///
/// # Panics
/// If no response comes.
pub async fn get(address: SocketAddr, target: &str) -> Response {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    exchange(address, request).await
}

/// A request with these header lines (without line ends) and body, on a connection of its own;
/// `Host` and `Content-Length` are added unless given.
///
/// # Panics
/// If no response comes.
pub async fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[&str],
    body: impl AsRef<[u8]>,
) -> Response {
    exchange(
        address,
        message(address, method, target, headers, body.as_ref()),
    )
    .await
}

/// The bytes of such a request.
pub fn message(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &[u8],
) -> Vec<u8> {
    let given = |name: &str| {
        headers.iter().any(|line| {
            line.split(':')
                .next()
                .is_some_and(|key| key.eq_ignore_ascii_case(name))
        })
    };
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !given("host") {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    if !body.is_empty() && !given("content-length") && !given("transfer-encoding") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

async fn connect(address: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(address)
        .await
        .unwrap_or_else(|error| panic!("nobody accepts at {address}: {error}"));
    // Without effect only where segments do not matter to the test anyway.
    let _ = tcp.set_nodelay(true);
    tcp
}

fn status(head: &Head) -> io::Result<u16> {
    let mut words = head.start.split(' ');
    let version = words.next().unwrap_or_default();
    let code = words.next().and_then(|code| code.parse().ok());
    match code {
        Some(code) if version.starts_with("HTTP/1.") => Ok(code),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no status line: {:?}", head.start),
        )),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
