//! HTTP and JSON for methods of gRPC (google/api/http.proto, and protobuf's "ProtoJSON format").
//!
//! A [`Table`] is made once from the rules of a [`Pool`](super::descriptor::Pool) and finds the
//! [`Route`] of a request; [`request::Reader`] makes the messages of a call of its body,
//! and [`response::Writer`] the body of an answer of what is answered.
//! Headers, trailers and who is called are the caller's business.

mod any;
mod field;
mod message;
pub mod request;
pub mod response;
pub mod route;
mod table;
pub mod template;

pub use message::Message;
pub use route::Route;
pub use table::{Found, Match, Table};
