//! Why a request head is refused. Each fault says it in one plain sentence;
//! which status or error code that becomes is not known here.

use std::fmt;

/// What is wrong with a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The connection begins with a TLS handshake record.
    TlsClientHello,
    /// More than the one empty line RFC 9112 §2.2 tolerates came first.
    LeadingEmptyLines,
    /// A line ends in LF without CR.
    BareLf,
    /// A CR that is not part of a line end.
    BareCr,
    /// The method is empty or not a token.
    MethodInvalid,
    /// The method is CONNECT.
    ConnectRefused,
    /// There is no target after the method.
    TargetMissing,
    /// A space or more in the target.
    TargetSpace,
    /// A control octet in the target.
    TargetControl,
    /// An octet of 0x80 or more in the target.
    TargetNonAscii,
    /// A `#` in the target.
    TargetFragment,
    /// Not origin-form, nor `*` with OPTIONS, nor absolute-form http(s).
    TargetForm,
    /// The request line has no version, or one that is not `HTTP/d.d`.
    VersionInvalid,
    /// A well-formed version other than 1.0 and 1.1.
    VersionUnsupported,
    /// A field line begins with white space.
    ObsoleteFolding,
    /// A field line begins with the colon.
    NameEmpty,
    /// White space between field name and colon.
    SpaceBeforeColon,
    /// A field name is not a token, or its line has no colon.
    NameInvalid,
    /// A control octet other than HTAB in a field value.
    ValueControl,
    /// An HTTP/1.1 request without `Host`.
    HostMissing,
    /// More than one `Host`.
    HostDuplicate,
    /// A `Host` that is not a host with an optional port.
    HostInvalid,
    /// More than one `Content-Length` field, identical or not.
    ContentLengthDuplicate,
    /// A `Content-Length` of several values in a list.
    ContentLengthList,
    /// A `Content-Length` that is not only digits.
    ContentLengthInvalid,
    /// A `Content-Length` that does not fit 64 bits.
    ContentLengthOverflow,
    /// Both `Transfer-Encoding` and `Content-Length`.
    FramingConflict,
    /// More than one `Transfer-Encoding` field.
    TransferEncodingDuplicate,
    /// A `Transfer-Encoding` other than exactly `chunked`.
    TransferEncodingUnsupported,
    /// A `Transfer-Encoding` on HTTP/1.0, which has none.
    TransferEncodingOnHttp10,
    /// The limit was reached before the request line ended.
    RequestLineTooLong,
    /// The limit was reached before the head ended.
    HeadTooLong,
    /// More field lines than the limit.
    TooManyFields,
}

/// What sort of refusal a [`Fault`] calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The bytes are not a valid HTTP/1 request head (400).
    Malformed,
    /// The head is beyond a limit (431, or 414 for the request line).
    TooLarge,
    /// The protocol version is not spoken here (505).
    VersionUnsupported,
    /// The method is not served at all (405 or 501).
    MethodRefused,
}

impl Fault {
    /// The sort of refusal this calls for.
    pub fn kind(&self) -> Kind {
        match self {
            Self::RequestLineTooLong | Self::HeadTooLong | Self::TooManyFields => Kind::TooLarge,
            Self::VersionUnsupported => Kind::VersionUnsupported,
            Self::ConnectRefused => Kind::MethodRefused,
            _ => Kind::Malformed,
        }
    }

    /// One plain sentence for the client and the operator. It never repeats
    /// what was sent, so it is safe to log and to answer with.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TlsClientHello => "this is a plain-text port and the client speaks TLS",
            Self::LeadingEmptyLines => "more than one empty line comes before the request line",
            Self::BareLf => "a line ends in LF alone; lines must end in CR LF",
            Self::BareCr => "a CR stands alone; it may only be part of a CR LF line end",
            Self::MethodInvalid => "the method is empty or contains a character no method may have",
            Self::ConnectRefused => "this is not a forward proxy; CONNECT is refused",
            Self::TargetMissing => "the request line has no target after the method",
            Self::TargetSpace => "the request target contains a space; send it as %20",
            Self::TargetControl => {
                "the request target contains a control character; percent-encode it"
            }
            Self::TargetNonAscii => {
                "the request target contains a non-ASCII byte; percent-encode it"
            }
            Self::TargetFragment => "the request target contains '#'; a fragment is never sent",
            Self::TargetForm => {
                "the request target must be a path beginning with '/', an http or https URL without user name, or '*' with OPTIONS"
            }
            Self::VersionInvalid => "the request line does not end in a version such as HTTP/1.1",
            Self::VersionUnsupported => {
                "the HTTP version is not supported; use HTTP/1.1 or HTTP/1.0"
            }
            Self::ObsoleteFolding => {
                "a header line begins with white space; folded headers are refused"
            }
            Self::NameEmpty => "a header has no name before its colon",
            Self::SpaceBeforeColon => "there is white space between a header name and its colon",
            Self::NameInvalid => {
                "a header name contains a character no name may have, or its line has no colon"
            }
            Self::ValueControl => "a header value contains a control character",
            Self::HostMissing => "an HTTP/1.1 request must have a Host header",
            Self::HostDuplicate => "there is more than one Host header",
            Self::HostInvalid => "the Host header is not a host name with an optional port",
            Self::ContentLengthDuplicate => "there is more than one Content-Length header",
            Self::ContentLengthList => "Content-Length holds a list; it must be one number",
            Self::ContentLengthInvalid => "Content-Length must be digits only",
            Self::ContentLengthOverflow => "Content-Length does not fit into 64 bits",
            Self::FramingConflict => {
                "Transfer-Encoding and Content-Length are both present; send only one"
            }
            Self::TransferEncodingDuplicate => "there is more than one Transfer-Encoding header",
            Self::TransferEncodingUnsupported => "the only Transfer-Encoding understood is chunked",
            Self::TransferEncodingOnHttp10 => "HTTP/1.0 has no Transfer-Encoding; use HTTP/1.1",
            Self::RequestLineTooLong => "the request line is longer than the limit for a head",
            Self::HeadTooLong => "the request head is longer than the limit",
            Self::TooManyFields => "the request has more header lines than the limit",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Fault {}
