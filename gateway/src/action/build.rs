//! Actions made ready to run from what the configuration says of them.

use super::Action;
use super::destination::Destination;
use super::forward::Forward;
use super::graphql::Graphql;
use super::grpc::Grpc;
use super::grpc::transcode::Transcoding;
use super::llm;
use super::publish::Publish;
use super::redirect::Redirect;
use super::request_reply::{Replies, RequestReply};
use super::respond::Respond;
use super::subscribe::Subscribe;
use super::subscribe::decode::Decoder;
use super::subscribe::feed::Feeds;
use super::table::Table;
use super::websocket::{Connections, Websocket};
use crate::config::routes::Route;
use crate::config::routes::action as config;
use crate::proxy::Reply;
use crate::runtime::Parts;

/// Builds a route's action.
pub(crate) fn build(route: &Route, parts: &Parts<'_>) -> Result<Action, String> {
    Ok(match &route.action {
        config::Action::Forward(action) => Action::Forward(Forward {
            to: Destination::build(&action.to, parts)?,
        }),
        config::Action::Graphql(action) => {
            Action::Graphql(Box::new(Graphql::build(&route.name, action, parts)?))
        }
        config::Action::Grpc(action) => Action::Grpc(Grpc {
            to: Destination::build(&action.to, parts)?,
            timeout: action.timeout,
            max_request: action.max_request,
            max_response: action.max_response,
            retry_on: action.retry_on.clone(),
            transcoding: action.transcoding.as_ref().map(|said| Transcoding {
                table: said.table.clone(),
                stream: said.stream,
                options: said.options,
            }),
        }),
        config::Action::Llm(action) => Action::Llm(llm::build::build(&route.name, action, parts)),
        config::Action::Prompt(action) => Action::Prompt(llm::build::prompt(action, parts)),
        config::Action::Websocket(action) => Action::Websocket(Websocket {
            to: Destination::build(&action.to, parts)?,
            connections: Connections {
                terms: action.terms.clone(),
                metrics: parts.metrics.websocket(&route.name),
            },
        }),
        config::Action::Publish(action) => Action::Publish(Box::new(Publish {
            cluster: parts.cluster(&action.record.topic.cluster),
            spool: parts.spool(action),
            once: parts.once(&route.name, action),
            values: action.schema.as_ref().map(|schema| parts.values(schema)),
            config: action.clone(),
            metrics: parts.metrics.clone(),
        })),
        config::Action::Subscribe(action) => Action::Subscribe(Box::new(Subscribe {
            cluster: parts.cluster(&action.topic.cluster),
            keys: parts.cursor_keys(&action.topic.cluster)?,
            decoder: action
                .schema
                .as_ref()
                .map(|schema| Decoder::new(parts.values(schema), parts.metrics)),
            connections: Connections {
                terms: action.terms.clone(),
                metrics: parts.metrics.websocket(&route.name),
            },
            feeds: Feeds::default(),
            route: route.name.clone(),
            metrics: parts.metrics.clone(),
            config: (**action).clone(),
        })),
        config::Action::Table(action) => Action::Table(Box::new(Table {
            cluster: parts.cluster(&action.topic.cluster),
            view: parts.table(action)?,
            values: action.schema.as_ref().map(|schema| parts.values(schema)),
            metrics: parts.metrics.clone(),
            config: (**action).clone(),
        })),
        config::Action::RequestReply(action) => {
            let (cluster, topic) = (&action.record.topic.cluster, &action.reply_topic);
            let (header, most) = (action.correlation.clone(), action.max_waiting);
            Action::RequestReply(Box::new(RequestReply {
                cluster: parts.cluster(cluster),
                keys: parts.cursor_keys(cluster)?,
                replies: Replies::new(topic.clone(), header, most),
                metrics: parts.metrics.clone(),
                figures: parts.metrics.replies(&route.name, cluster, topic),
                config: (**action).clone(),
            }))
        }
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
