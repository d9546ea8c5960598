//! The way back: the messages of a call, and how it ends, as HTTP and JSON.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, Method, StatusCode};
use pingora_http::ResponseHeader;
use weir_protocols::grpc::status::{Code as Ended, message};
use weir_protocols::grpc::transcode::response::{End, Fault, Status, Writer};
use weir_telemetry::Code;

use super::super::answer::{Answer, ended, said};
use super::super::{deadline, outflow};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request, grpc, reply, respond};
use crate::upstream::{Call, Exchange, Incoming};

/// How long a stream may be silent at its start before its caller is told that there is one: until then
/// the status of the answer can still say that the call failed.
const PATIENCE: Duration = Duration::from_secs(1);

/// An answer on its way.
struct Passing {
    writer: Writer,
    /// Whether messages go out as they come.
    streams: bool,
    /// What the upstream said at first, until it is sent.
    head: Option<Box<ResponseHeader>>,
    /// What is written and not sent.
    out: BytesMut,
}

/// Whether the answer goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Goes,
    /// All that is to be sent was: a policy answered instead, or nothing but the head was asked for.
    Over,
}

/// Passes an answer on.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    answer: Answer,
    call: &mut Call,
    (writer, streams): (Writer, bool),
) -> Result<(), GatewayError> {
    let answer = answer.check(request)?;
    let Answer {
        head,
        mut exchange,
        bodiless,
        ..
    } = answer;
    let trailers = bodiless.then(|| head.headers.clone());
    let mut passing = Passing {
        writer,
        streams,
        head: Some(head),
        out: BytesMut::new(),
    };
    let passed = match trailers {
        Some(status) => passing.end(request, down, status).await,
        None => passing.pump(request, down, &mut exchange, call).await,
    };
    match passed {
        Ok(()) => {
            exchange.finish(request);
            Ok(())
        }
        Err(error) => {
            let error = deadline::name(error, call);
            exchange.abandon(request, &error);
            passing.fail(request, down, error).await
        }
    }
}

impl Passing {
    async fn pump(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        exchange: &mut Exchange,
        call: &mut Call,
    ) -> Result<(), GatewayError> {
        let begun = Instant::now();
        loop {
            let quiet = self.head.is_some() && self.streams && self.writer.content_type().is_some();
            let until = quiet.then_some(begun + PATIENCE);
            let body = &mut call.body;
            match exchange.next_or_silence(request, down, body, until).await? {
                Some(Incoming::Chunk(chunk)) => {
                    let written = self.writer.push(chunk, &mut self.out);
                    if let Some(call) = &mut request.record.rpc {
                        call.response_messages = self.writer.messages();
                    }
                    if self.streams && self.send(request, down).await? == Next::Over {
                        return Ok(());
                    }
                    written.map_err(|fault| error(&fault))?;
                }
                Some(Incoming::End(trailers)) => {
                    let trailers = trailers.unwrap_or_default();
                    let Some(status) = said(&trailers) else {
                        ended(request, exchange, Ended::Unknown);
                        return Err(GatewayError::new(Code::GrpcStatusMissing)
                            .source("it ended without a grpc-status"));
                    };
                    ended(request, exchange, status);
                    return self.end(request, down, trailers).await;
                }
                None => {
                    if self.begin(request, down).await? == Next::Over {
                        return Ok(());
                    }
                }
                Some(Incoming::Informational(_) | Incoming::Head(_)) => {}
            }
        }
    }

    /// Sends what was written.
    async fn send(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Next, GatewayError> {
        if self.out.is_empty() {
            return Ok(Next::Goes);
        }
        if self.begin(request, down).await? == Next::Over {
            return Ok(Next::Over);
        }
        down.write_chunk(self.out.split().freeze()).await?;
        Ok(Next::Goes)
    }

    /// Sends the head of an answer that goes well so far, if it is still to be sent.
    async fn begin(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Next, GatewayError> {
        let Some(head) = self.head.take() else {
            return Ok(Next::Goes);
        };
        let media = self
            .writer
            .content_type()
            .unwrap_or("application/octet-stream");
        let head = made(head, StatusCode::OK, media);
        send_head(request, down, head).await
    }

    /// Ends the answer as the call's status says.
    async fn end(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        trailers: HeaderMap,
    ) -> Result<(), GatewayError> {
        let text = trailers
            .get(MESSAGE)
            .map(|text| message::decode(text.as_bytes()));
        let details = trailers.get(grpc::DETAILS).map(HeaderValue::as_bytes);
        // It was looked at before.
        let code = said(&trailers).unwrap_or(Ended::Unknown);
        let status = Status {
            code,
            message: text.as_deref().unwrap_or_default(),
            details: details.unwrap_or_default(),
        };
        let is_head_sent = self.head.is_none();
        let end = self.writer.finish(&status, is_head_sent, &mut self.out);
        match end.map_err(|fault| error(&fault))? {
            End::Failed(failure) => {
                let http = StatusCode::from_u16(failure.http_status);
                let http = http.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                self.out = BytesMut::from(&*failure.json);
                self.whole(request, down, (http, "application/json"), &trailers)
                    .await
            }
            End::Whole if !self.streams => {
                let media = self
                    .writer
                    .content_type()
                    .unwrap_or("application/octet-stream");
                let media = media.to_owned();
                self.whole(request, down, (StatusCode::OK, &media), &trailers)
                    .await
            }
            End::Broken { is_said: false, .. } => {
                let why = format!("the call ended with {code} amid a body that cannot say so");
                Err(GatewayError::new(Code::HttpResponseIncomplete).source(why))
            }
            End::Whole | End::Broken { .. } => {
                let behind = self.behind(&trailers);
                if self.begin(request, down).await? == Next::Over {
                    return Ok(());
                }
                if !self.out.is_empty() {
                    down.write_chunk(self.out.split().freeze()).await?;
                }
                down.write_end(Some(behind).filter(|behind| !behind.is_empty()))
                    .await
            }
        }
    }

    /// Sends an answer of which all is there. What stood behind the call stands in its head.
    async fn whole(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        (status, media): (StatusCode, &str),
        trailers: &HeaderMap,
    ) -> Result<(), GatewayError> {
        let behind = self.behind(trailers);
        let Some(head) = self.head.take() else {
            return Err(GatewayError::new(Code::InternalError).source("the head is out already"));
        };
        let mut head = made(head, status, media);
        for (name, value) in &behind {
            head.append_header(name.clone(), value.clone())
                .expect("a typed header is valid");
        }
        put(&mut head, CONTENT_LENGTH, HeaderValue::from(self.out.len()));
        if send_head(request, down, head).await? == Next::Over {
            return Ok(());
        }
        down.write_chunk(self.out.split().freeze()).await?;
        down.write_end(None).await
    }

    /// The metadata that came behind the messages; none if all there is came in the head.
    fn behind(&self, trailers: &HeaderMap) -> HeaderMap {
        let head = self.head.as_ref();
        if head.is_some_and(|head| head.headers == *trailers) {
            return HeaderMap::new();
        }
        let own = trailers.iter().filter(|(name, _)| is_metadata(name));
        own.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Ends an answer that was begun and cannot go on, if there is a way to say why. Nothing is said
    /// of it yet otherwise.
    async fn fail(
        mut self,
        request: &mut Request,
        down: &mut Downstream,
        error: GatewayError,
    ) -> Result<(), GatewayError> {
        if error.code == Code::ClientDisconnected || self.head.is_some() {
            return Err(error);
        }
        let own = grpc::Own::of(request, &error);
        let end = self.writer.finish(&own.status(), true, &mut self.out);
        let Ok(End::Broken { is_said: true, .. }) = end else {
            return Err(error);
        };
        reply::note(request, down, &error);
        down.write_chunk(self.out.split().freeze()).await?;
        down.write_end(None).await
    }
}

const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

async fn send_head(
    request: &mut Request,
    down: &mut Downstream,
    head: Box<ResponseHeader>,
) -> Result<Next, GatewayError> {
    let bodiless = down.head().method == Method::HEAD;
    if let Some(reply) = respond::head(request, down, head, bodiless).await? {
        reply::send(request, down, reply).await?;
        return Ok(Next::Over);
    }
    if bodiless {
        down.write_end(None).await?;
        return Ok(Next::Over);
    }
    Ok(Next::Goes)
}

/// The upstream's head as one of HTTP: with its metadata, and nothing of gRPC's.
fn made(mut head: Box<ResponseHeader>, status: StatusCode, media: &str) -> Box<ResponseHeader> {
    let names: Vec<_> = head
        .headers
        .keys()
        .filter(|name| !is_metadata(name))
        .cloned()
        .collect();
    for name in names {
        head.remove_header(&name);
    }
    head.set_status(status).expect("a typed status is valid");
    let media = HeaderValue::try_from(media);
    let unknown = HeaderValue::from_static("application/octet-stream");
    put(&mut head, CONTENT_TYPE, media.unwrap_or(unknown));
    head
}

fn put(head: &mut ResponseHeader, name: HeaderName, value: HeaderValue) {
    head.insert_header(name, value)
        .expect("a typed header is valid");
}

/// Whether a field is the server's own, and not of the protocol.
fn is_metadata(name: &HeaderName) -> bool {
    let ours = [CONTENT_LENGTH, CONTENT_TYPE];
    !ours.contains(name) && !name.as_str().starts_with("grpc-")
}

/// What is wrong with an answer is the upstream's doing, or the descriptors'.
pub(in crate::action) fn error(fault: &Fault) -> GatewayError {
    match fault {
        Fault::Frame(fault) => outflow::error(fault),
        _ => GatewayError::new(Code::GrpcMessageInvalid).source(fault),
    }
}
