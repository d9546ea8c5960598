//! HTTP and JSON for the methods of gRPC: finds the method that a request is for, makes the call of it
//! that the route would pass on, and answers in JSON.
//!
//! What JSON a message is, is the business of the protocol; how a call is made, of the route's native
//! side.

pub(in crate::action) mod answer;
mod request;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::header::{ACCEPT, ALLOW, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, Method};
use pingora_http::RequestHeader;
use weir_protocols::grpc::transcode::request::Reader;
use weir_protocols::grpc::transcode::response::{Options, Stream};
use weir_protocols::grpc::transcode::{Found, Match, Route, Table};
use weir_telemetry::Code;
use weir_telemetry::record::Rpc;

use super::called::Told;
use super::{Grpc, Turn, Upward, deadline};
use crate::error::GatewayError;
use crate::proxy::head::Length;
use crate::proxy::{Downstream, Request};
use crate::runtime::Dialect;
use crate::upstream::{Body, Call};

/// What a route that speaks JSON knows of its methods.
pub(crate) struct Transcoding {
    /// Which requests are for which methods.
    pub(crate) table: Arc<Table>,
    /// How answers of many messages are sent to callers who do not say.
    pub(crate) stream: Stream,
    /// How messages become JSON.
    pub(crate) options: Options,
}

impl Transcoding {
    /// What a request is for. A HEAD is answered where a GET is.
    fn find<'t, 'p>(&'t self, method: &Method, path: &'p str) -> Found<'t, 'p> {
        let method = match *method {
            Method::HEAD => "GET",
            _ => method.as_str(),
        };
        self.table.find(method, path)
    }

    /// What is told of a request: it is a call if it is for a method.
    pub(super) fn told(&self, head: &RequestHeader, path: &str) -> Told {
        match self.find(&head.method, path) {
            Found::Route(found) => Told {
                dialect: Dialect::Rpc,
                rpc: Some(Rpc::default()),
                called: Some(found.route.method().path.as_str().into()),
            },
            Found::OtherMethod(_) | Found::Nothing => Told::of(Dialect::Problem),
        }
    }

    fn route<'t, 'p>(
        &'t self,
        head: &RequestHeader,
        path: &'p str,
    ) -> Result<Match<'t, 'p>, GatewayError> {
        match self.find(&head.method, path) {
            Found::Route(found) => Ok(found),
            Found::OtherMethod(methods) => {
                let list = methods.join(", ");
                let text = format!("This path is served for {list} only.");
                let error = GatewayError::public(Code::MethodNotAllowed, text);
                Err(match HeaderValue::try_from(list) {
                    Ok(list) => error.header(ALLOW, list),
                    Err(_) => error,
                })
            }
            Found::Nothing => Err(GatewayError::public(
                Code::RouteNotFound,
                "No method of this route's services is called by this path.",
            )),
        }
    }

    /// How an answer of many messages is sent: as the caller prefers, if it says.
    fn stream(&self, headers: &HeaderMap) -> Stream {
        let said = headers.get_all(ACCEPT).into_iter();
        let mut types = said
            .filter_map(|value| value.to_str().ok())
            .flat_map(|s| s.split(','));
        types.find_map(stream_of).unwrap_or(self.stream)
    }
}

fn stream_of(range: &str) -> Option<Stream> {
    let media = range.split(';').next().unwrap_or_default().trim();
    let is = |name: &&str| media.eq_ignore_ascii_case(name);
    if is(&"text/event-stream") {
        return Some(Stream::Events);
    }
    let lines = [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
    ];
    lines.iter().any(is).then_some(Stream::Lines)
}

/// Makes the call that a request is for, and answers it.
pub(super) async fn run(
    action: &Grpc,
    transcoding: &Transcoding,
    request: &mut Request,
    down: &mut Downstream,
) -> Result<(), GatewayError> {
    let (reader, route) = {
        let head = down.head();
        let path = request.normal_path.as_deref().unwrap_or(head.uri.path());
        let found = transcoding.route(head, path)?;
        (
            request::read(&found, head, action.max_request)?,
            found.route.clone(),
        )
    };
    let method = route.method();
    let backend = action.to.pick();
    let total = backend.upstream.timeouts.total;
    // What is no stream is not to last.
    let streams = method.client_streaming || method.server_streaming;
    let timeout = action.timeout.or((!streams).then_some(total));
    let deadline = deadline::of(request, down.head(), timeout, total)?;
    request.record.long_lived = deadline.is_none();

    let (body, length) = body(request, down, &route, reader).await?;
    let mut call = Call {
        body,
        hash_key: backend.hash_key(request, down),
        deadline: deadline.map_or_else(deadline::none, |deadline| deadline.at),
        hasty: deadline.is_some_and(|deadline| deadline.callers),
    };
    let upward = Upward {
        deadline,
        length,
        turn: Turn::Transcoded(target(&method.path)?),
    };
    let answer = action.call(backend, request, down, &mut call, &upward);
    let answer = answer.await.map_err(|error| deadline::name(error, &call))?;
    let stream = transcoding.stream(&down.head().headers);
    let writer = route.answer(stream, transcoding.options, action.max_json());
    answer::pass(
        request,
        down,
        answer,
        &mut call,
        (writer, method.server_streaming),
    )
    .await
}

/// The body of the call: as it comes where the method takes a stream, and else once it is whole.
async fn body(
    request: &mut Request,
    down: &mut Downstream,
    route: &Route,
    reader: Reader,
) -> Result<(Body, Length), GatewayError> {
    request::check(down, route)?;
    let messages = Arc::new(AtomicU64::new(0));
    request.messages = Some(messages.clone());
    let inflow = request::Inflow::new(reader, messages);
    down.request_filters.push(Box::new(inflow));
    if route.method().client_streaming {
        return Ok((Body::of(down).await?, Length::Unknown));
    }
    let message = down.read_whole().await?;
    let length = message.len();
    Ok((Body::Whole(message), Length::Known(length)))
}

fn target(path: &str) -> Result<Uri, GatewayError> {
    let path = PathAndQuery::try_from(path);
    path.map(Uri::from)
        .map_err(|error| GatewayError::new(Code::InternalError).source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_says_how_a_stream_is_sent() {
        for (said, stream) in [
            ("text/event-stream", Some(Stream::Events)),
            (
                "application/json, Text/Event-Stream;q=0.5",
                Some(Stream::Events),
            ),
            (
                "application/x-ndjson, text/event-stream",
                Some(Stream::Lines),
            ),
            ("application/jsonl", Some(Stream::Lines)),
            ("application/json, */*", None),
            ("", None),
        ] {
            let found = said.split(',').find_map(stream_of);
            assert_eq!(found, stream, "{said}");
        }
    }
}
