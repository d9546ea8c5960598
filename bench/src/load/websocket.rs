//! A caller over WebSocket: text messages on a connection of its own, each sent when the one before
//! was echoed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use weir_protocols::websocket::handshake;

use crate::case::KEY;
use crate::failure::Failure;
use crate::frames;
use crate::wire::Connection;
use crate::words::{self, Words};

/// What a client's frames are masked with. A browser's is another for each frame; to a proxy it is
/// four bytes that are no zeros.
const MASK: [u8; 4] = [0x57, 0x65, 0x69, 0x72];

/// Who speaks.
pub struct Caller {
    connection: Connection,
    words: Words,
}

impl Caller {
    /// Connects and leaves HTTP.
    pub async fn open(address: SocketAddr, number: usize) -> Result<Self, Failure> {
        let failed = format!("cannot open a WebSocket at {address}");
        let mut connection = TcpStream::connect(address)
            .await
            .and_then(Connection::new)
            .map_err(Failure::during(&failed))?;
        let key = handshake::key((number as u128).to_be_bytes());
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: weir-bench\r\n\
             Authorization: Bearer {KEY}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: {}\r\nSec-WebSocket-Key: {key}\r\n\r\n",
            words::SOCKET,
            handshake::VERSION,
        );
        connection
            .send(request.as_bytes())
            .await
            .map_err(Failure::during(&failed))?;
        let head = connection
            .head(|head| String::from_utf8_lossy(head).into_owned())
            .await
            .map_err(Failure::during(&failed))?;
        let accepted = handshake::accept(key.as_bytes()).map_err(Failure::during(&failed))?;
        match head {
            Some((head, _)) if head.starts_with("HTTP/1.1 101 ") && head.contains(&accepted) => {
                let words = Words::of(number);
                Ok(Self { connection, words })
            }
            other => Err(Failure::new(format!(
                "{failed}; the answer is\n{}",
                other.map_or_else(String::new, |(head, _)| head)
            ))),
        }
    }

    /// How long one echo took; what it says is looked at when that is known.
    pub async fn ask(&mut self) -> Result<Duration, Failure> {
        let broken = "a WebSocket broke before an echo was whole";
        let text = self.words.next();
        let began = Instant::now();
        frames::write(&mut self.connection, text, Some(MASK))
            .await
            .map_err(Failure::during(broken))?;
        let echo = frames::read(&mut self.connection, false)
            .await
            .map_err(Failure::during(broken))?
            .ok_or_else(|| Failure::new("a WebSocket was closed instead of an echo"))?;
        let took = began.elapsed();
        self.words.judge(&echo).map_err(Failure::new)?;
        Ok(took)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::{Clients, Exchange};
    use super::*;
    use crate::upstream::websocket;

    /// What a burst comes to at a server that echoes all but one kind of text.
    async fn burst(spoils: bool) -> Result<usize, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut connection = Connection::new(socket)?;
                    let head = connection.head(<[u8]>::to_vec).await?;
                    let Some((head, _)) = head else { return Ok(()) };
                    if !spoils {
                        return websocket::converse(&mut connection, &head).await;
                    }
                    let answer = websocket::switched(&head).expect("it asks for a WebSocket");
                    connection.send(answer.as_bytes()).await?;
                    while frames::read(&mut connection, true).await?.is_some() {
                        frames::write(&mut connection, b"something else", None).await?;
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        let mut clients = Clients::open(address, Exchange::Websocket, 3).await?;
        clients.burst(50).await.map(|burst| burst.requests())
    }

    #[tokio::test]
    async fn every_message_comes_back_as_it_went() {
        assert_eq!(burst(false).await.expect("right echoes"), 50);
        let failure = burst(true).await.expect_err("wrong echoes").to_string();
        assert!(failure.contains("something else"), "{failure}");
    }
}
