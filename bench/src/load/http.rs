//! A caller over HTTP/1.1: the same request again and again on one kept connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::failure::Failure;
use crate::right::Right;
use crate::wire::Connection;

/// How much of a wrong answer's body is shown.
const SHOWN: usize = 300;

/// What is sent, and what must come back.
pub struct Exchange {
    /// The request as it goes over the wire.
    pub request: Vec<u8>,
    /// What its answer must be.
    pub right: Right,
}

/// Who asks.
pub struct Caller {
    connection: Connection,
    exchange: Arc<Exchange>,
    body: Vec<u8>,
}

impl Caller {
    /// Connects.
    pub async fn open(address: SocketAddr, exchange: Arc<Exchange>) -> Result<Self, Failure> {
        let connection = TcpStream::connect(address)
            .await
            .and_then(Connection::new)
            .map_err(Failure::during(format_args!("cannot connect to {address}")))?;
        Ok(Self {
            connection,
            exchange,
            body: Vec::new(),
        })
    }

    /// How long one answer took; what it says is looked at when that is known.
    pub async fn ask(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let (right, body) = (self.exchange.right, &mut self.body);
        body.clear();
        let mut length = 0;
        ask(&mut self.connection, &self.exchange.request, |piece| {
            length += piece.len();
            if right.reads() {
                body.extend_from_slice(piece);
            }
        })
        .await?;
        let took = began.elapsed();
        right.judge(length, body).map_err(Failure::new)?;
        Ok(took)
    }
}

/// Sends a request and hands over every piece of its answer's body as it comes; fails if the
/// answer is no success.
pub async fn ask(
    connection: &mut Connection,
    request: &[u8],
    mut piece: impl FnMut(&[u8]),
) -> Result<(), Failure> {
    let broken = "a connection broke before its answer was whole";
    connection
        .send(request)
        .await
        .map_err(Failure::during(broken))?;
    let head = connection
        .head(Refused::unless_success)
        .await
        .map_err(Failure::during(broken))?;
    let Some((refused, framing)) = head else {
        return Err(Failure::new("a connection was closed instead of answered"));
    };
    let mut start = Vec::new();
    connection
        .body(framing, |bytes| {
            if refused.is_none() {
                piece(bytes);
            } else if start.len() < SHOWN {
                start.extend_from_slice(&bytes[..bytes.len().min(SHOWN)]);
            }
        })
        .await
        .map_err(Failure::during(broken))?;
    if let Some(Refused { head }) = refused {
        let body = String::from_utf8_lossy(&start);
        return Err(Failure::new(format!(
            "an answer is no success:\n{head}{body}"
        )));
    }
    Ok(())
}

/// The head of an answer that is no success.
struct Refused {
    head: String,
}

impl Refused {
    fn unless_success(head: &[u8]) -> Option<Self> {
        (head.get(9) != Some(&b'2')).then(|| Self {
            head: String::from_utf8_lossy(head).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::{Clients, Exchange};
    use super::*;
    use crate::case::Case;

    fn get(address: SocketAddr) -> Exchange {
        Case::Get.exchange(address, "", false)
    }

    /// A server that gives every request the same answer.
    async fn server(answer: Vec<u8>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut connection = Connection::new(socket)?;
                    while let Some(((), framing)) = connection.head(|_| ()).await? {
                        connection.body(framing, |_| ()).await?;
                        connection.send(&answer).await?;
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        address
    }

    fn answer(status: &str, length: usize) -> Vec<u8> {
        let body = "x".repeat(length);
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    #[tokio::test]
    async fn every_request_of_a_burst_is_answered_and_timed() {
        let address = server(answer("200 OK", crate::answer::PLAIN)).await;
        let mut clients = Clients::open(address, get(address), 4)
            .await
            .expect("right answers");
        for requests in [1, 50] {
            let burst = clients.burst(requests).await.expect("right answers");
            assert_eq!(burst.requests(), requests);
            assert!(burst.percentile(50) <= burst.percentile(99));
        }
    }

    #[tokio::test]
    async fn a_wrong_answer_fails_the_burst() {
        for (wrong, says) in [
            (answer("503 Service Unavailable", 1024), "503"),
            (answer("200 OK", 1023), "1023"),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n".to_vec(),
                "no number",
            ),
        ] {
            let address = server(wrong).await;
            let failure = Clients::open(address, get(address), 2)
                .await
                .err()
                .expect("the answer is wrong");
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }
}
