//! Calls of the gateway's own by gRPC, and active health by them: `grpc.health.v1.Health/Check`
//! (grpc/grpc, "GRPC Health Checking Protocol").
//!
//! The two messages of that have one field each and are written and read by hand.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_error::BError;
use pingora_http::RequestHeader;
use weir_protocols::grpc::frame::{HEAD, Head, Piece, Splitter, write_head};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::timeout;

use crate::upstream::session::Session;

/// The longest answer that is read, in bytes: it is two.
const MAX_ANSWER: u32 = 1024;

/// Why a call of the gateway's own has no answer.
#[derive(Debug)]
pub(in crate::upstream) struct Failed {
    /// How the server ended it, if it did.
    pub(in crate::upstream) code: Option<Code>,
    /// The same in words.
    pub(in crate::upstream) why: String,
}

impl<S: Into<String>> From<S> for Failed {
    fn from(why: S) -> Self {
        let (code, why) = (None, why.into());
        Self { code, why }
    }
}

/// Well if the server says SERVING of `service`; of itself as a whole, if that is empty.
pub(crate) async fn ask(
    session: Session,
    host: &str,
    service: &str,
    within: Duration,
) -> Result<(), String> {
    let to = (host, "/grpc.health.v1.Health/Check");
    match call(session, to, request(service), (within, MAX_ANSWER)).await {
        Ok(message) => judge(&message),
        Err(failed) => Err(failed.why),
    }
}

/// Sends one message, in its frame, to a method, and gives the one that is answered. It is told how
/// long it has; whoever asks holds it to that.
pub(in crate::upstream) async fn call(
    mut session: Session,
    (host, path): (&str, &str),
    message: Bytes,
    (within, max): (Duration, u32),
) -> Result<Bytes, Failed> {
    let said = |error: BError| error.to_string();
    let mut head = RequestHeader::build("POST", path.as_bytes(), None).map_err(said)?;
    let within = timeout::write(within);
    for (name, value) in [
        ("host", host),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", &within),
        ("user-agent", super::USER_AGENT),
    ] {
        head.insert_header(name, value).map_err(said)?;
    }
    let (mut writer, _) = session
        .send(Box::new(head), Some(message), true)
        .await
        .map_err(said)?;
    while writer.pending() {
        // A server may end a call before it has read what it is asked, and its answer counts.
        if writer.progress().await.is_err() {
            writer.give_up();
        }
    }
    let answer = session.read_head().await.map_err(said)?;
    if answer.status != http::StatusCode::OK {
        return Err(format!("answered HTTP {}", answer.status).into());
    }
    let mut body = Vec::new();
    while !session.body_done().map_err(said)?
        && let Some(chunk) = session.read_chunk().await.map_err(said)?
    {
        if body.len() + chunk.len() > max as usize + HEAD {
            return Err(format!("answered more than {max} bytes").into());
        }
        body.extend_from_slice(&chunk);
    }
    let trailers = session.trailers().await.map_err(said)?;
    let status = trailers
        .as_ref()
        .and_then(|trailers| trailers.get("grpc-status"))
        .or_else(|| answer.headers.get("grpc-status"));
    match status.map(|status| Code::parse(status.as_bytes())) {
        Some(Some(Code::Ok)) => Ok(unframed(body.into(), max)?),
        Some(Some(code)) => Err(Failed {
            code: Some(code),
            why: format!("answered {code}"),
        }),
        _ => Err("answered without a grpc-status".into()),
    }
}

/// A HealthCheckRequest: field 1 is the name of a service.
fn request(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(1 << 3 | 2);
        let mut length = service.len();
        while length > 0x7f {
            message.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let head = Head {
        compressed: false,
        length: u32::try_from(message.len()).unwrap_or(u32::MAX),
    };
    [&write_head(head)[..], &message].concat().into()
}

/// The one message of a body.
fn unframed(mut body: Bytes, max: u32) -> Result<Bytes, String> {
    let mut splitter = Splitter::new(max);
    let mut message = BytesMut::new();
    while let Some(piece) = splitter
        .next_piece(&mut body)
        .map_err(|fault| fault.to_string())?
    {
        match piece {
            Piece::Head(head) if head.compressed => {
                return Err("answered compressed, which nobody asked for".to_owned());
            }
            Piece::Body(bytes) => message.extend_from_slice(&bytes),
            Piece::Head(_) | Piece::End => {}
        }
    }
    Ok(message.freeze())
}

/// Reads a HealthCheckResponse: field 1 is a number, and 1 is SERVING.
fn judge(message: &[u8]) -> Result<(), String> {
    const STATUS: u8 = 1 << 3;
    const SERVING: u8 = 1;
    match message {
        [STATUS, SERVING] => Ok(()),
        [STATUS, 2] => Err("answered NOT_SERVING".to_owned()),
        [STATUS, 3] => Err("answered SERVICE_UNKNOWN".to_owned()),
        _ => Err("answered with a status that is not known".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_serving_is_well() {
        let read = |body: &'static [u8]| {
            unframed(Bytes::from_static(body), MAX_ANSWER).and_then(|message| judge(&message))
        };
        assert_eq!(read(b"\0\0\0\0\x02\x08\x01"), Ok(()));
        for (body, expected) in [
            (&b"\0\0\0\0\x02\x08\x02"[..], "NOT_SERVING"),
            (b"\0\0\0\0\x02\x08\x03", "SERVICE_UNKNOWN"),
            // 0 is UNKNOWN, and is what an absent field is.
            (b"\0\0\0\0\0", "not known"),
            (b"", "not known"),
            (b"\x01\0\0\0\x02\x08\x01", "compressed"),
            (b"<html>", "0x3c"),
        ] {
            let error = read(body).expect_err("not well");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_service_is_asked_about_by_its_name() {
        assert_eq!(request(""), &b"\0\0\0\0\0"[..]);
        assert_eq!(request("a.B"), &b"\0\0\0\0\x05\x0a\x03a.B"[..]);
        let long = request(&"x".repeat(300));
        assert_eq!(long[..8], *b"\0\0\0\x01\x2f\x0a\xac\x02");
    }
}
