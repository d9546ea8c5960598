//! `grpc`: passes gRPC calls to an upstream, those of gRPC-Web as such, and those that come as HTTP and
//! JSON.
//!
//! Messages pass untouched and are only counted; what is in them is known to [`transcode`] alone.

pub(super) mod answer;
pub(super) mod called;
mod deadline;
mod inflow;
mod outflow;
pub(in crate::action) mod served;
pub(super) mod transcode;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::header::{HeaderValue, TE};
use http::uri::Uri;
use http::{HeaderName, Method};
use pingora_http::RequestHeader;
use weir_protocols::grpc::content_type::{ContentType, Wire};
use weir_protocols::grpc::status::Code as Status;
use weir_protocols::grpc::timeout;

use self::answer::Answer;
pub(crate) use self::called::Told;
use self::deadline::Deadline;
use self::inflow::Inflow;
use self::outflow::Outflow;
use self::transcode::Transcoding;
use super::destination::{Backend, Destination, Sending};
use crate::error::GatewayError;
use crate::proxy::head::{DIGESTS, Length};
use crate::proxy::{Downstream, Request, grpc};
use crate::upstream::{Body, Call};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const X_GRPC_WEB: HeaderName = HeaderName::from_static("x-grpc-web");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// The longest message of an upstream that is made JSON where the route says nothing: what clients of
/// gRPC have for one, in bytes.
const MOST_JSON: u32 = 4 << 20;

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
    /// What is known of the methods, where they are called by HTTP and JSON as well.
    pub(crate) transcoding: Option<Transcoding>,
}

/// What goes up besides what the caller says.
struct Upward {
    deadline: Option<Deadline>,
    length: Length,
    turn: Turn,
}

/// What the caller's head is turned into.
enum Turn {
    /// The same, with this for its content type if that is another.
    Native(Option<HeaderValue>),
    /// The head of a call to this method.
    Transcoded(Uri),
}

impl Grpc {
    /// What is told of a request.
    pub(super) fn told(&self, head: &RequestHeader, path: &str) -> Told {
        match self.transcodes(head) {
            Some(transcoding) => transcoding.told(head, path),
            None => called::told(head),
        }
    }

    /// What turns a request into a call, if it has to be.
    fn transcodes(&self, head: &RequestHeader) -> Option<&Transcoding> {
        let is_native = grpc::content_type(&head.headers).is_some();
        self.transcoding.as_ref().filter(|_| !is_native)
    }

    /// The longest message that is made JSON, which is held whole.
    fn max_json(&self) -> u32 {
        match self.max_response {
            u32::MAX => MOST_JSON,
            said => said,
        }
    }

    /// Makes the call and passes on how it is answered.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        if let Some(transcoding) = self.transcodes(down.head()) {
            // On the heap, so that native calls do not carry it about.
            return Box::pin(transcode::run(self, transcoding, request, down)).await;
        }
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
        let upward = Upward {
            deadline,
            length: length(&call, down.head(), wire),
            turn: Turn::Native(content_type(down.head(), wire)),
        };
        let answer = self.call(backend, request, down, &mut call, &upward);
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
        call: &mut Call,
        upward: &Upward,
    ) -> Result<Answer, GatewayError> {
        loop {
            let edit = |head: &mut RequestHeader| upward.edit(head);
            let to = &self.to;
            let sending = Sending::request(upward.length);
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

/// How long the body is that goes up.
fn length(call: &Call, head: &RequestHeader, wire: Wire) -> Length {
    let said = head.headers.contains_key(CONTENT_LENGTH) && wire != Wire::WebText;
    match call.body {
        Body::Stream { .. } if !said => Length::Unknown,
        _ => Length::AsSaid,
    }
}

impl Upward {
    /// Says to an endpoint what the caller does not.
    fn edit(&self, head: &mut RequestHeader) {
        match &self.turn {
            Turn::Native(None) => {}
            Turn::Native(Some(native)) => {
                put(head, CONTENT_TYPE, native.clone());
                head.remove_header(&X_GRPC_WEB);
            }
            Turn::Transcoded(method) => turn(head, method),
        }
        put(head, TE, HeaderValue::from_static("trailers"));
        let deadline = self.deadline;
        let left = deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()));
        if let Some(left) = left.and_then(|left| HeaderValue::try_from(timeout::write(left)).ok()) {
            put(head, GRPC_TIMEOUT, left);
        }
    }
}

/// Makes any request's head that of a call: what is said of its body is of another one.
fn turn(head: &mut RequestHeader, method: &Uri) {
    head.set_method(Method::POST);
    head.set_uri(method.clone());
    for name in [ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ENCODING] {
        head.remove_header(&name);
    }
    for name in &DIGESTS {
        head.remove_header(name);
    }
    put(
        head,
        CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    // What is compressed cannot be read here.
    put(head, ACCEPTED, HeaderValue::from_static("identity"));
}

fn put(head: &mut RequestHeader, name: HeaderName, value: HeaderValue) {
    head.insert_header(name, value)
        .expect("a typed header is valid");
}
