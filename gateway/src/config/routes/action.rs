//! What a route does with a request.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::destination::Destination;
use super::graphql::Graphql;
use super::grpc::Grpc;
use super::llm::Llm;
use super::prompt::Prompt;
use super::publish::Publish;
use super::request_reply::RequestReply;
use super::subscribe::Subscribe;
use super::table::Table;
use super::websocket::Websocket;
use crate::config::template::Template;

/// What a route does with a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// Passes it to an upstream.
    Forward(Forward),
    /// Passes GraphQL to an upstream.
    Graphql(Box<Graphql>),
    /// Passes gRPC calls to an upstream.
    Grpc(Grpc),
    /// Answers an LLM call.
    Llm(Llm),
    /// Has a model answer a prompt.
    Prompt(Prompt),
    /// Passes WebSocket connections to an upstream.
    Websocket(Websocket),
    /// Makes it a Kafka record.
    Publish(Publish),
    /// Gives out the records of a Kafka topic.
    Subscribe(Box<Subscribe>),
    /// Serves a compacted Kafka topic as a resource.
    Table(Box<Table>),
    /// Makes it a Kafka record, and answers with the one that replies to it.
    RequestReply(Box<RequestReply>),
    /// Answers without asking anyone.
    Respond(Respond),
    /// Sends the caller elsewhere.
    Redirect(Redirect),
}

impl Action {
    /// The key of the action in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::Graphql(_) => "graphql",
            Self::Grpc(_) => "grpc",
            Self::Llm(_) => "llm",
            Self::Prompt(_) => "prompt",
            Self::Websocket(_) => "websocket",
            Self::Publish(_) => "publish",
            Self::Subscribe(_) => "subscribe",
            Self::Table(_) => "table",
            Self::RequestReply(_) => "request_reply",
            Self::Respond(_) => "respond",
            Self::Redirect(_) => "redirect",
        }
    }

    /// The models it may ask.
    pub fn models(&self) -> &[Arc<str>] {
        match self {
            Self::Llm(llm) => &llm.models,
            Self::Prompt(prompt) => std::slice::from_ref(&prompt.model),
            Self::Forward(_)
            | Self::Websocket(_)
            | Self::Graphql(_)
            | Self::Grpc(_)
            | Self::Publish(_)
            | Self::Subscribe(_)
            | Self::Table(_)
            | Self::RequestReply(_)
            | Self::Respond(_)
            | Self::Redirect(_) => &[],
        }
    }
}

/// Passes a request to an upstream.
#[derive(Debug, Clone)]
pub struct Forward {
    /// Where to.
    pub to: Destination,
}

/// Answers without asking anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// Header fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Sends the caller elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// A URL or a path.
    pub location: Template,
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}
