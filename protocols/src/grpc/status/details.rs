//! `grpc-status-details-bin`: what an error is for programs, as a google.rpc.Status in protobuf
//! (google/rpc/status.proto, error_details.proto). Only written here, and only the two details that
//! a gateway has: why, and when to try again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Code;

/// The most seconds a google.protobuf.Duration may hold: ten thousand years.
const MOST_SECONDS: u64 = 315_576_000_000;

/// An error as programs read it.
#[derive(Clone, Copy, Debug)]
pub struct Details<'a> {
    /// As in `grpc-status`.
    pub code: Code,
    /// As in `grpc-message`, not escaped.
    pub message: &'a str,
    /// Why.
    pub info: Option<ErrorInfo<'a>>,
    /// How long to wait before another try: google.rpc.RetryInfo.
    pub retry_after: Option<Duration>,
}

/// Why a call failed: google.rpc.ErrorInfo.
#[derive(Clone, Copy, Debug)]
pub struct ErrorInfo<'a> {
    /// The cause: at most 63 of `A-Z`, `0-9` and `_`.
    pub reason: &'a str,
    /// Who has such causes, as in `example.com`.
    pub domain: &'a str,
    /// More about it, in this order.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// The value of the field: base64 without padding, as gRPC asks of who writes.
pub fn encode(details: &Details<'_>) -> String {
    STANDARD_NO_PAD.encode(status(details))
}

fn status(details: &Details<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, 1, details.code.number().into());
    text(&mut out, 2, details.message);
    if let Some(info) = &details.info {
        any(&mut out, "ErrorInfo", &error_info(info));
    }
    if let Some(time) = details.retry_after {
        let mut duration = Vec::new();
        number(&mut duration, 1, time.as_secs().min(MOST_SECONDS));
        number(&mut duration, 2, time.subsec_nanos().into());
        let mut retry = Vec::new();
        bytes(&mut retry, 1, &duration);
        any(&mut out, "RetryInfo", &retry);
    }
    out
}

fn error_info(info: &ErrorInfo<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, 1, info.reason);
    text(&mut out, 2, info.domain);
    for (key, value) in info.metadata {
        let mut entry = Vec::new();
        text(&mut entry, 1, key);
        text(&mut entry, 2, value);
        bytes(&mut out, 3, &entry);
    }
    out
}

/// One of the `details`: a google.protobuf.Any.
fn any(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let mut any = Vec::new();
    text(
        &mut any,
        1,
        &format!("type.googleapis.com/google.rpc.{name}"),
    );
    bytes(&mut any, 2, value);
    bytes(out, 3, &any);
}

/// A field of a number. Zero is what an absent one is, and not written.
fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        out.push(field << 3);
        varint(out, value);
    }
}

/// A field of a text. The empty one is what an absent one is, and not written.
fn text(out: &mut Vec<u8>, field: u8, value: &str) {
    if !value.is_empty() {
        bytes(out, field, value.as_bytes());
    }
}

/// A field of bytes or of a message, even if empty.
fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Seven bits a byte, the lowest first; all bytes but the last have the eighth.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_these_bytes() {
        let details = Details {
            code: Code::ResourceExhausted,
            message: "no more",
            info: Some(ErrorInfo {
                reason: "QUOTA",
                domain: "a.b",
                metadata: &[("k", "v"), ("e", "")],
            }),
            retry_after: Some(Duration::from_millis(300_500)),
        };
        let expected = [
            &b"\x08\x08\x12\x07no more"[..],
            b"\x1a\x45\x0a\x28type.googleapis.com/google.rpc.ErrorInfo",
            b"\x12\x19\x0a\x05QUOTA\x12\x03a.b\x1a\x06\x0a\x01k\x12\x01v\x1a\x03\x0a\x01e",
            b"\x1a\x37\x0a\x28type.googleapis.com/google.rpc.RetryInfo",
            b"\x12\x0b\x0a\x09\x08\xac\x02\x10\x80\xca\xb5\xee\x01",
        ];
        assert_eq!(status(&details), expected.concat());
        let encoded = encode(&details);
        assert!(encoded.starts_with("CAgSB25vIG1vcmUaRQoodHlw"), "{encoded}");
        assert!(encoded.ends_with("CAyrXuAQ"), "{encoded}");
    }

    #[test]
    fn what_is_nothing_is_not_written() {
        let mut details = Details {
            code: Code::Ok,
            message: "",
            info: None,
            retry_after: None,
        };
        assert_eq!(encode(&details), "");
        // No wait at all is not the same as no word of it.
        details.retry_after = Some(Duration::ZERO);
        assert!(status(&details).ends_with(b"google.rpc.RetryInfo\x12\x02\x0a\x00"));
        details.retry_after = Some(Duration::MAX);
        let most = b"\x08\x80\xbc\xae\xce\x97\x09";
        assert!(
            status(&details)
                .windows(most.len())
                .any(|part| part == most)
        );
    }
}
