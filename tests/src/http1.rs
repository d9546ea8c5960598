//! HTTP/1 messages read from a stream (RFC 9112), as the raw client and the raw upstream need it.
//!
//! A reader for tests: it keeps the bytes of a head as they came, so that a test can look at
//! them, and it says how a body ended. It refuses to repair anything.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncReadExt};

const MAX_HEAD: usize = 1 << 20;

/// Header or trailer fields in the order sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The value of the first field of that name (any case).
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut named = self
            .0
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The values of every field of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether a comma-separated field holds that token (any case).
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> io::Result<Fields> {
        let field = |line: &str| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| malformed(&format!("no colon in the field line {line:?}")))?;
            Ok((name.to_owned(), value.trim().to_owned()))
        };
        lines.map(field).collect::<io::Result<_>>().map(Fields)
    }
}

/// The start line and header fields of a message.
#[derive(Debug, Clone)]
pub struct Head {
    /// The request line or status line.
    pub start: String,
    /// The header fields.
    pub fields: Fields,
    /// The bytes, the empty line included.
    pub raw: Vec<u8>,
}

/// How the length of a body is found (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
}

impl Framing {
    /// What the fields say; `absent` if they say nothing.
    ///
    /// # Errors
    /// If `Content-Length` is no number.
    pub fn of(fields: &Fields, absent: Framing) -> io::Result<Framing> {
        if fields.has_token("transfer-encoding", "chunked") {
            return Ok(Framing::Chunked);
        }
        match fields.get("content-length") {
            None => Ok(absent),
            Some(length) => length
                .parse()
                .map(Framing::Length)
                .map_err(|_| malformed(&format!("Content-Length: {length}"))),
        }
    }
}

/// A stream with what was read ahead of it.
#[derive(Debug)]
pub struct Reader<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// A reader with nothing read yet.
    pub fn new(stream: S) -> Reader<S> {
        Reader {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The stream, to write to.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream and the bytes read but not consumed.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// Reads once more; the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// What the connection gives.
    pub async fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 * 1024];
        let length = self.stream.read(&mut piece).await?;
        self.buffer.extend_from_slice(&piece[..length]);
        Ok(length)
    }

    /// Takes what has been read and not consumed.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// The next head; `None` if the connection closes before its first byte.
    ///
    /// # Errors
    /// `UnexpectedEof` inside a head, `InvalidData` if it is malformed, or what the connection
    /// gives.
    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(malformed("a head without end"));
            }
            if self.fill().await? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(cut("the head")),
                };
            }
        };
        let raw: Vec<u8> = self.buffer.drain(..end).collect();
        let text = String::from_utf8_lossy(&raw[..end - 4]).into_owned();
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = Fields::parse(lines)?;
        Ok(Some(Head { start, fields, raw }))
    }

    /// Reads a body, handing each piece to `sink` as it comes, and returns the trailers.
    ///
    /// # Errors
    /// `UnexpectedEof` if the connection closes too early, `InvalidData` on a bad chunk, or what
    /// the connection gives. What was read before is in the sink.
    pub async fn body(
        &mut self,
        framing: Framing,
        sink: &mut (dyn FnMut(&[u8]) + Send),
    ) -> io::Result<Fields> {
        match framing {
            Framing::Length(length) => self.exactly(length, sink).await?,
            Framing::Chunked => return self.chunks(sink).await,
            Framing::UntilClose => loop {
                sink(&self.take());
                if self.fill().await? == 0 {
                    break;
                }
            },
        }
        Ok(Fields::default())
    }

    async fn chunks(&mut self, sink: &mut (dyn FnMut(&[u8]) + Send)) -> io::Result<Fields> {
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16)
                .map_err(|_| malformed(&format!("the chunk size {line:?}")))?;
            if size == 0 {
                break;
            }
            self.exactly(size, sink).await?;
            if !self.line().await?.is_empty() {
                return Err(malformed("a chunk longer than it says"));
            }
        }
        let mut lines = Vec::new();
        loop {
            match self.line().await? {
                line if line.is_empty() => break,
                line => lines.push(line),
            }
        }
        Fields::parse(lines.iter().map(String::as_str))
    }

    async fn exactly(
        &mut self,
        mut length: u64,
        sink: &mut (dyn FnMut(&[u8]) + Send),
    ) -> io::Result<()> {
        while length > 0 {
            if self.buffer.is_empty() && self.fill().await? == 0 {
                return Err(cut("the body"));
            }
            let here = self
                .buffer
                .len()
                .min(usize::try_from(length).unwrap_or(usize::MAX));
            let piece: Vec<u8> = self.buffer.drain(..here).collect();
            sink(&piece);
            length -= here as u64;
        }
        Ok(())
    }

    async fn line(&mut self) -> io::Result<String> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                break at;
            }
            if self.fill().await? == 0 {
                return Err(cut("a line of the body"));
            }
        };
        let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
        String::from_utf8(line).map_err(|_| malformed("a line that is no UTF-8"))
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("malformed: {what}"))
}

fn cut(what: &str) -> io::Error {
    io::Error::new(
        ErrorKind::UnexpectedEof,
        format!("the connection closed inside {what}"),
    )
}
