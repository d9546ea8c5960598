//! Calls by gRPC: arguments as a message, and the message of the answer as JSON.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pingora_http::RequestHeader;
use serde_json::{Map, Value as Json};
use weir_protocols::grpc::status::Code as Ended;
use weir_protocols::grpc::timeout;
use weir_protocols::grpc::transcode::Route;
use weir_protocols::grpc::transcode::request;
use weir_protocols::grpc::transcode::response::{End, Options, Status as Said, Stream, Writer};
use weir_telemetry::Code;

use super::calls::{Call, Fault, Outcome, Status, What};
use super::plan::spelled;
use super::source::{MAX_ANSWER, Sent, Source};
use crate::action::grpc::answer::{Answer, ended, said};
use crate::action::grpc::transcode::answer::error as wrong;
use crate::config::routes::graphql::compose::{Composed, Operation, Place};
use crate::error::GatewayError;
use crate::large;
use crate::proxy::{Downstream, Request};
use crate::upstream::{self, Body, Incoming};

/// The longest message that is sent, in bytes: what servers of gRPC take where they say nothing.
const MAX_MESSAGE: u32 = 4 << 20;

/// How a message becomes JSON: what nobody set is what it is then, and no number is too long for a
/// reader here.
const OPTIONS: Options = Options {
    always_print_defaults: true,
    preserve_field_names: false,
    enums_as_numbers: false,
    longs_as_numbers: true,
};

/// A method, known by its path.
#[derive(Debug, Clone)]
pub(super) struct Called(Arc<Route>);

impl Called {
    fn path(&self) -> &str {
        &self.0.method().path
    }
}

impl PartialEq for Called {
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path()
    }
}

impl Eq for Called {}

impl Hash for Called {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path().hash(state);
    }
}

/// What a method is asked, given the arguments of its field.
pub(super) fn ask(
    graph: &Composed,
    operation: &Operation,
    (route, reads): (&Arc<Route>, bool),
    mut arguments: Map<String, Json>,
) -> Result<What, Arc<Fault>> {
    let mut message = Json::Object(Map::new());
    for (name, argument) in &operation.arguments {
        let Some(value) = arguments.remove(&**name).filter(|value| !value.is_null()) else {
            continue;
        };
        let value = spelled(graph, &argument.member.shape, value);
        match argument.place {
            Place::Body => message = value,
            _ => message[&*argument.member.key] = value,
        }
    }
    let text = message.to_string();
    let mut framed = BytesMut::new();
    let mut reader = route.request(MAX_MESSAGE);
    let read = large::work(text.len(), || {
        reader.push(text.as_bytes(), &mut framed)?;
        reader.finish(&mut framed)
    });
    read.map_err(|fault| no_message(&fault))?;
    Ok(What::Grpc {
        called: Called(route.clone()),
        reads,
        message: framed.freeze(),
    })
}

fn no_message(fault: &request::Fault) -> Arc<Fault> {
    let what = fault.field.as_deref().unwrap_or("something");
    Arc::new(Fault {
        code: Code::RequestBodyInvalid.slug(),
        message: format!("In the arguments, {what} {}.", fault.what),
        source: None,
        status: None,
    })
}

/// Makes the call: how it ended, and the JSON that was answered.
pub(super) async fn call(
    source: &Source,
    (called, message): (&Called, &Bytes),
    along: &HeaderMap,
    request: &mut Request,
    down: &mut Downstream,
) -> Result<(Ended, Bytes), GatewayError> {
    let sent = Sent {
        method: &Method::POST,
        target: called.path(),
        accept: HeaderValue::from_static("application/grpc"),
        body: Some(message),
    };
    let deadline = Instant::now() + source.upstream.timeouts.total;
    let mut call = upstream::Call {
        body: Body::Whole(message.clone()),
        hash_key: None,
        deadline,
        hasty: false,
    };
    let head = |request: &Request, _: &Downstream, span| {
        turned(source.head(&sent, along, request, span), deadline)
    };
    let answer = upstream::call(&source.upstream, request, down, &mut call, head).await?;
    let mut answer = Answer::read(answer);
    answer.note(request);
    let mut answer = answer.check(request)?;
    if let Some(status) = answer.trailers_only() {
        answer.exchange.finish(request);
        return Ok((status, Bytes::new()));
    }
    let max = u32::try_from(MAX_ANSWER).unwrap_or(u32::MAX);
    let mut writer = called.0.answer(Stream::Lines, OPTIONS, max);
    match read_on(&mut answer, &mut writer, request, down, &mut call.body).await {
        Ok(done) => {
            answer.exchange.finish(request);
            Ok(done)
        }
        Err(error) => {
            answer.exchange.abandon(request, &error);
            Err(error)
        }
    }
}

/// Reads the message and how the call ended.
async fn read_on(
    answer: &mut Answer,
    writer: &mut Writer,
    request: &mut Request,
    down: &mut Downstream,
    body: &mut Body,
) -> Result<(Ended, Bytes), GatewayError> {
    let mut out = BytesMut::new();
    loop {
        match answer.exchange.next(request, down, body).await? {
            Incoming::Chunk(chunk) => {
                let read = large::work(chunk.len(), || writer.push(chunk, &mut out));
                read.map_err(|fault| wrong(&fault))?;
            }
            Incoming::Informational(_) | Incoming::Head(_) => {}
            Incoming::End(trailers) => {
                let status = said(&trailers.unwrap_or_default());
                ended(
                    request,
                    &mut answer.exchange,
                    status.unwrap_or(Ended::Unknown),
                );
                let code = status.ok_or_else(|| {
                    GatewayError::new(Code::GrpcStatusMissing)
                        .source("it ended without a grpc-status")
                })?;
                // What a source says of its failures is not passed on.
                let status = Said {
                    code,
                    message: "",
                    details: b"",
                };
                return match writer.finish(&status, false, &mut out) {
                    Ok(End::Whole) => Ok((code, out.freeze())),
                    Ok(_) => Ok((code, Bytes::new())),
                    Err(fault) => Err(wrong(&fault)),
                };
            }
        }
    }
}

/// What comes of it.
pub(super) fn read(call: &Call, (status, json): (Ended, Bytes)) -> Outcome {
    if status != Ended::Ok {
        return Err(Arc::new(Fault {
            code: "source_status",
            message: format!("The source answered {}.", status.name()),
            source: Some(call.source),
            status: Some(Status::Grpc(status)),
        }));
    }
    let read = large::work(json.len(), || serde_json::from_slice::<Json>(&json));
    read.map(Into::into).map_err(|_| {
        Arc::new(Fault {
            code: "source_answer_invalid",
            message: "The source answered no message.".to_owned(),
            source: Some(call.source),
            status: None,
        })
    })
}

/// The head of a call of gRPC's, made of one of HTTP's.
fn turned(mut head: RequestHeader, deadline: Instant) -> RequestHeader {
    head.remove_header(&ACCEPT);
    let left = timeout::write(deadline.saturating_duration_since(Instant::now()));
    let left = HeaderValue::try_from(left).ok();
    for (name, value) in [
        (
            CONTENT_TYPE,
            Some(HeaderValue::from_static("application/grpc")),
        ),
        (TE, Some(HeaderValue::from_static("trailers"))),
        // What is compressed cannot be read here.
        (ACCEPTED, Some(HeaderValue::from_static("identity"))),
        (GRPC_TIMEOUT, left),
    ] {
        if let Some(value) = value {
            head.insert_header(name, value)
                .expect("a typed header is valid");
        }
    }
    head
}

const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
