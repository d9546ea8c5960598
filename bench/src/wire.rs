//! HTTP/1.1 messages on a keep-alive socket, read as cheaply as their framing allows.
//!
//! For the benchmark's own two ends only, which trust each other's syntax: it finds where a
//! message ends and refuses what it cannot delimit. It knows no methods, no cases, no meaning.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a message's body ends (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes; none if the head says nothing.
    Length(usize),
    /// With the last chunk.
    Chunked,
}

/// One end of a connection.
pub struct Connection {
    socket: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    /// Takes a connected socket; small writes leave at once.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            buffer: BytesMut::with_capacity(16 * 1024),
        })
    }

    /// Writes all of `bytes`.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Reads one head, lets `look` see it, and says how the body is framed. `None` when the peer
    /// closed between messages.
    pub async fn head<T>(
        &mut self,
        look: impl FnOnce(&[u8]) -> T,
    ) -> io::Result<Option<(T, Framing)>> {
        let mut searched = 0;
        let end = loop {
            if let Some(at) = find(&self.buffer[searched..], b"\r\n\r\n") {
                break searched + at + 4;
            }
            searched = self.buffer.len().saturating_sub(3);
            if !self.fill().await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let framing = framing(&self.buffer[..end])?;
        let seen = look(&self.buffer[..end]);
        self.buffer.advance(end);
        Ok(Some((seen, framing)))
    }

    /// Reads one body to its end, transfer coding removed, handing every piece to `piece`.
    pub async fn body(&mut self, framing: Framing, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
        match framing {
            Framing::Length(length) => self.take(length, &mut piece).await,
            Framing::Chunked => loop {
                let size = chunk_size(&self.line().await?)?;
                if size == 0 {
                    // trailers, then the empty line
                    while !self.line().await?.is_empty() {}
                    return Ok(());
                }
                self.take(size, &mut piece).await?;
                if !self.line().await?.is_empty() {
                    return Err(garbled("a chunk is longer than it says"));
                }
            },
        }
    }

    /// Fills `room` with what comes next, of whatever is spoken after HTTP.
    pub async fn exactly(&mut self, room: &mut [u8]) -> io::Result<()> {
        while self.buffer.len() < room.len() {
            self.fill_more().await?;
        }
        self.buffer.copy_to_slice(room);
        Ok(())
    }

    /// The two bytes that come next; `None` when the peer closed before the first of them.
    pub async fn two_bytes(&mut self) -> io::Result<Option<[u8; 2]>> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Ok(None);
        }
        let mut two = [0; 2];
        self.exactly(&mut two).await?;
        Ok(Some(two))
    }

    async fn take(&mut self, mut length: usize, piece: &mut impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            let here = length.min(self.buffer.len());
            piece(&self.buffer[..here]);
            self.buffer.advance(here);
            length -= here;
            if length == 0 {
                return Ok(());
            }
            self.fill_more().await?;
        }
    }

    /// One line without its CRLF.
    async fn line(&mut self) -> io::Result<BytesMut> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line = self.buffer.split_to(at);
                self.buffer.advance(2);
                return Ok(line);
            }
            self.fill_more().await?;
        }
    }

    async fn fill_more(&mut self) -> io::Result<()> {
        if self.fill().await? {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Reads what is there; false when the peer has closed.
    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.socket.read_buf(&mut self.buffer).await? > 0)
    }
}

/// Where `needle` begins in `haystack`.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn framing(head: &[u8]) -> io::Result<Framing> {
    let mut found = Framing::Length(0);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(garbled("a transfer coding other than chunked"));
            }
            return Ok(Framing::Chunked);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            found = Framing::Length(number(value, 10)?);
        }
    }
    Ok(found)
}

fn chunk_size(line: &[u8]) -> io::Result<usize> {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    number(size.trim_ascii(), 16)
}

fn number(digits: &[u8], radix: u32) -> io::Result<usize> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| usize::from_str_radix(text, radix).ok())
        .ok_or_else(|| garbled("a length that is no number"))
}

fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Sends `wire` in pieces of `step` bytes and returns what the reader makes of it.
    async fn read(wire: &'static [u8], step: usize) -> io::Result<Option<(String, Vec<u8>)>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let sender = tokio::spawn(async move {
            let mut to = TcpStream::connect(address).await?;
            to.set_nodelay(true)?;
            for piece in wire.chunks(step) {
                to.write_all(piece).await?;
                tokio::task::yield_now().await;
            }
            io::Result::Ok(())
        });
        let mut connection = Connection::new(listener.accept().await?.0)?;
        let head = connection
            .head(|head| String::from_utf8_lossy(head).into_owned())
            .await?;
        let Some((head, framing)) = head else {
            return Ok(None);
        };
        let mut body = Vec::new();
        connection
            .body(framing, |piece| body.extend_from_slice(piece))
            .await?;
        sender.await.expect("the sender does not panic")?;
        Ok(Some((head, body)))
    }

    #[tokio::test]
    async fn messages_are_whole_however_they_arrive() {
        let sized = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\nhello";
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                        2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n";
        for step in [1, 2, 3, 7, 1000] {
            for wire in [sized.as_slice(), chunked.as_slice()] {
                let (head, body) = read(wire, step)
                    .await
                    .expect("it is well formed")
                    .expect("it is there");
                assert!(head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"));
                assert_eq!(body, b"hello");
            }
        }
    }

    #[tokio::test]
    async fn a_close_between_messages_is_no_error_but_within_one_it_is() {
        assert!(read(b"", 1).await.expect("a clean close").is_none());
        for cut in [
            b"HTTP/1.1 200 OK\r\n".as_slice(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ] {
            let error = read(cut, 1000).await.expect_err("it is cut short");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_delimited_is_refused() {
        for bad in [
            b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello".as_slice(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
        ] {
            let error = read(bad, 1000).await.expect_err("it is garbled");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
