//! gRPC-Web: gRPC for who has no trailers, such as a page in a browser.
//!
//! Messages are framed as ever, and trailers are one more frame at the end, whose flag has the
//! highest bit. The text variant is all of that in base64. [`Decoder`] reads what a browser sends,
//! [`Encoder`] writes what it gets; both know where messages end, and not what is in them.

mod base64;
mod decoder;
mod encoder;

pub use self::base64::{Fault as Base64Fault, What as Base64What};
pub use decoder::{Decoder, Fault};
pub use encoder::Encoder;

/// Whether a body is base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// It is frames as they are.
    Binary,
    /// It is frames in base64.
    Text,
}
