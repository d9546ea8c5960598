//! The server behind every contender: a keep-alive HTTP/1.1 server that writes prepared bytes, and
//! echoes over WebSocket and, at an address of their own, over gRPC.
//!
//! It runs in a process of its own, so that its CPU time is nobody's, and does as little as the
//! framing allows, so that it is not the bottleneck. It checks nothing: the load generator does.

pub mod grpc;
pub mod websocket;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task;

use crate::answer::anthropic;
use crate::failure::Failure;
use crate::wire::{Connection, find};
use crate::{answer, case, clock, sink, words};

/// What the upstream process serves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where it answers HTTP.
    pub address: SocketAddr,
    /// Where it answers gRPC.
    pub grpc: SocketAddr,
    /// Where it takes spans over OTLP.
    pub sink: SocketAddr,
    /// The pause before each event of a stream but the first; none if zero.
    pub stream_gap: Duration,
}

/// Serves until the process is stopped.
pub fn serve(options: Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::during("cannot start the upstream's runtime"))?;
    task::LocalSet::new()
        .block_on(&runtime, accept(options))
        .map_err(Failure::during(format_args!(
            "the upstream cannot listen on {}, {} and {}",
            options.address, options.grpc, options.sink
        )))
}

async fn accept(options: Options) -> io::Result<()> {
    let spans = TcpListener::bind(options.sink).await?;
    task::spawn_local(sink::serve(spans));
    let calls = TcpListener::bind(options.grpc).await?;
    task::spawn_local(grpc::serve(calls, "0"));
    let listener = TcpListener::bind(options.address).await?;
    let answers = Rc::new(Answers::prepare(options.stream_gap));
    loop {
        let (socket, _) = listener.accept().await?;
        let answers = Rc::clone(&answers);
        // A peer that goes away in the middle is a contender being stopped, or a failure that
        // the load generator reports from its own side.
        task::spawn_local(async move { answers.converse(socket).await.ok() });
    }
}

/// Every answer as it goes over the wire, head and framing included.
struct Answers {
    plain: Vec<u8>,
    completion: Vec<u8>,
    stream: Vec<Vec<u8>>,
    stream_with_usage: Vec<Vec<u8>>,
    message: Vec<u8>,
    message_stream: Vec<Vec<u8>>,
    gap: Duration,
}

/// What a request head asks for.
enum Asked {
    Plain,
    Chat,
    Message,
    /// To leave HTTP, by this head.
    Socket(Vec<u8>),
    Nothing,
}

impl Answers {
    fn prepare(gap: Duration) -> Self {
        Self {
            plain: sized("application/octet-stream", &answer::plain()),
            completion: sized("application/json", answer::completion().as_bytes()),
            stream: chunked(&answer::events(false)),
            stream_with_usage: chunked(&answer::events(true)),
            message: sized("application/json", anthropic::message().as_bytes()),
            message_stream: chunked(&anthropic::events()),
            gap,
        }
    }

    async fn converse(&self, socket: TcpStream) -> io::Result<()> {
        let mut connection = Connection::new(socket)?;
        let mut body = Vec::with_capacity(4096);
        while let Some((asked, framing)) = connection.head(asked).await? {
            body.clear();
            connection
                .body(framing, |piece| body.extend_from_slice(piece))
                .await?;
            match asked {
                Asked::Plain => connection.send(&self.plain).await?,
                Asked::Chat => self.chat(&mut connection, &body).await?,
                Asked::Message => self.message(&mut connection, &body).await?,
                Asked::Socket(head) => {
                    return websocket::converse(&mut connection, &head).await;
                }
                Asked::Nothing => connection.send(NOT_FOUND).await?,
            }
        }
        Ok(())
    }

    async fn chat(&self, connection: &mut Connection, body: &[u8]) -> io::Result<()> {
        if !says_true(body, b"\"stream\"") {
            return connection.send(&self.completion).await;
        }
        let frames = if says_true(body, b"\"include_usage\"") {
            &self.stream_with_usage
        } else {
            &self.stream
        };
        if find(body, b"\"stamped\"").is_some() {
            self.stamped(connection, frames).await
        } else {
            self.stream(connection, frames, body).await
        }
    }

    async fn message(&self, connection: &mut Connection, body: &[u8]) -> io::Result<()> {
        if says_true(body, b"\"stream\"") {
            self.stream(connection, &self.message_stream, body).await
        } else {
            connection.send(&self.message).await
        }
    }

    async fn stream(
        &self,
        connection: &mut Connection,
        frames: &[Vec<u8>],
        body: &[u8],
    ) -> io::Result<()> {
        if find(body, b"\"at-once\"").is_some() {
            return connection.send(&frames.concat()).await;
        }
        for (index, frame) in frames.iter().enumerate() {
            self.pause(index).await;
            connection.send(frame).await?;
        }
        Ok(())
    }

    /// A stream whose words are the times at which they are written.
    async fn stamped(&self, connection: &mut Connection, frames: &[Vec<u8>]) -> io::Result<()> {
        for (index, frame) in frames.iter().enumerate() {
            self.pause(index).await;
            if (1..answer::DELTAS).contains(&index) {
                let event = answer::stamped(clock::nanoseconds());
                connection.send(&chunk(&event)).await?;
            } else {
                connection.send(frame).await?;
            }
        }
        Ok(())
    }

    async fn pause(&self, index: usize) {
        if index > 0 && !self.gap.is_zero() {
            tokio::time::sleep(self.gap).await;
        }
    }
}

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

fn asked(head: &[u8]) -> Asked {
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    match target {
        b"/get" | b"/post" => Asked::Plain,
        _ if target == case::CHAT_PATH.as_bytes() => Asked::Chat,
        b"/v1/messages" => Asked::Message,
        _ if target == words::SOCKET.as_bytes() => Asked::Socket(head.to_vec()),
        _ => Asked::Nothing,
    }
}

/// Whether the member `name` (quotes included) is `true`, however the JSON is spaced.
fn says_true(json: &[u8], name: &[u8]) -> bool {
    find(json, name).is_some_and(|at| {
        json[at + name.len()..]
            .trim_ascii_start()
            .strip_prefix(b":")
            .is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

fn sized(media_type: &str, body: &[u8]) -> Vec<u8> {
    let mut wire = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    wire.extend_from_slice(body);
    wire
}

/// One write per event, each a chunk of its own, as model servers send them; the head goes with
/// the first and the terminator with the last.
fn chunked(events: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut writes: Vec<Vec<u8>> = events.iter().map(|event| chunk(event)).collect();
    if let Some(first) = writes.first_mut() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                     Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
        first.splice(0..0, head.iter().copied());
    }
    if let Some(last) = writes.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    writes
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let mut wire = format!("{:x}\r\n", data.len()).into_bytes();
    wire.extend_from_slice(data);
    wire.extend_from_slice(b"\r\n");
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_does_not_hide_what_is_asked() {
        for json in [br#"{"stream":true}"#.as_slice(), b"{\"stream\" :\n true}"] {
            assert!(says_true(json, b"\"stream\""));
        }
        for json in [
            br#"{"stream":false}"#.as_slice(),
            br#"{"stream_options":{"include_usage":true}}"#,
            b"",
        ] {
            assert!(!says_true(json, b"\"stream\""));
        }
    }
}
