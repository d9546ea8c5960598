//! What an upstream does with a request: a script of steps, and the usual scripts by name.
//!
//! A behaviour is a function from the request to steps, so that a test can write any it needs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::record::Received;
use super::wire_format::{LAST_CHUNK, chunk, chunked_head, head, response};

/// When a script begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As soon as the connection is accepted, before a byte of the request is read.
    Connected,
    /// Once the head is read; the body is left unread until the script is over.
    Head,
    /// Once the body is read too. `Expect: 100-continue` is obeyed before.
    Whole,
}

/// One step of a script. After the last one the connection awaits another request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Waits.
    Pause(Duration),
    /// Sends a piece again and again, with a pause after each; `None`: until the peer is gone.
    Repeat {
        /// What is sent.
        piece: Vec<u8>,
        /// The pause after each.
        every: Duration,
        /// How often.
        times: Option<usize>,
    },
    /// Reads and drops whatever comes until the peer closes, and answers nothing.
    Hang,
    /// Does nothing for ever: reads nothing, so that the peer's writes back up.
    Deaf,
    /// Closes the connection in order.
    Close,
    /// Resets the connection.
    Reset,
    /// From here on, echoes WebSocket messages (the 101 has been sent by an earlier step).
    WebSocketEcho,
}

type Scripted = dyn Fn(&Received) -> Vec<Step> + Send + Sync;

/// A script for a request.
#[derive(Clone)]
pub struct Behaviour {
    pub(super) when: When,
    pub(super) script: Arc<Scripted>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("when", &self.when)
            .finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Any script, made from the request. With [`When::Connected`] the request is empty, with
    /// [`When::Head`] its body is.
    pub fn new(
        when: When,
        script: impl Fn(&Received) -> Vec<Step> + Send + Sync + 'static,
    ) -> Behaviour {
        Behaviour {
            when,
            script: Arc::new(script),
        }
    }

    /// The same steps for every request, once it is read whole.
    pub fn steps(steps: impl Into<Vec<Step>>) -> Behaviour {
        let steps = steps.into();
        Behaviour::new(When::Whole, move |_| steps.clone())
    }

    /// The same script at another time.
    #[must_use]
    pub fn at(self, when: When) -> Behaviour {
        Behaviour { when, ..self }
    }

    /// A fixed answer with these header lines (without line ends); `Content-Length` is added.
    pub fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Behaviour {
        Behaviour::steps([Step::Send(response(status, headers, body.as_ref()))])
    }

    /// Answers 200 with the request as JSON: see [`Received::echo`].
    pub fn echo() -> Behaviour {
        Behaviour::new(When::Whole, |request| {
            let body = request.echo().to_string();
            vec![Step::Send(response(
                200,
                &["Content-Type: application/json"],
                body.as_bytes(),
            ))]
        })
    }

    /// Reads the request and never answers.
    pub fn hang() -> Behaviour {
        Behaviour::steps([Step::Hang])
    }

    /// Accepts the connection and never reads a byte from it.
    pub fn deaf() -> Behaviour {
        Behaviour::steps([Step::Deaf]).at(When::Connected)
    }

    /// Accepts the connection and resets it at once.
    pub fn reset_on_accept() -> Behaviour {
        Behaviour::steps([Step::Reset]).at(When::Connected)
    }

    /// Resets the connection when the request is read, without a byte of an answer.
    pub fn reset_before_head() -> Behaviour {
        Behaviour::steps([Step::Reset])
    }

    /// Closes the connection in order when the request is read, without a byte of an answer: as
    /// the second of a sequence, this is the keep-alive race.
    pub fn close_before_head() -> Behaviour {
        Behaviour::steps([Step::Close])
    }

    /// Resets the connection in the middle of the response head.
    pub fn reset_amid_head() -> Behaviour {
        let part = b"HTTP/1.1 200 OK\r\nContent-Type: text/pl".to_vec();
        Behaviour::steps([Step::Send(part), Step::Pause(SETTLE), Step::Reset])
    }

    /// Resets the connection in the middle of the response body (10 of 100 bytes sent).
    pub fn reset_amid_body() -> Behaviour {
        Behaviour::steps([Step::Send(short_body()), Step::Pause(SETTLE), Step::Reset])
    }

    /// Closes in order after 10 of the 100 bytes announced.
    pub fn short_body() -> Behaviour {
        Behaviour::steps([Step::Send(short_body()), Step::Close])
    }

    /// Closes in order inside a chunked body, after one whole chunk `0123456789`.
    pub fn short_chunks() -> Behaviour {
        Behaviour::steps([
            Step::Send(chunked_head(&[])),
            Step::Send(chunk(b"0123456789")),
            Step::Close,
        ])
    }

    /// Sends a chunked body whose second chunk size is no number.
    pub fn bad_chunk() -> Behaviour {
        Behaviour::steps([
            Step::Send(chunked_head(&[])),
            Step::Send(chunk(b"0123456789")),
            Step::Send(b"zz\r\n".to_vec()),
            Step::Hang,
        ])
    }

    /// The same, all of it in one piece.
    pub fn bad_chunk_at_once() -> Behaviour {
        let all = [&chunked_head(&[]), &chunk(b"0123456789"), &b"zz\r\n"[..]].concat();
        Behaviour::steps([Step::Send(all), Step::Hang])
    }

    /// Answers with bytes that are no HTTP.
    pub fn garbage() -> Behaviour {
        let bytes = b"\x15\x03\x01 this is no HTTP \xff\xfe\r\n\r\n".to_vec();
        Behaviour::steps([Step::Send(bytes), Step::Close])
    }

    /// Answers 200 with `Connection: keep-alive`, then closes after that long idle; zero closes
    /// right behind the answer.
    pub fn close_idle_after(idle: Duration) -> Behaviour {
        let answer = response(200, &["Connection: keep-alive"], b"kept alive, it says");
        Behaviour::steps([Step::Send(answer), Step::Pause(idle), Step::Close])
    }

    /// Answers 200 after that long.
    pub fn slow_head(pause: Duration) -> Behaviour {
        Behaviour::steps([
            Step::Pause(pause),
            Step::Send(response(200, &[], b"slow head")),
        ])
    }

    /// Answers 200 at once, then sends these pieces as chunks with a pause before each.
    pub fn slow_body(pieces: &[&str], pause: Duration) -> Behaviour {
        let mut steps = vec![Step::Send(chunked_head(&[]))];
        for piece in pieces {
            steps.push(Step::Pause(pause));
            steps.push(Step::Send(chunk(piece.as_bytes())));
        }
        steps.push(Step::Send(LAST_CHUNK.to_vec()));
        Behaviour::steps(steps)
    }

    /// Answers 200 with chunks `0123456789`, one every so often, until the peer is gone.
    pub fn endless_chunks(every: Duration) -> Behaviour {
        let piece = chunk(b"0123456789");
        Behaviour::steps([
            Step::Send(chunked_head(&[])),
            Step::Repeat {
                piece,
                every,
                times: None,
            },
        ])
    }

    /// Answers chunked, with trailer lines after the body.
    pub fn trailers(body: &str, trailers: &[&str]) -> Behaviour {
        let mut end = b"0\r\n".to_vec();
        for line in trailers {
            end.extend_from_slice(line.as_bytes());
            end.extend_from_slice(b"\r\n");
        }
        end.extend_from_slice(b"\r\n");
        Behaviour::steps([
            Step::Send(chunked_head(&[])),
            Step::Send(chunk(body.as_bytes())),
            Step::Send(end),
        ])
    }

    /// Sends this interim status with these header lines, then 200.
    pub fn interim(status: u16, headers: &[&str]) -> Behaviour {
        let first = head(status, headers);
        Behaviour::steps([
            Step::Send(first),
            Step::Send(response(200, &[], b"after the interim response")),
        ])
    }

    /// Accepts a WebSocket (RFC 6455) and echoes its messages; see `Record::messages`.
    pub fn websocket_echo() -> Behaviour {
        Behaviour::new(When::Head, |request| {
            let Some(key) = request.header("sec-websocket-key") else {
                return vec![Step::Send(response(400, &[], b"no Sec-WebSocket-Key"))];
            };
            let accept =
                tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let accept = format!("Sec-WebSocket-Accept: {accept}");
            let lines = ["Upgrade: websocket", "Connection: Upgrade", &accept];
            vec![Step::Send(head(101, &lines)), Step::WebSocketEcho]
        })
    }

    /// Server-sent events `data: tick`, one every so often; ends well after `times`, or never.
    pub fn sse(every: Duration, times: Option<usize>) -> Behaviour {
        let headers = ["Content-Type: text/event-stream", "Cache-Control: no-cache"];
        let piece = chunk(b"data: tick\n\n");
        Behaviour::steps([
            Step::Send(chunked_head(&headers)),
            Step::Repeat {
                piece,
                every,
                times,
            },
            Step::Send(LAST_CHUNK.to_vec()),
        ])
    }
}

/// Lets the peer read what was sent: a reset discards what lies in its buffers.
const SETTLE: Duration = Duration::from_millis(50);

fn short_body() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789".to_vec()
}
