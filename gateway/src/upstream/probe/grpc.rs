//! Active health by gRPC: `grpc.health.v1.Health/Check` (grpc/grpc, "GRPC Health Checking Protocol").
//!
//! Its two messages have one field each and are written and read by hand.

use std::time::Duration;

use bytes::Bytes;
use pingora_error::BError;
use pingora_http::RequestHeader;
use weir_protocols::grpc::frame::{Head, Piece, Splitter, write_head};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::timeout;

use crate::upstream::session::Session;

/// The longest answer that is read, in bytes: it is two.
const MAX_ANSWER: u32 = 1024;

/// Well if the server says SERVING of `service`; of itself as a whole, if that is empty.
pub(crate) async fn ask(
    mut session: Session,
    host: &str,
    service: &str,
    within: Duration,
) -> Result<(), String> {
    let said = |error: BError| error.to_string();
    let mut head =
        RequestHeader::build("POST", b"/grpc.health.v1.Health/Check", None).map_err(said)?;
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
        .send(Box::new(head), Some(request(service)), true)
        .await
        .map_err(said)?;
    while writer.pending() {
        writer.progress().await.map_err(|error| error.to_string())?;
    }
    let answer = session.read_head().await.map_err(said)?;
    if answer.status != http::StatusCode::OK {
        return Err(format!("answered HTTP {}", answer.status));
    }
    let mut body = Vec::new();
    while !session.body_done().map_err(said)?
        && let Some(chunk) = session.read_chunk().await.map_err(said)?
    {
        if body.len() + chunk.len() > MAX_ANSWER as usize {
            return Err(format!("answered more than {MAX_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let trailers = session.trailers().await.map_err(said)?;
    let status = trailers
        .as_ref()
        .and_then(|trailers| trailers.get("grpc-status"))
        .or_else(|| answer.headers.get("grpc-status"));
    match status.map(|status| Code::parse(status.as_bytes())) {
        Some(Some(Code::Ok)) => judge(body.into()),
        Some(Some(code)) => Err(format!("answered {code}")),
        _ => Err("answered without a grpc-status".to_owned()),
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

/// Reads a HealthCheckResponse: field 1 is a number, and 1 is SERVING.
fn judge(mut body: Bytes) -> Result<(), String> {
    const STATUS: u8 = 1 << 3;
    const SERVING: u8 = 1;
    let mut splitter = Splitter::new(MAX_ANSWER);
    let mut message = Vec::new();
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
    match message.as_slice() {
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
        assert_eq!(judge(Bytes::from_static(b"\0\0\0\0\x02\x08\x01")), Ok(()));
        for (body, expected) in [
            (&b"\0\0\0\0\x02\x08\x02"[..], "NOT_SERVING"),
            (b"\0\0\0\0\x02\x08\x03", "SERVICE_UNKNOWN"),
            // 0 is UNKNOWN, and is what an absent field is.
            (b"\0\0\0\0\0", "not known"),
            (b"", "not known"),
            (b"\x01\0\0\0\x02\x08\x01", "compressed"),
            (b"<html>", "0x3c"),
        ] {
            let error = judge(Bytes::from_static(body)).expect_err("not well");
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
