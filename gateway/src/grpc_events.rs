//! `weir.events.v1`: the service by which callers of gRPC subscribe and publish whose routes say no messages of
//! their own. Knows the messages, and no topic.

use std::sync::LazyLock;

use prost::{Message, Oneof};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use weir_protocols::grpc::descriptor::{Limits, Pool};

/// As callers compile it.
pub(crate) const SOURCE: &str = include_str!("../proto/weir/events/v1/events.proto");
/// Its name, as others import it.
const FILE: &str = "weir/events/v1/events.proto";

/// The type of a question for records.
pub(crate) const SUBSCRIBE_REQUEST: &str = "weir.events.v1.SubscribeRequest";
/// Of what is told of one.
pub(crate) const EVENT: &str = "weir.events.v1.Event";
/// Of a record to be written.
pub(crate) const PUBLISH_REQUEST: &str = "weir.events.v1.PublishRequest";
/// Of what is said of one.
pub(crate) const PUBLISH_RESULT: &str = "weir.events.v1.PublishResult";
/// Of what is said of all.
pub(crate) const PUBLISH_SUMMARY: &str = "weir.events.v1.PublishSummary";

static POOL: LazyLock<Result<Pool, String>> = LazyLock::new(|| {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Own);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    let opened = compiler
        .open_file(FILE)
        .map_err(|error| error.to_string())?;
    let set = opened.encode_file_descriptor_set();
    Pool::read(&set, Limits::default()).map_err(|fault| fault.to_string())
});

/// The service and its messages.
///
/// # Errors
/// If the file is at fault, which a test would have told.
pub(crate) fn pool() -> Result<&'static Pool, &'static str> {
    POOL.as_ref().map_err(String::as_str)
}

struct Own;

impl FileResolver for Own {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            FILE => File::from_source(name, SOURCE),
            other => Err(protox::Error::file_not_found(other)),
        }
    }
}

/// What a subscriber asks for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SubscribeRequest {
    #[prost(string, tag = "1")]
    pub(crate) cursor: String,
    #[prost(string, tag = "2")]
    pub(crate) start: String,
    #[prost(string, optional, tag = "3")]
    pub(crate) key: Option<String>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(crate) json: std::collections::BTreeMap<String, String>,
    #[prost(string, tag = "6")]
    pub(crate) topic: String,
}

/// What it is told.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    #[prost(string, tag = "1")]
    pub(crate) cursor: String,
    #[prost(oneof = "What", tags = "2, 3")]
    pub(crate) what: Option<What>,
}

/// Something of a topic.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum What {
    #[prost(message, tag = "2")]
    Record(Record),
    #[prost(message, tag = "3")]
    Gaps(Gaps),
}

/// A record that was read.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(int32, tag = "1")]
    pub(crate) partition: i32,
    #[prost(int64, tag = "2")]
    pub(crate) offset: i64,
    #[prost(int64, optional, tag = "3")]
    pub(crate) timestamp: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) key: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) headers: Vec<Header>,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(crate) value: Option<Vec<u8>>,
    #[prost(string, tag = "7")]
    pub(crate) undecodable: String,
}

/// One of its headers.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<bytes::Bytes>,
}

/// What is missing.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Gaps {
    #[prost(message, repeated, tag = "1")]
    pub(crate) gaps: Vec<Gap>,
}

/// What is missing of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct Gap {
    #[prost(int32, tag = "1")]
    pub(crate) partition: i32,
    #[prost(int64, tag = "2")]
    pub(crate) from: i64,
    #[prost(int64, tag = "3")]
    pub(crate) to: i64,
}

/// A record to be written.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PublishRequest {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) key: Option<bytes::Bytes>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) headers: Vec<Header>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) value: Option<bytes::Bytes>,
}

/// What became of all.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PublishSummary {
    #[prost(uint64, tag = "1")]
    pub(crate) records: u64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) written: Vec<Written>,
}

/// Those of a partition.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Written {
    #[prost(string, tag = "1")]
    pub(crate) topic: String,
    #[prost(int32, tag = "2")]
    pub(crate) partition: i32,
    #[prost(uint64, tag = "3")]
    pub(crate) records: u64,
    #[prost(int64, tag = "4")]
    pub(crate) first_offset: i64,
    #[prost(int64, tag = "5")]
    pub(crate) last_offset: i64,
}

/// What became of one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PublishResult {
    #[prost(oneof = "Outcome", tags = "1, 2")]
    pub(crate) result: Option<Outcome>,
}

/// It is written, or why it is not known to be.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub(crate) enum Outcome {
    #[prost(message, tag = "1")]
    Written(Place),
    #[prost(message, tag = "2")]
    Failure(Failure),
}

/// Where a record is.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Place {
    #[prost(string, tag = "1")]
    pub(crate) topic: String,
    #[prost(int32, tag = "2")]
    pub(crate) partition: i32,
    #[prost(int64, tag = "3")]
    pub(crate) offset: i64,
}

/// Why one is not known to be written.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Failure {
    #[prost(string, tag = "1")]
    pub(crate) code: String,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(bool, tag = "3")]
    pub(crate) retryable: bool,
}

#[cfg(test)]
mod tests;
