//! gRPC as bytes (grpc/grpc, "gRPC over HTTP2" and "gRPC-Web").
//!
//! | Module | Is about |
//! |---|---|
//! | [`content_type`] | which of gRPC's wires a body is on, and the format of its messages |
//! | [`descriptor`] | which services and methods there are, and what their messages are made of |
//! | [`frame`] | messages and the five bytes before each |
//! | [`path`] | the service and method that are called |
//! | [`reflection`] | asking a server for its own descriptors |
//! | [`status`] | how a call ended: code, message, details |
//! | [`timeout`] | how long the caller will wait |
//! | [`transcode`] | the same calls as HTTP and JSON, by the rules of their methods |
//! | [`web`] | the same calls for browsers |
//!
//! What a message says is only looked at in [`transcode`], and nothing is decompressed. Names of header
//! fields are for who holds the headers.

pub mod content_type;
pub mod descriptor;
pub mod frame;
pub mod path;
pub mod reflection;
pub mod status;
pub mod timeout;
pub mod transcode;
pub mod web;
