//! Actions: what a route does with a request that its policies let through. Exactly one a route.

pub(crate) mod build;
pub(crate) mod destination;
pub(crate) mod forward;
pub(crate) mod graphql;
pub(crate) mod grpc;
pub(crate) mod llm;
pub(crate) mod publish;
mod record;
pub(crate) mod redirect;
pub(crate) mod request_reply;
pub(crate) mod respond;
pub(crate) mod subscribe;
pub(crate) mod table;
pub(crate) mod template;
pub(crate) mod websocket;

use std::sync::Arc;

use pingora_http::RequestHeader;
use weir_telemetry::Code;

use self::grpc::Told;
use crate::error::GatewayError;
use crate::policy::quota::{self, Bound};
use crate::proxy::{Downstream, Request};
use crate::runtime::{Dialect, Route};

/// What a route does, ready to run.
pub(crate) enum Action {
    /// Passes the request to an upstream.
    Forward(forward::Forward),
    /// Passes GraphQL to an upstream.
    Graphql(Box<graphql::Graphql>),
    /// Passes gRPC calls to an upstream.
    Grpc(grpc::Grpc),
    /// Has a language model answer.
    Llm(llm::Llm),
    /// Has a language model answer a prompt.
    Prompt(llm::prompt::Prompt),
    /// Passes a WebSocket connection to an upstream.
    Websocket(websocket::Websocket),
    /// Makes the request a Kafka record.
    Publish(Box<publish::Publish>),
    /// Gives out the records of a topic.
    Subscribe(Box<subscribe::Subscribe>),
    /// Serves a compacted topic as a resource.
    Table(Box<table::Table>),
    /// Makes the request a Kafka record, and answers with the one that replies to it.
    RequestReply(Box<request_reply::RequestReply>),
    /// Answers by itself.
    Respond(respond::Respond),
    /// Sends the caller elsewhere.
    Redirect(redirect::Redirect),
}

impl Action {
    /// The action's name in the configuration and in telemetry.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Action::Forward(_) => "forward",
            Action::Graphql(_) => "graphql",
            Action::Grpc(_) => "grpc",
            Action::Llm(_) => "llm",
            Action::Prompt(_) => "prompt",
            Action::Websocket(_) => "websocket",
            Action::Publish(_) => "publish",
            Action::Subscribe(_) => "subscribe",
            Action::Table(_) => "table",
            Action::RequestReply(_) => "request_reply",
            Action::Respond(_) => "respond",
            Action::Redirect(_) => "redirect",
        }
    }

    /// Makes ready what takes long the first time tokens are counted.
    pub(crate) fn prepare_to_count(&self) {
        match self {
            Action::Llm(llm) => llm.prepare_to_count(),
            Action::Prompt(prompt) => prompt.prepare_to_count(),
            Action::Forward(_)
            | Action::Websocket(_)
            | Action::Graphql(_)
            | Action::Grpc(_)
            | Action::Publish(_)
            | Action::Subscribe(_)
            | Action::Table(_)
            | Action::RequestReply(_)
            | Action::Respond(_)
            | Action::Redirect(_) => {}
        }
    }

    /// Whether it has a cost of its own, and charges that itself: see [`quota::charge`].
    fn charges(&self) -> bool {
        match self {
            Action::Graphql(_)
            | Action::Llm(_)
            | Action::Prompt(_)
            | Action::Websocket(_)
            | Action::Publish(_)
            | Action::Subscribe(_)
            | Action::Table(_)
            | Action::RequestReply(_) => true,
            Action::Forward(_) | Action::Grpc(_) | Action::Respond(_) | Action::Redirect(_) => {
                false
            }
        }
    }

    /// What is told of a request to this path before anything is done with it.
    pub(crate) fn told(&self, head: &RequestHeader, path: &str) -> Told {
        match self {
            Action::Grpc(action) => action.told(head, path),
            Action::Publish(action) if action.config.call.is_some() => grpc::called::told(head),
            Action::Subscribe(action) if action.config.call.is_some() => grpc::called::told(head),
            _ => Told::of(self.dialect(head)),
        }
    }

    /// The dialect in which a caller of this address reads errors.
    fn dialect(&self, head: &RequestHeader) -> Dialect {
        match self {
            Action::Graphql(_) => graphql::dialect(&head.headers),
            Action::Llm(_) => llm::api_of(&head.uri, &head.headers).dialect(),
            _ => Dialect::Problem,
        }
    }
}

/// Runs a route's action.
///
/// Quotas that waited for what only the action knows are charged whatever becomes of it: by an
/// action that has a cost of its own once it knows that, and else as for one request. An error of
/// the action's own gives way to a refusal.
pub(crate) async fn run(
    route: &Arc<Route>,
    request: &mut Request,
    down: &mut Downstream,
) -> Result<(), GatewayError> {
    let opens = matches!(
        route.action,
        Action::Websocket(_) | Action::Graphql(_) | Action::Subscribe(_)
    );
    if request.extended_connect && !opens {
        // To any other answer, a success would be a tunnel that nobody is at the end of.
        let message = "This route opens no WebSocket connections.";
        return Err(GatewayError::public(Code::MethodRefused, message));
    }
    if !route.action.charges() {
        quota::charge(request, &down.head().headers, Bound::default()).await?;
    }
    let ran = match &route.action {
        Action::Forward(action) => action.run(request, down).await,
        // On the heap, so that requests of other routes do not carry it about.
        Action::Graphql(action) => Box::pin(action.run(request, down)).await,
        Action::Grpc(action) => action.run(request, down).await,
        Action::Llm(action) => action.run(request, down).await,
        Action::Prompt(action) => action.run(request, down).await,
        Action::Websocket(action) => action.run(request, down).await,
        Action::Publish(action) => action.run(request, down).await,
        Action::Subscribe(action) => Box::pin(action.run(request, down)).await,
        Action::Table(action) => Box::pin(action.run(request, down)).await,
        Action::RequestReply(action) => Box::pin(action.run(request, down)).await,
        Action::Respond(action) => action.run(request, down).await,
        Action::Redirect(action) => action.run(request, down).await,
    };
    match &ran {
        Err(error) if error.code != Code::ClientDisconnected => {
            quota::charge(request, &down.head().headers, Bound::default()).await?;
        }
        _ => {}
    }
    ran
}
