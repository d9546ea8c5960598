//! Actions made ready to run from what the configuration says of them.

use std::sync::atomic::AtomicUsize;

use super::Action;
use super::forward::{Backend, Forward};
use super::llm;
use super::publish::Publish;
use super::redirect::Redirect;
use super::respond::Respond;
use crate::config::routes::Route;
use crate::config::routes::action as config;
use crate::config::template::Variable;
use crate::config::upstreams::Balance;
use crate::proxy::Reply;
use crate::routing::PathRewrite;
use crate::runtime::Parts;

/// Builds a route's action.
pub(crate) fn build(route: &Route, parts: &Parts<'_>) -> Result<Action, String> {
    Ok(match &route.action {
        config::Action::Forward(action) => Action::Forward(forward(action, parts)?),
        config::Action::Llm(action) => Action::Llm(llm::build::build(&route.name, action, parts)),
        config::Action::Prompt(action) => Action::Prompt(llm::build::prompt(action, parts)),
        config::Action::Publish(action) => Action::Publish(Publish {
            producer: parts.producer(&action.cluster),
            config: action.clone(),
            metrics: parts.metrics.clone(),
        }),
        config::Action::Respond(action) => Action::Respond(Respond {
            reply: Reply {
                status: action.status,
                headers: action.headers.clone(),
                body: action.body.clone(),
            },
        }),
        config::Action::Redirect(action) => Action::Redirect(Redirect {
            location: action.location.clone(),
            status: action.status,
        }),
    })
}

fn forward(action: &config::Forward, parts: &Parts<'_>) -> Result<Forward, String> {
    let backends: Vec<_> = action
        .backends
        .iter()
        .map(|backend| Backend {
            upstream: parts.upstream(&backend.upstream),
            hash_key: hash_key(&backend.upstream, parts),
        })
        .collect();
    Ok(Forward {
        weights: action
            .backends
            .iter()
            .map(|backend| backend.weight)
            .collect(),
        backends,
        path: rewrite(action.path.as_ref())?,
        host: action.host.clone(),
        turn: AtomicUsize::new(0),
    })
}

/// A rewrite in the router's terms, which keep captures as they were in the path.
fn rewrite(path: Option<&config::PathRewrite>) -> Result<PathRewrite, String> {
    let made = match path {
        None => return Ok(PathRewrite::None),
        Some(config::PathRewrite::StripPrefix(prefix)) => PathRewrite::strip(prefix),
        Some(config::PathRewrite::Replace(path)) => PathRewrite::template(path, &[]),
        Some(config::PathRewrite::Template(template)) => {
            let text = template.render(|variable| match variable {
                Variable::Path(name) => Some(format!("{{{name}}}").into()),
                _ => None,
            });
            let text = text.map_err(|other| format!("a path cannot be made of {other}"))?;
            PathRewrite::template(&text, &[])
        }
    };
    made.map_err(|fault| fault.to_string())
}

fn hash_key(upstream: &str, parts: &Parts<'_>) -> Option<crate::config::template::Template> {
    let definition = parts
        .config
        .upstreams
        .iter()
        .find(|u| *u.name == *upstream)?;
    match &definition.balance {
        Balance::ConsistentHash { key } => Some(key.clone()),
        Balance::RoundRobin | Balance::LeastRequests => None,
    }
}
