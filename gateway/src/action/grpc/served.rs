//! A call that the gateway answers itself: its messages as they come, its answer's, and how it ends. What
//! they say is the business of who serves it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, StatusCode};
use pingora_http::ResponseHeader;
use weir_protocols::grpc::content_type::ContentType;
use weir_protocols::grpc::frame::{HEAD, Head, Piece, Splitter, write_head};
use weir_protocols::grpc::status::Code as Status;
use weir_telemetry::Code;

use super::deadline::{self, Deadline};
use super::inflow::Inflow;
use super::outflow::Outflow;
use super::{ACCEPTED, answer, called};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Reply, Request, grpc, respond};

/// A call in progress.
pub(in crate::action) struct Served {
    outflow: Outflow,
    deadline: Option<Deadline>,
    splitter: Splitter,
    /// The message that is being read.
    partial: BytesMut,
}

impl Served {
    /// Begins the call that a request is, if it is one of the method at `path`. Its messages may be of so
    /// many bytes.
    pub(in crate::action) fn begin(
        request: &mut Request,
        down: &mut Downstream,
        path: &str,
        max_message: u32,
    ) -> Result<Self, GatewayError> {
        let wire = called::check(down.head())?;
        let called = request.normal_path.as_deref();
        if called.unwrap_or(down.head().uri.path()) != path {
            let message = format!("This route serves {path}, and no other method.");
            return Err(GatewayError::public(Code::RouteNotFound, message));
        }
        let deadline = deadline::of(request, down.head(), None, Duration::MAX)?;
        request.record.long_lived = deadline.is_none();
        let messages = Arc::new(AtomicU64::new(0));
        request.messages = Some(messages.clone());
        let inflow = Inflow::new(wire, max_message, messages);
        down.request_filters.push(Box::new(inflow));
        Ok(Self {
            outflow: Outflow::new(wire, u32::MAX),
            deadline,
            splitter: Splitter::new(max_message),
            partial: BytesMut::new(),
        })
    }

    /// When it is over at the latest, if its caller has said.
    pub(in crate::action) fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// How long its caller waits from now on, if it has said.
    pub(in crate::action) fn left(&self) -> Option<Duration> {
        let at = self.deadline()?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// That its caller does not wait any longer.
    pub(in crate::action) fn late() -> GatewayError {
        GatewayError::new(Code::RequestDeadlineExceeded)
            .source("the call's deadline has passed while it was served")
    }

    /// Takes the messages out of a piece of the request's body; the last may end in a later one.
    pub(in crate::action) fn messages(
        &mut self,
        mut chunk: Bytes,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), GatewayError> {
        let malformed = |fault| GatewayError::new(Code::RequestBodyInvalid).source(fault);
        while let Some(piece) = self.splitter.next_piece(&mut chunk).map_err(malformed)? {
            match piece {
                Piece::Head(Head {
                    compressed: true, ..
                }) => return Err(compressed()),
                Piece::Head(_) => {}
                Piece::Body(body) => self.partial.extend_from_slice(&body),
                Piece::End => out.push_back(self.partial.split().freeze()),
            }
        }
        Ok(())
    }

    /// The one message of a call that has one.
    pub(in crate::action) async fn message(
        &mut self,
        down: &mut Downstream,
    ) -> Result<Bytes, GatewayError> {
        let whole = down.read_whole().await?;
        let mut messages = VecDeque::new();
        self.messages(whole, &mut messages)?;
        match (messages.pop_front(), messages.is_empty()) {
            (Some(message), true) => Ok(message),
            (None, _) => Err(wrong("The call has no message, and this method takes one.")),
            (Some(_), false) => Err(wrong(
                "The call has several messages, and this method takes one.",
            )),
        }
    }

    /// Sends the head of the answer, unless a policy answers instead.
    pub(in crate::action) async fn open(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Option<Reply>, GatewayError> {
        let wrong = |error| GatewayError::new(Code::InternalError).source(error);
        let mut head = ResponseHeader::build_no_case(StatusCode::OK, Some(4)).map_err(wrong)?;
        let wire = self.outflow.wire();
        let sent = grpc::content_type(&down.head().headers);
        let media = sent.unwrap_or(ContentType { wire, format: None }).on(wire);
        let identity = HeaderValue::from_static("identity");
        let media = HeaderValue::try_from(media)
            .map_err(|error| GatewayError::new(Code::InternalError).source(error))?;
        for (name, value) in [(CONTENT_TYPE, media), (ACCEPTED, identity)] {
            head.insert_header(name, value).map_err(wrong)?;
        }
        respond::head(request, down, Box::new(head), false).await
    }

    /// Sends messages, each as [`write`] has it.
    pub(in crate::action) async fn send(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        messages: Bytes,
    ) -> Result<(), GatewayError> {
        let passed = self.outflow.pass(messages);
        if let Some(call) = &mut request.record.rpc {
            call.response_messages = self.outflow.messages();
        }
        down.write_chunk(passed?).await
    }

    /// Ends a call that is answered.
    pub(in crate::action) async fn end(
        self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        if let Some(call) = &mut request.record.rpc {
            call.status = Some(grpc::record(Status::Ok));
        }
        let trailers = [(grpc::STATUS, HeaderValue::from_static("0"))];
        answer::end(down, self.outflow, trailers.into_iter().collect()).await
    }

    /// Ends one that cannot go on; its caller is told why, and `said` beside.
    pub(in crate::action) async fn fail(
        self,
        request: &mut Request,
        down: &mut Downstream,
        error: GatewayError,
        said: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Result<(), GatewayError> {
        let said: HeaderMap = said.into_iter().collect();
        answer::fail(request, down, self.outflow, error, said).await
    }
}

/// Writes a message whose bytes `body` writes.
pub(in crate::action) fn write(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; HEAD]);
    body(out);
    let length = u32::try_from(out.len() - at - HEAD).unwrap_or(u32::MAX);
    let head = Head {
        compressed: false,
        length,
    };
    out[at..at + HEAD].copy_from_slice(&write_head(head));
}

fn wrong(message: &'static str) -> GatewayError {
    GatewayError::public(Code::RequestBodyInvalid, message).rpc(Status::InvalidArgument)
}

/// Nothing is decompressed here, as the head of each answer says.
fn compressed() -> GatewayError {
    let message = "Messages have to come as they are, not compressed.";
    GatewayError::public(Code::MediaTypeUnsupported, message)
        .rpc(Status::Unimplemented)
        .header(ACCEPTED, HeaderValue::from_static("identity"))
}
