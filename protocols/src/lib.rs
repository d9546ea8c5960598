//! What bytes mean: the wire formats Weir reads and writes, sans I/O.
//!
//! Bytes go in, typed events or typed faults come out. Nothing here opens a
//! socket, waits, logs, counts or knows that a gateway exists; that is what
//! makes every parser testable on a transcript split at any byte.
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`anthropic`] | requests, answers, streams and errors of Anthropic's Messages | the same, model lists, counts |
//! | [`aws`] | binary event streams | those in tests; signatures |
//! | [`bedrock`] | answers and streams of AWS Bedrock's Converse, its errors | its requests |
//! | [`cloudevents`] | events in HTTP requests, JSON and Kafka records | the same |
//! | [`graphql`] | requests, and what one costs before anything runs it | errors |
//! | [`grpc`] | messages in their frames, gRPC-Web, paths, timeouts, statuses, descriptors; HTTP and JSON for all that | the same |
//! | [`http1::head`] | a request head, before any HTTP library sees it | |
//! | [`sse`] | an event stream, event by event | events and comments |
//! | [`image`] | the size of an image, from its first bytes | |
//! | [`llm`] | | what every dialect of language models is read into and written from |
//! | [`gemini`] | requests, answers, streams, errors | the same, model lists, token counts |
//! | [`openai`] | chat requests, usage, stream chunks | edits, errors, model lists |
//! | [`texts`] | what is said in a call, in any dialect | the same, changed in place |
//! | [`pointer`] | one value out of a JSON text | |
//! | [`problem`] | | RFC 9457 problem documents |
//! | [`rate_limit`] | | `RateLimit` and `RateLimit-Policy` fields |
//! | [`rfc3339`] | moments | |
//! | [`websocket`] | frames, as they pass; why a connection is closed | pings, pongs, closes |
//!
//! These sit on the way of every request, so they borrow from the input
//! wherever they can and say so where they cannot.

pub mod anthropic;
pub mod aws;
pub mod bedrock;
pub mod cloudevents;
pub mod gemini;
pub mod graphql;
pub mod grpc;
pub mod http1;
pub mod image;
mod json;
pub mod llm;
pub mod openai;
pub mod pointer;
pub mod problem;
pub mod rate_limit;
pub mod rfc3339;
pub mod sse;
pub mod texts;
pub mod websocket;
