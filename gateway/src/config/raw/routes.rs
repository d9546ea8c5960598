//! `routes` as written: what is matched, which policies apply, one action.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use super::graphql::Graphql;
use super::grpc::Grpc;
use super::llm::Llm;
use super::policies::Policy;
use super::prompt::Prompt;
use super::publish::Publish;
use super::request_reply::RequestReply;
use super::subscribe::Subscribe;
use super::table::Table;
use super::upstreams::Endpoint;
use super::websocket::Websocket;

/// What is matched, which policies apply, and the one action taken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The name; a label of metrics.
    pub name: Name,
    /// The team it belongs to; the platform's, if not said.
    #[serde(default)]
    pub team: Option<Name>,
    /// Names of listeners it is served on; all, if not said.
    #[serde(default)]
    pub listeners: Vec<Name>,
    /// Hosts it is served for, exact or `*.example.com`; all, if not said.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What requests have to look like: any one of these. Every request, if not said.
    #[serde(default)]
    pub matches: Vec<Match>,
    /// Policies of this route.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// Action: passes the request to an upstream.
    #[serde(default)]
    pub forward: Option<Forward>,
    /// Action: passes GraphQL to an upstream, within limits.
    #[serde(default)]
    pub graphql: Option<Graphql>,
    /// Action: passes gRPC calls to an upstream.
    #[serde(default)]
    pub grpc: Option<Grpc>,
    /// Action: answers LLM calls.
    #[serde(default)]
    pub llm: Option<Llm>,
    /// Action: has a model answer a prompt made of the request's own JSON.
    #[serde(default)]
    pub prompt: Option<Prompt>,
    /// Action: passes WebSocket connections to an upstream, message by message.
    #[serde(default)]
    pub websocket: Option<Websocket>,
    /// Action: makes the request a Kafka record.
    #[serde(default)]
    pub publish: Option<Publish>,
    /// Action: gives out the records of a Kafka topic.
    #[serde(default)]
    pub subscribe: Option<Subscribe>,
    /// Action: serves a compacted Kafka topic as a resource.
    #[serde(default)]
    pub table: Option<Table>,
    /// Action: makes the request a Kafka record, and answers with the one that replies to it.
    #[serde(default)]
    pub request_reply: Option<RequestReply>,
    /// Action: answers without asking anyone.
    #[serde(default)]
    pub respond: Option<Respond>,
    /// Action: sends the caller elsewhere.
    #[serde(default)]
    pub redirect: Option<Redirect>,
}

/// What a request has to look like: everything said here at once.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The path; any, if not said.
    pub path: Option<Path>,
    /// What a gRPC call calls, instead of a path.
    pub rpc: Option<Rpc>,
    /// Methods; any, if not said.
    pub methods: Vec<String>,
    /// Header fields, all of them.
    pub headers: Vec<Field>,
    /// Query parameters, all of them.
    pub query: Vec<Field>,
}

/// A path: exactly one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PathMatch")]
pub struct Path {
    /// This path and no other.
    pub exact: Option<String>,
    /// This path and all below it, by whole segments.
    pub prefix: Option<String>,
    /// A path with captures, as `/events/{topic}` or `/files/{*rest}`.
    pub template: Option<String>,
}

/// What a gRPC call calls: a service, a method, or both.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RpcMatch")]
pub struct Rpc {
    /// The service with its package, as `helloworld.Greeter`; any, if not said.
    pub service: Option<String>,
    /// The method, as `SayHello`; any, if not said.
    pub method: Option<String>,
}

/// A header field or query parameter: its name, and exactly one test.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FieldMatch")]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its whole value.
    #[serde(default)]
    pub exact: Option<String>,
    /// How its value begins.
    #[serde(default)]
    pub prefix: Option<String>,
    /// `true`: it is there, whatever its value.
    #[serde(default)]
    pub present: Option<bool>,
}

/// Passes the request to an upstream; any HTTP, upgrades and trailers included.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Upstreams, picked by weight.
    #[schemars(length(min = 1))]
    pub backends: Vec<Backend>,
    /// What changes on the way.
    #[serde(default)]
    pub rewrite: Option<Rewrite>,
}

/// An upstream and its share.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// The name of an entry of `upstreams`.
    pub upstream: Name,
    /// Its share of requests, relative to the others. 0 takes it out.
    #[serde(default = "Endpoint::default_weight")]
    #[schemars(range(max = 10000))]
    pub weight: u32,
}

/// What changes on the way to an upstream.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rewrite {
    /// The path; the query is kept.
    pub path: Option<PathRewrite>,
    /// The Host sent.
    pub host: Option<String>,
}

/// A new path: exactly one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PathRewrite {
    /// Takes these leading segments away, as `/api`.
    pub strip_prefix: Option<String>,
    /// This path instead.
    pub replace: Option<String>,
    /// A path made of captures, as `/v2/{path.id}`.
    pub template: Option<String>,
}

/// Answers without asking anyone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Respond {
    /// The status.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// The body.
    pub body: String,
    /// Header fields.
    pub headers: BTreeMap<String, String>,
}

impl Default for Respond {
    fn default() -> Self {
        Self {
            status: 200,
            body: String::new(),
            headers: BTreeMap::new(),
        }
    }
}

/// Sends the caller elsewhere.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// Where to: a URL or a path, as `https://example.com/{path.rest}`.
    pub location: String,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "Redirect::default_status")]
    #[schemars(range(min = 301, max = 308))]
    pub status: u16,
}

impl Redirect {
    fn default_status() -> u16 {
        302
    }
}
