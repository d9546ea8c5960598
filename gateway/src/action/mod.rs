//! Actions: what a route does with a request that its policies let through. Exactly one a route.

pub(crate) mod build;
pub(crate) mod forward;
pub(crate) mod llm;
pub(crate) mod publish;
pub(crate) mod redirect;
pub(crate) mod respond;
pub(crate) mod template;

use std::sync::Arc;

use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};
use crate::runtime::{Dialect, Route};

/// What a route does, ready to run.
pub(crate) enum Action {
    /// Passes the request to an upstream.
    Forward(forward::Forward),
    /// Has a language model answer.
    Llm(llm::Llm),
    /// Makes the request a Kafka record.
    Publish(publish::Publish),
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
            Action::Llm(_) => "llm",
            Action::Publish(_) => "publish",
            Action::Respond(_) => "respond",
            Action::Redirect(_) => "redirect",
        }
    }

    /// The dialect in which its callers read errors.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Action::Llm(_) => Dialect::OpenAi,
            _ => Dialect::Problem,
        }
    }
}

/// Runs a route's action.
pub(crate) async fn run(
    route: &Arc<Route>,
    request: &mut Request,
    down: &mut Downstream,
) -> Result<(), GatewayError> {
    match &route.action {
        Action::Forward(action) => action.run(request, down).await,
        Action::Llm(action) => action.run(request, down).await,
        Action::Publish(action) => action.run(request, down).await,
        Action::Respond(action) => action.run(request, down).await,
        Action::Redirect(action) => action.run(request, down).await,
    }
}
