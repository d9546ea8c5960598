//! GraphQL (October 2021, September 2025) over HTTP: what a request asks for, and what it costs before
//! anything runs it. Fields are known by name, and by type where a schema is given.
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`lex`] | the tokens of a document, counted without a parser | |
//! | [`request`] | a request over HTTP, from a body or a query string | |
//! | [`document`] | a document, the operation of it that runs, and the measures of that | |
//! | [`field`], [`schema`] | which field is meant, and which type it is of | |
//! | [`manifest`] | which documents a client runs | |
//! | [`limits`] | | which measure is beyond its limit |
//! | [`response`] | which media type is asked for | statuses, errors |
//! | [`transport_ws`] | what is said on a WebSocket | operations, errors |

pub mod document;
mod fault;
pub mod field;
pub mod lex;
pub mod limits;
pub mod manifest;
pub mod request;
pub mod response;
pub mod schema;
pub mod transport_ws;

pub use crate::json::{Fault as RequestFault, FaultKind as RequestFaultKind};
pub use crate::llm::Json;
pub use fault::{Fault, Place};
