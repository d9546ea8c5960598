//! The caller's side of a request that no connection brought: what it asks is in memory from the start, and
//! its answer is kept there, up to a size. It never leaves.

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::http::ServerSession;
use pingora_http::ResponseHeader;
use tokio::io::AsyncWriteExt as _;
use weir_telemetry::Code;

use super::Downstream;
use crate::error::GatewayError;

/// An answer as it was written.
pub(crate) struct Answer {
    pub(crate) head: Box<ResponseHeader>,
    pub(crate) body: Bytes,
}

/// As much of it as there is.
pub(super) struct Kept {
    /// The largest body, in bytes.
    most: usize,
    head: Option<Box<ResponseHeader>>,
    body: BytesMut,
}

impl Kept {
    pub(super) fn head(&mut self, head: Box<ResponseHeader>) {
        self.head = Some(head);
    }

    pub(super) fn chunk(&mut self, chunk: &[u8]) -> Result<(), GatewayError> {
        if self.body.len() + chunk.len() > self.most {
            let why = format!("the answer is longer than {} bytes", self.most);
            return Err(GatewayError::new(Code::KafkaRecordTooLarge).source(why));
        }
        self.body.extend_from_slice(chunk);
        Ok(())
    }
}

impl Downstream {
    /// A caller's side that POSTs JSON to `path`, which is one, and takes an answer of at most so many bytes.
    pub(crate) async fn posting(
        path: &str,
        body: &[u8],
        most: usize,
    ) -> Result<Self, GatewayError> {
        let broken = || GatewayError::new(Code::InternalError).source("no caller's side to be had");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let (near, mut far) = tokio::io::duplex(head.len() + body.len());
        for piece in [head.as_bytes(), body] {
            far.write_all(piece).await.map_err(|_| broken())?;
        }
        let mut session = ServerSession::new_http1(Box::new(near));
        match session.read_request().await {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(broken()),
        }
        let mut down = Downstream::new(session, None);
        down.kept = Some(Kept {
            most,
            head: None,
            body: BytesMut::new(),
        });
        Ok(down)
    }

    /// Takes what was answered, if anything was; what is written after that is another answer.
    pub(crate) fn take_answer(&mut self) -> Option<Answer> {
        let kept = self.kept.as_mut()?;
        let head = kept.head.take()?;
        let body = std::mem::take(&mut kept.body).freeze();
        self.answered = super::Answered::Nothing;
        Some(Answer { head, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Box<ResponseHeader> {
        Box::new(ResponseHeader::build_no_case(200, None).expect("a head"))
    }

    #[tokio::test]
    async fn what_is_asked_is_read_and_what_is_answered_is_kept() {
        let large = vec![b'a'; 300 << 10];
        for body in [&b""[..], b"{}", &large] {
            let down = Downstream::posting("/v1/messages?x=1", body, 4).await;
            let mut down = down.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(down.head().method, http::Method::POST);
            assert_eq!(down.head().uri.path(), "/v1/messages");
            assert_eq!(down.read_whole().await.ok().as_deref(), Some(body));
            assert!(down.take_answer().is_none());
            assert!(down.write_head(head(), false).await.is_ok());
            for piece in ["ab", "c"] {
                let written = down.write_chunk(Bytes::from(piece)).await;
                assert!(written.is_ok());
            }
            assert!(down.write_end(None).await.is_ok());
            let answer = down.take_answer().expect("it was answered");
            assert_eq!(
                (answer.head.status.as_u16(), &answer.body[..]),
                (200, &b"abc"[..])
            );
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_an_error() {
        let Ok(mut down) = Downstream::posting("/", b"", 4).await else {
            panic!("there is no side");
        };
        assert!(down.write_head(head(), false).await.is_ok());
        let written = down.write_chunk(Bytes::from_static(b"abcde")).await;
        let code = written.err().map(|error| error.code);
        assert_eq!(code, Some(Code::KafkaRecordTooLarge));
    }
}
