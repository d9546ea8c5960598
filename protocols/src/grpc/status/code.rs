//! The codes of gRPC (google.rpc.Code), their names and numbers, and what they are in HTTP.

use std::fmt;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// As it should.
    Ok = 0,
    /// The caller gave up.
    Cancelled = 1,
    /// Nobody said how.
    Unknown = 2,
    /// The arguments are wrong, whatever the server's state is.
    InvalidArgument = 3,
    /// The time was up.
    DeadlineExceeded = 4,
    /// What is asked for is not there.
    NotFound = 5,
    /// What is to be made is there already.
    AlreadyExists = 6,
    /// The caller is known and may not.
    PermissionDenied = 7,
    /// A quota or some space is used up.
    ResourceExhausted = 8,
    /// The server is not in a state for this.
    FailedPrecondition = 9,
    /// Another call got in between.
    Aborted = 10,
    /// Past the end of something.
    OutOfRange = 11,
    /// There is no such method.
    Unimplemented = 12,
    /// Something broke that should not.
    Internal = 13,
    /// Not now; another try may do.
    Unavailable = 14,
    /// Data is lost for good.
    DataLoss = 15,
    /// Who calls is not known.
    Unauthenticated = 16,
}

impl Code {
    /// All of them, by their numbers.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// Its number, as `grpc-status` says it.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code of a number, if it is one of the seventeen.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The code in the value of a `grpc-status` field. `None` if it is no number or none of the
    /// seventeen: a caller then takes it for [`Unknown`](Self::Unknown).
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Self::from_number(std::str::from_utf8(value).ok()?.parse().ok()?)
    }

    /// Its name, as in `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The code a caller gives to an answer that has this HTTP status and says no code itself
    /// (grpc/grpc, "HTTP to gRPC Status Code Mapping"). 200 is no exception: a call that ended well
    /// says so. Not the reverse of [`to_http`](Self::to_http).
    pub const fn from_http(status: u16) -> Self {
        match status {
            400 | 431 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The code a caller gives to a call whose stream its server reset with this reason (RFC 9113,
    /// 7; grpc/grpc, "gRPC over HTTP2", Errors).
    pub const fn from_reset(reason: u32) -> Self {
        match reason {
            0..=4 | 6 | 9 | 10 => Self::Internal,
            7 => Self::Unavailable,
            8 => Self::Cancelled,
            11 => Self::ResourceExhausted,
            12 => Self::PermissionDenied,
            _ => Self::Unknown,
        }
    }

    /// The HTTP status that says the same to who does not speak gRPC (google.rpc.Code). On gRPC's
    /// own wires the status is 200, whatever the code.
    pub const fn to_http(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::InvalidArgument | Self::FailedPrecondition | Self::OutOfRange => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Aborted => 409,
            Self::ResourceExhausted => 429,
            Self::Cancelled => 499,
            Self::Unknown | Self::Internal | Self::DataLoss => 500,
            Self::Unimplemented => 501,
            Self::Unavailable => 503,
            Self::DeadlineExceeded => 504,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_numbers() {
        for (number, code) in (0..).zip(Code::ALL) {
            assert_eq!(u32::from(code.number()), number);
            assert_eq!(Code::from_number(number), Some(code));
            assert_eq!(Code::parse(number.to_string().as_bytes()), Some(code));
        }
        assert_eq!(Code::from_number(17), None);
        assert_eq!(Code::Unauthenticated.to_string(), "UNAUTHENTICATED");
    }

    #[test]
    fn what_is_no_code_is_none() {
        for value in ["", "17", "-1", "+1", " 1", "1 ", "OK", "4294967297"] {
            assert_eq!(Code::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn an_answer_without_a_code_gets_one() {
        for (status, code) in [
            (200, Code::Unknown),
            (301, Code::Unknown),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (415, Code::Unknown),
            (429, Code::Unavailable),
            (431, Code::Internal),
            (500, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
        ] {
            assert_eq!(Code::from_http(status), code, "{status}");
        }
    }

    #[test]
    fn a_stream_that_was_reset_has_a_code() {
        let codes: Vec<_> = (0..=14).map(Code::from_reset).collect();
        let mut expected = [Code::Internal; 15];
        for (reason, code) in [
            (5, Code::Unknown),
            (7, Code::Unavailable),
            (8, Code::Cancelled),
            (11, Code::ResourceExhausted),
            (12, Code::PermissionDenied),
            (13, Code::Unknown),
            (14, Code::Unknown),
        ] {
            expected[reason] = code;
        }
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_code_has_a_status() {
        let statuses = Code::ALL.map(Code::to_http);
        let expected = [
            200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
        ];
        assert_eq!(statuses, expected);
    }
}
