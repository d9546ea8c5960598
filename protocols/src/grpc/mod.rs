//! gRPC as bytes (grpc/grpc, "gRPC over HTTP2" and "gRPC-Web").
//!
//! | Module | Is about |
//! |---|---|
//! | [`frame`] | messages and the five bytes before each |
//!
//! What a message says is never looked at, nor is it decompressed: no schema is known here. Names of
//! header fields are for who holds the headers.

pub mod frame;
