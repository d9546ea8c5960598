//! gRPC as bytes (grpc/grpc, "gRPC over HTTP2" and "gRPC-Web").
//!
//! | Module | Is about |
//! |---|---|
//! | [`content_type`] | which of gRPC's wires a body is on, and the format of its messages |
//! | [`frame`] | messages and the five bytes before each |
//! | [`path`] | the service and method that are called |
//! | [`status`] | how a call ended: code, message, details |
//! | [`timeout`] | how long the caller will wait |
//! | [`web`] | the same calls for browsers |
//!
//! What a message says is never looked at, nor is it decompressed: no schema is known here. Names of
//! header fields are for who holds the headers.

pub mod content_type;
pub mod frame;
pub mod path;
pub mod status;
pub mod timeout;
pub mod web;
