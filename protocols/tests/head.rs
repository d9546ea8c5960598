//! Request heads: which pass, and for each fault a head that provokes it.
//! Every one is also received in two parts, cut at every byte.

use weir_protocols::http1::head::{Fault, HTTP2_PREFACE, Head, Kind, Limits, Scanner, Step};

const LIMITS: Limits = Limits {
    max_bytes: 400,
    max_fields: 4,
};

/// Scans `bytes` whole and cut in two at every byte; all must agree.
fn scan(bytes: &[u8]) -> Result<Step, Fault> {
    let whole = Scanner::new(LIMITS).scan(bytes);
    for cut in 0..bytes.len() {
        let mut scanner = Scanner::new(LIMITS);
        let first = scanner.scan(&bytes[..cut]);
        let step = match first {
            Ok(Step::More) => scanner.scan(bytes),
            answered => answered,
        };
        assert_eq!(
            step,
            whole,
            "cut at {cut} of {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    whole
}

fn head(bytes: &[u8]) -> Head {
    match scan(bytes) {
        Ok(Step::Head(head)) => head,
        other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn a_sound_head_gives_its_parts() {
    let bytes = b"POST /v1/chat?x=%20 HTTP/1.1\r\nhOsT: api.example.com:8443\r\nContent-Length: 5\r\n\r\nhello";
    let found = head(bytes);
    assert_eq!(&bytes[found.len..], b"hello");
    assert_eq!(&bytes[found.method], b"POST");
    assert_eq!(&bytes[found.target], b"/v1/chat?x=%20");
    assert!(!found.http10);
}

#[test]
fn one_leading_empty_line_counts_into_the_head() {
    let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let found = head(bytes);
    assert_eq!(found.len, bytes.len());
    assert_eq!(
        (&bytes[found.method], &bytes[found.target]),
        (&b"GET"[..], &b"/"[..])
    );
}

#[test]
fn a_short_http10_request_is_answered_at_once() {
    assert!(head(b"GET / HTTP/1.0\r\n\r\n").http10);
}

#[test]
fn what_may_look_odd_but_is_sound() {
    for bytes in [
        &b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"GET http://user.example/x HTTP/1.1\r\nHost: user.example\r\n\r\n",
        b"GET HTTPS://a:443?q HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /{a}|\"b\" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"M-SEARCH /a HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\t [::1]:80 \t\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\tx\r\nY:\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED \r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
        b"PRI / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"P / HTTP/1.0\r\n\r\n",
    ] {
        assert_eq!(head(bytes).len, bytes.len());
    }
}

const FAULTS: &[(&[u8], Fault)] = &[
    (b"\x16\x03\x01", Fault::TlsClientHello),
    (b"\r\n\r\nGET / HTTP/1.1\r\n", Fault::LeadingEmptyLines),
    (b"\n", Fault::BareLf),
    (b"GET / HTTP/1.1\n", Fault::BareLf),
    (b"GET / HTTP/1.1\r\nHost: a\n", Fault::BareLf),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\n", Fault::BareLf),
    (b"GET /\r HTTP/1.1\r\n", Fault::BareCr),
    (b"GET / HTTP/1.1\r\r\n", Fault::BareCr),
    (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n", Fault::BareCr),
    (b"GET / HTTP/1.1\r\nHo\rst: a\r\n", Fault::BareCr),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", Fault::BareCr),
    (b" GET / HTTP/1.1\r\n", Fault::MethodInvalid),
    (b"G(T / HTTP/1.1\r\n", Fault::MethodInvalid),
    (b"G\0T / HTTP/1.1\r\n", Fault::MethodInvalid),
    (b"\x16\x04 / HTTP/1.1\r\n", Fault::MethodInvalid),
    (b"CONNECT a:443 HTTP/1.1\r\n", Fault::ConnectRefused),
    (b"GET\r\n", Fault::TargetMissing),
    (b"GET  HTTP/1.1\r\n", Fault::TargetMissing),
    (b"GET /a b HTTP/1.1\r\n", Fault::TargetSpace),
    (b"GET  / HTTP/1.1\r\n", Fault::TargetSpace),
    (b"GET /\0 HTTP/1.1\r\n", Fault::TargetControl),
    (b"GET /\t HTTP/1.1\r\n", Fault::TargetControl),
    (b"GET /\x7f HTTP/1.1\r\n", Fault::TargetControl),
    (b"GET /\xc3\xa9 HTTP/1.1\r\n", Fault::TargetNonAscii),
    (b"GET /a#b HTTP/1.1\r\n", Fault::TargetFragment),
    (b"GET a HTTP/1.1\r\n", Fault::TargetForm),
    (b"GET * HTTP/1.1\r\n", Fault::TargetForm),
    (b"OPTIONS *a HTTP/1.1\r\n", Fault::TargetForm),
    (b"GET ftp://a/ HTTP/1.1\r\n", Fault::TargetForm),
    (b"GET http:///a HTTP/1.1\r\n", Fault::TargetForm),
    (b"GET http://u@a/ HTTP/1.1\r\n", Fault::TargetForm),
    (b"GET a.example:443 HTTP/1.1\r\n", Fault::TargetForm),
    (b"GET /\r\n", Fault::VersionInvalid),
    (b"GET / HTTP/1.1 \r\n", Fault::VersionInvalid),
    (b"GET / http/1.1\r\n", Fault::VersionInvalid),
    (b"GET / HTTP/1.11\r\n", Fault::VersionInvalid),
    (b"GET / HTTP/1.2\r\n", Fault::VersionUnsupported),
    (b"GET / HTTP/0.9\r\n", Fault::VersionUnsupported),
    (b"PRI * HTTP/2.0\r\n\r\nXX", Fault::TargetForm),
    (b"GET / HTTP/1.1\r\n a: b\r\n", Fault::ObsoleteFolding),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n",
        Fault::ObsoleteFolding,
    ),
    (b"GET / HTTP/1.1\r\n: b\r\n", Fault::NameEmpty),
    (b"GET / HTTP/1.1\r\nHost : a\r\n", Fault::SpaceBeforeColon),
    (b"GET / HTTP/1.1\r\nHost\t: a\r\n", Fault::SpaceBeforeColon),
    (b"GET / HTTP/1.1\r\nHost a: b\r\n", Fault::NameInvalid),
    (b"GET / HTTP/1.1\r\nHost\r\n", Fault::NameInvalid),
    (b"GET / HTTP/1.1\r\nX\0: b\r\n", Fault::NameInvalid),
    (b"GET / HTTP/1.1\r\n\xc3\xa9: b\r\n", Fault::NameInvalid),
    (b"GET / HTTP/1.1\r\nX(a): b\r\n", Fault::NameInvalid),
    (b"GET / HTTP/1.1\r\nX: a\0\r\n", Fault::ValueControl),
    (b"GET / HTTP/1.1\r\nX: \x1b[0m\r\n", Fault::ValueControl),
    (b"GET / HTTP/1.1\r\nX: \x7f\r\n", Fault::ValueControl),
    (b"GET / HTTP/1.1\r\nX: a\r\n\r\n", Fault::HostMissing),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n",
        Fault::HostDuplicate,
    ),
    (
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n",
        Fault::HostDuplicate,
    ),
    (b"GET / HTTP/1.1\r\nHost: a, b\r\n", Fault::HostInvalid),
    (b"GET / HTTP/1.1\r\nHost: a/b\r\n", Fault::HostInvalid),
    (b"GET / HTTP/1.1\r\nHost: u@a\r\n", Fault::HostInvalid),
    (
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n",
        Fault::ContentLengthDuplicate,
    ),
    (
        b"GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n",
        Fault::ContentLengthList,
    ),
    (
        b"GET / HTTP/1.1\r\nContent-Length: +1\r\n",
        Fault::ContentLengthInvalid,
    ),
    (
        b"GET / HTTP/1.1\r\nContent-Length: 1 1\r\n",
        Fault::ContentLengthInvalid,
    ),
    (
        b"GET / HTTP/1.1\r\nContent-Length:\r\n",
        Fault::ContentLengthInvalid,
    ),
    (
        b"GET / HTTP/1.1\r\nContent-Length: 0x1\r\n",
        Fault::ContentLengthInvalid,
    ),
    (
        b"GET / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n",
        Fault::ContentLengthOverflow,
    ),
    (
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        Fault::FramingConflict,
    ),
    (
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        Fault::FramingConflict,
    ),
    (
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        Fault::TransferEncodingDuplicate,
    ),
    (
        b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n",
        Fault::TransferEncodingUnsupported,
    ),
    (
        b"GET / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n",
        Fault::TransferEncodingUnsupported,
    ),
    (
        b"GET / HTTP/1.1\r\nTransfer-Encoding:\r\n",
        Fault::TransferEncodingUnsupported,
    ),
    (
        b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
        Fault::TransferEncodingOnHttp10,
    ),
    (
        b"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n",
        Fault::TooManyFields,
    ),
    (&[b'a'; 400], Fault::RequestLineTooLong),
];

#[test]
fn every_fault_is_found_by_its_last_byte_at_the_latest() {
    for (bytes, fault) in FAULTS {
        assert_eq!(
            scan(bytes),
            Err(*fault),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
        assert_eq!(fault.to_string(), fault.reason());
    }
}

#[test]
fn a_fault_is_final() {
    for (bytes, fault) in FAULTS {
        let mut scanner = Scanner::new(LIMITS);
        assert_eq!(scanner.scan(bytes), Err(*fault));
        let more = [bytes, &b"\r\n\r\n"[..]].concat();
        assert_eq!(
            scanner.scan(&more),
            Err(*fault),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn the_limit_on_bytes_is_exact() {
    let with_filler = |filler: usize| {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
        bytes.resize(bytes.len() + filler, b'x');
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    };
    let fits = with_filler(LIMITS.max_bytes - with_filler(0).len());
    assert_eq!(head(&fits).len, LIMITS.max_bytes);
    let mut and_body = fits.clone();
    and_body.extend_from_slice(b"body");
    assert_eq!(head(&and_body).len, LIMITS.max_bytes);
    let beyond = with_filler(LIMITS.max_bytes + 1 - with_filler(0).len());
    assert_eq!(scan(&beyond), Err(Fault::HeadTooLong));
}

#[test]
fn exactly_as_many_fields_as_allowed_pass() {
    head(b"GET / HTTP/1.1\r\nHost: a\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n");
}

#[test]
fn the_http2_preface_is_awaited_and_recognised() {
    assert_eq!(scan(HTTP2_PREFACE), Ok(Step::Http2Preface));
    for end in 0..HTTP2_PREFACE.len() {
        assert_eq!(scan(&HTTP2_PREFACE[..end]), Ok(Step::More));
    }
    let and_settings = [&HTTP2_PREFACE[..], b"\0\0\0\x04\0\0\0\0\0"].concat();
    assert_eq!(scan(&and_settings), Ok(Step::Http2Preface));
}

#[test]
fn kinds_tell_statuses_apart() {
    assert_eq!(Fault::BareLf.kind(), Kind::Malformed);
    assert_eq!(Fault::HeadTooLong.kind(), Kind::TooLarge);
    assert_eq!(Fault::RequestLineTooLong.kind(), Kind::TooLarge);
    assert_eq!(Fault::TooManyFields.kind(), Kind::TooLarge);
    assert_eq!(Fault::VersionUnsupported.kind(), Kind::VersionUnsupported);
    assert_eq!(Fault::ConnectRefused.kind(), Kind::MethodRefused);
    assert_eq!(
        Fault::TlsClientHello.reason(),
        "this is a plain-text port and the client speaks TLS"
    );
}
