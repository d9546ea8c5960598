//! A caller of gRPC: unary calls over HTTP/2 without TLS, some callers to a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::net::TcpStream;

use crate::case::KEY;
use crate::failure::Failure;
use crate::words::{self, Words};

/// Callers that share a connection, each with one call at a time on it.
const TOGETHER: usize = 4;
/// The head of a message: not compressed, and its length.
const HEAD: usize = 5;

/// How many connections so many callers have.
pub fn connections(callers: usize) -> usize {
    callers.div_ceil(TOGETHER)
}

/// Who calls.
pub struct Caller {
    connection: SendRequest<Bytes>,
    call: Arc<Request<()>>,
    words: Words,
}

/// What came of a call.
struct Answer {
    head: Response<()>,
    body: BytesMut,
    trailers: Option<HeaderMap>,
}

/// Connects so many callers.
pub async fn open(
    address: SocketAddr,
    callers: usize,
) -> Result<impl Iterator<Item = Caller>, Failure> {
    let call = Arc::new(call(address)?);
    let mut all = Vec::with_capacity(callers);
    for number in 0..connections(callers) {
        let failed = format!("cannot connect to {address}");
        let socket = TcpStream::connect(address)
            .await
            .map_err(Failure::during(&failed))?;
        socket.set_nodelay(true).map_err(Failure::during(&failed))?;
        let (connection, driver) = h2::client::handshake(socket)
            .await
            .map_err(Failure::during(&failed))?;
        // What breaks it breaks the calls on it, which say so.
        tokio::spawn(async move { driver.await.ok() });
        for caller in (number * TOGETHER..callers).take(TOGETHER) {
            all.push(Caller {
                connection: connection.clone(),
                call: Arc::clone(&call),
                words: Words::of(caller),
            });
        }
    }
    Ok(all.into_iter())
}

/// The head of a call, with what clients of gRPC say in it.
fn call(address: SocketAddr) -> Result<Request<()>, Failure> {
    Request::post(format!("http://{address}{}", words::METHOD))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "weir-bench")
        .header("grpc-accept-encoding", "identity")
        .header("authorization", format!("Bearer {KEY}"))
        .body(())
        .map_err(Failure::during("cannot write the head of a call"))
}

impl Caller {
    /// How long one call took; what it says is looked at when that is known.
    pub async fn ask(&mut self) -> Result<Duration, Failure> {
        let message = framed(self.words.next());
        let began = Instant::now();
        let answer = self
            .exchange(message)
            .await
            .map_err(Failure::during("a call was not answered"))?;
        let took = began.elapsed();
        answer.judge(&self.words).map_err(Failure::new)?;
        Ok(took)
    }

    async fn exchange(&mut self, message: Bytes) -> Result<Answer, h2::Error> {
        std::future::poll_fn(|cx| self.connection.poll_ready(cx)).await?;
        let (answer, mut stream) = self
            .connection
            .send_request(Request::clone(&self.call), false)?;
        stream.send_data(message, true)?;
        let (head, mut incoming) = answer.await?.into_parts();
        let mut body = BytesMut::new();
        while let Some(data) = incoming.data().await {
            let data = data?;
            incoming.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        Ok(Answer {
            head: Response::from_parts(head, ()),
            body,
            trailers: incoming.trailers().await?,
        })
    }
}

impl Answer {
    /// Says what is wrong with it.
    fn judge(&self, words: &Words) -> Result<(), String> {
        let status = self
            .trailers
            .as_ref()
            .and_then(|trailers| trailers.get("grpc-status"));
        let media = self.head.headers().get("content-type");
        let is_right = self.head.status() == StatusCode::OK
            && media.is_some_and(|media| media == "application/grpc")
            && status.is_some_and(|status| status == "0");
        match self.body.split_at_checked(HEAD) {
            Some((_, text)) if is_right && self.body == framed(text) => words.judge(text),
            _ => Err(format!(
                "a call did not succeed: {:?}, {:?}, {:?}",
                self.head, self.body, self.trailers
            )),
        }
    }
}

fn framed(text: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(HEAD + text.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    message.put_slice(text);
    message.freeze()
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::super::{Clients, Exchange};
    use super::*;
    use crate::upstream::grpc;

    /// What a burst comes to at a server that sends these trailers.
    async fn burst(status: &'static str) -> Result<usize, Failure> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::task::spawn_local(grpc::serve(listener, status));
        let mut clients = Clients::open(address, Exchange::Grpc, 6).await?;
        clients.burst(100).await.map(|burst| burst.requests())
    }

    #[tokio::test(flavor = "current_thread")]
    async fn every_call_is_echoed_and_has_to_succeed() {
        let servers = LocalSet::new();
        let right = servers.run_until(burst("0")).await;
        assert_eq!(right.expect("right answers"), 100);
        let wrong = servers.run_until(burst("13")).await;
        let failure = wrong.expect_err("the status is an error").to_string();
        assert!(failure.contains("\"13\""), "{failure}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn some_callers_share_a_connection() {
        assert_eq!([1, 4, 5, 32].map(connections), [1, 1, 2, 8]);
    }
}
