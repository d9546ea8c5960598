//! AWS Bedrock's Converse: many providers' models behind one API (Amazon Bedrock API Reference,
//! `Converse` and `ConverseStream`). A dialect out only: requests are written, answers are read.
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`request`] | | the body of either call |
//! | [`answer`] | what `Converse` answers | |
//! | [`stream`] | the messages of `ConverseStream` | |
//! | [`error`] | errors of either | |
//!
//! The frames of a stream and the signature of a request are AWS's own: see
//! [`aws`](crate::aws). Which account, region or credentials are used is not known here.

pub mod answer;
pub mod error;
mod finish;
mod model;
pub mod request;
pub mod stream;
mod usage;

use crate::aws::percent_encode;

/// The name of the service in a signature's scope.
pub const SERVICE: &str = "bedrock";

/// The path at which `model` is called: an id, an inference profile or an ARN. It is encoded as it
/// goes out, colons and slashes included; a signature encodes it once more.
pub fn path(model: &str, stream: bool) -> String {
    let mut path = String::from("/model/");
    percent_encode(&mut path, model.as_bytes());
    path.push_str(if stream {
        "/converse-stream"
    } else {
        "/converse"
    });
    path
}
