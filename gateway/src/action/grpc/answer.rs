//! The way back: an answer's messages and how it ends, to the caller on its own wire.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use pingora_http::ResponseHeader;
use weir_protocols::grpc::content_type::Wire;
use weir_protocols::grpc::status::Code as Status;
use weir_telemetry::Code;

use super::deadline;
use super::outflow::{End, Outflow};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request, grpc, reply, respond};
use crate::upstream::{self, Call, Exchange, Incoming};

const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The head of an answer to a call.
pub(in crate::action) struct Answer {
    pub(super) head: Box<ResponseHeader>,
    pub(in crate::action) exchange: Exchange,
    /// Whether nothing follows the head, which then has the status.
    pub(super) bodiless: bool,
    status: Option<Status>,
}

impl Answer {
    /// Reads what the head says of how the call ended.
    pub(in crate::action) fn read(answer: upstream::Answer) -> Self {
        let upstream::Answer { head, mut exchange } = answer;
        let status = said(&head.headers);
        Self {
            // A status in the head is all of an answer, also of servers that end the stream apart.
            bodiless: status.is_some() || exchange.bodiless(),
            status,
            head,
            exchange,
        }
    }

    /// How the call ended, if nothing else was answered.
    pub(in crate::action) fn trailers_only(&self) -> Option<Status> {
        self.status
    }

    /// Writes down how the call ended, if the head says so.
    pub(in crate::action) fn note(&mut self, request: &mut Request) {
        if let Some(status) = self.trailers_only() {
            ended(request, &mut self.exchange, status);
        }
    }

    /// How long the endpoint asks to wait before another try; `None` if it wants none.
    pub(super) fn pushback(&self) -> Option<Duration> {
        let Some(said) = self.head.headers.get(PUSHBACK) else {
            return Some(Duration::ZERO);
        };
        Some(Duration::from_millis(said.to_str().ok()?.parse().ok()?))
    }

    /// Gives up what is no answer to a call at all.
    pub(in crate::action) fn check(mut self, request: &mut Request) -> Result<Self, GatewayError> {
        let Err(error) = self.sound() else {
            return Ok(self);
        };
        if let Some(status) = error.rpc {
            ended(request, &mut self.exchange, status);
        }
        self.exchange.abandon(request, &error);
        Err(error)
    }

    /// Whether this is an answer to a call; what is not is made one, by its HTTP status.
    fn sound(&self) -> Result<(), GatewayError> {
        let http = self.head.status;
        let is_grpc =
            grpc::content_type(&self.head.headers).is_some_and(|media| media.wire == Wire::Native);
        if self.status.is_some() || (http == http::StatusCode::OK && is_grpc && !self.bodiless) {
            return Ok(());
        }
        let what = match is_grpc {
            true => "no grpc-status",
            false => "a body that is not gRPC's",
        };
        Err(GatewayError::new(Code::GrpcStatusMissing)
            .rpc(Status::from_http(http.as_u16()))
            .source(format!("it answered {http} with {what}")))
    }
}

/// The status that fields say; one that is none is UNKNOWN, as callers take it.
pub(in crate::action) fn said(headers: &HeaderMap) -> Option<Status> {
    let value = headers.get(grpc::STATUS)?;
    Some(Status::parse(value.as_bytes()).unwrap_or(Status::Unknown))
}

/// Writes down how an upstream ended the call. Some statuses speak against the endpoint.
pub(in crate::action) fn ended(request: &mut Request, exchange: &mut Exchange, status: Status) {
    exchange.called(request, status);
    if let Some(call) = &mut request.record.rpc {
        call.status = Some(grpc::record(status));
    }
}

/// Passes an answer on.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    answer: Answer,
    (call, mut outflow): (&mut Call, Outflow),
) -> Result<(), GatewayError> {
    let Answer {
        mut head,
        mut exchange,
        bodiless,
        ..
    } = answer.check(request)?;
    if outflow.wire() != Wire::Native {
        to_web(&mut head, outflow.wire());
    }
    if let Some(reply) = respond::head(request, down, head, bodiless).await? {
        return reply::send(request, down, reply).await;
    }
    if bodiless {
        exchange.finish(request);
        return down.write_end(None).await;
    }
    let pumped = pump(request, down, &mut exchange, (call, &mut outflow)).await;
    let ended = match pumped {
        Ok(trailers) => match outflow.check() {
            Ok(()) => {
                exchange.finish(request);
                return end(down, outflow, trailers).await;
            }
            Err(error) => error,
        },
        Err(error) => deadline::name(error, call),
    };
    exchange.abandon(request, &ended);
    fail(request, down, outflow, ended, HeaderMap::new()).await
}

/// Passes messages on, and gives the trailers that say how it ended.
async fn pump(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    (call, outflow): (&mut Call, &mut Outflow),
) -> Result<HeaderMap, GatewayError> {
    loop {
        match exchange.next(request, down, &mut call.body).await? {
            Incoming::Chunk(chunk) => {
                let passed = outflow.pass(chunk);
                if let Some(call) = &mut request.record.rpc {
                    call.response_messages = outflow.messages();
                }
                down.write_chunk(passed?).await?;
            }
            Incoming::End(trailers) => {
                let trailers = trailers.unwrap_or_default();
                let Some(status) = said(&trailers) else {
                    ended(request, exchange, Status::Unknown);
                    return Err(GatewayError::new(Code::GrpcStatusMissing)
                        .source("it ended without a grpc-status"));
                };
                ended(request, exchange, status);
                return Ok(trailers);
            }
            // The final head is out; nothing more can be said with one.
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
}

/// Makes an answer's head one of gRPC-Web's.
fn to_web(head: &mut ResponseHeader, wire: Wire) {
    let media = grpc::content_type(&head.headers).map(|media| media.on(wire));
    if let Some(media) = media.and_then(|media| HeaderValue::try_from(media).ok()) {
        head.insert_header(CONTENT_TYPE, media)
            .expect("a typed header is valid");
    }
    head.remove_header(&CONTENT_LENGTH);
}

pub(super) async fn end(
    down: &mut Downstream,
    outflow: Outflow,
    trailers: HeaderMap,
) -> Result<(), GatewayError> {
    match outflow.end(trailers)? {
        End::Trailers(trailers) => down.write_end(Some(trailers)).await,
        End::Bytes(bytes) => {
            down.write_chunk(bytes).await?;
            down.write_end(None).await
        }
    }
}

/// Ends an answer that was begun and cannot go on: its caller is told why in trailers, where it
/// would not take them for the rest of a message; `said` is among them.
pub(super) async fn fail(
    request: &mut Request,
    down: &mut Downstream,
    outflow: Outflow,
    error: GatewayError,
    said: HeaderMap,
) -> Result<(), GatewayError> {
    if error.code == Code::ClientDisconnected {
        return Err(error);
    }
    let mut trailers = said;
    trailers.extend(grpc::fields(request, &error));
    let Ok(ending) = outflow.end(trailers) else {
        return Err(error);
    };
    reply::note(request, down, &error);
    // What filters hold back is of an answer that will not be whole.
    down.response_filters = Default::default();
    match ending {
        End::Trailers(trailers) => down.write_end(Some(trailers)).await,
        End::Bytes(bytes) => {
            down.write_own(bytes).await?;
            down.write_end(None).await
        }
    }
}
