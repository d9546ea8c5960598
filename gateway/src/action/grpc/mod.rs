//! `grpc`: passes gRPC calls to an upstream, and those of gRPC-Web as such.
//!
//! Messages pass untouched and are only counted; what is in them is not known here.

mod answer;
mod called;
mod deadline;
mod inflow;
mod outflow;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TE};
use pingora_http::RequestHeader;
use weir_protocols::grpc::content_type::{ContentType, Wire};
use weir_protocols::grpc::status::Code as Status;
use weir_protocols::grpc::timeout;

use self::answer::Answer;
pub(super) use self::called::told;
use self::deadline::Deadline;
use self::inflow::Inflow;
use self::outflow::Outflow;
use super::destination::{Backend, Destination, Sending};
use crate::error::GatewayError;
use crate::proxy::head::Length;
use crate::proxy::{Downstream, Request};
use crate::upstream::{Body, Call};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const X_GRPC_WEB: HeaderName = HeaderName::from_static("x-grpc-web");

/// The action.
pub(crate) struct Grpc {
    /// Where calls go.
    pub(crate) to: Destination,
    /// The longest a call may take.
    pub(crate) timeout: Option<Duration>,
    /// The longest message of a caller, in bytes.
    pub(crate) max_request: u32,
    /// The longest of an upstream.
    pub(crate) max_response: u32,
    /// Statuses after which a call is tried again.
    pub(crate) retry_on: Vec<Status>,
}

impl Grpc {
    /// Makes the call and passes on how it is answered.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let wire = called::check(down.head())?;
        let backend = self.to.pick();
        let timeouts = backend.upstream.timeouts;
        let deadline = deadline::of(request, down.head(), self.timeout, timeouts.total)?;
        request.record.long_lived = deadline.is_none();
        let messages = Arc::new(AtomicU64::new(0));
        request.messages = Some(messages.clone());
        let inflow = Inflow::new(wire, self.max_request, messages);
        down.request_filters.push(Box::new(inflow));

        let body = Body::of(down).await?;
        let mut call = Call {
            body,
            hash_key: backend.hash_key(request, down),
            deadline: deadline.map_or_else(deadline::none, |deadline| deadline.at),
            hasty: deadline.is_some_and(|deadline| deadline.callers),
        };
        let answer = self.call(backend, request, down, (&mut call, deadline), wire);
        let answer = answer.await.map_err(|error| deadline::name(error, &call))?;
        let outflow = Outflow::new(wire, self.max_response);
        answer::pass(request, down, answer, (&mut call, outflow)).await
    }

    /// Calls a backend until it answers with something that is for the caller.
    async fn call(
        &self,
        backend: &Backend,
        request: &mut Request,
        down: &mut Downstream,
        (call, deadline): (&mut Call, Option<Deadline>),
        wire: Wire,
    ) -> Result<Answer, GatewayError> {
        let said = down.head().headers.contains_key(CONTENT_LENGTH) && wire != Wire::WebText;
        let length = match call.body {
            Body::Stream { .. } if !said => Length::Unknown,
            _ => Length::AsSaid,
        };
        let native = content_type(down.head(), wire);
        loop {
            let edit = |head: &mut RequestHeader| edit(head, deadline, native.as_ref());
            let to = &self.to;
            let sending = Sending::request(length);
            let answer = to.call(backend, request, down, call, sending, edit);
            let mut answer = Answer::read(answer.await?);
            answer.note(request);
            let Some(wait) = self.again(&answer, backend, request, call) else {
                return Ok(answer);
            };
            if let Some(attempt) = request.record.attempts.last_mut() {
                attempt.retried = Some("grpc_status");
            }
            answer.exchange.finish(request);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
                request.waits.upstream += wait;
            }
        }
    }

    /// How long to wait before the call is tried again, if it is: the endpoint said that it may be,
    /// by a status that the route names, before any message of an answer.
    fn again(
        &self,
        answer: &Answer,
        backend: &Backend,
        request: &Request,
        call: &Call,
    ) -> Option<Duration> {
        let status = answer.trailers_only()?;
        if !self.retry_on.contains(&status) || !call.body.is_whole() {
            return None;
        }
        let wait = answer.pushback()?;
        // An endpoint that wants more time than it is given to answer is not waited for.
        let patience = backend.upstream.timeouts.first_byte;
        if wait > patience || Instant::now() + wait >= call.deadline {
            return None;
        }
        let upstream = &backend.upstream;
        upstream
            .may_retry(upstream.attempts(request))
            .then_some(wait)
    }
}

/// What a call's body is to the upstream, where that is not what it is to the caller.
fn content_type(head: &RequestHeader, wire: Wire) -> Option<HeaderValue> {
    if wire == Wire::Native {
        return None;
    }
    let sent = head.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    HeaderValue::try_from(ContentType::parse(sent)?.on(Wire::Native)).ok()
}

/// What is said to an endpoint besides what the caller says.
fn edit(head: &mut RequestHeader, deadline: Option<Deadline>, native: Option<&HeaderValue>) {
    let mut put = |name: HeaderName, value: HeaderValue| {
        head.insert_header(name, value)
            .expect("a typed header is valid");
    };
    put(TE, HeaderValue::from_static("trailers"));
    let left = deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()));
    if let Some(left) = left.and_then(|left| HeaderValue::try_from(timeout::write(left)).ok()) {
        put(GRPC_TIMEOUT, left);
    }
    if let Some(native) = native {
        put(CONTENT_TYPE, native.clone());
        head.remove_header(&X_GRPC_WEB);
    }
}
