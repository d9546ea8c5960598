//! `grpc` of a route that is fed by a topic, or writes to one, as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// The method of gRPC, a server stream, by which the route is called, and by nothing else.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SubscribeMethod")]
pub struct Subscribed {
    /// The method, as `shop.v1.Orders/Watch`, or `weir.events.v1.Events/Subscribe`, which needs no
    /// descriptors.
    pub method: String,
    /// The compiled `.proto` files that have it: a FileDescriptorSet, as
    /// `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` writes it.
    #[serde(default)]
    pub descriptors: Option<String>,
    /// What the values of records are, of which the method's messages are made. For methods that answer
    /// with `weir.events.v1.Event`, which has records as they are, and for routes with a `schema`, it is
    /// not to be said.
    #[serde(default)]
    pub value: Option<Value>,
    /// The name of a field of text by which callers are told where they are, if the message they are sent
    /// has one for that, and say it when they come again, if theirs has one.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// The method of gRPC by which the route is called, and by nothing else: each message becomes a record. One that
/// answers with a stream answers each message; one that answers once says how many were written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PublishMethod")]
pub struct Published {
    /// The method, as `shop.v1.Meters/Report`, or `Publish` and `PublishEach` of `weir.events.v1.Events`,
    /// which need no descriptors.
    pub method: String,
    /// The compiled `.proto` files that have it, as for `subscribe`.
    #[serde(default)]
    pub descriptors: Option<String>,
    /// What messages become as values of records. For methods that take
    /// `weir.events.v1.PublishRequest`, which has them as they are, and for routes with a `schema`, it is
    /// not to be said.
    #[serde(default)]
    pub value: Option<Value>,
}

/// How a message is the value of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MessageValue")]
pub enum Value {
    /// As it is: in Protobuf's own encoding, and nothing before it.
    #[default]
    Protobuf,
    /// As JSON, by Protobuf's rules.
    Json,
}
