//! The demo's model: OpenAI's chat completions, whole and streamed, as its client libraries
//! expect them.
//!
//! It understands nothing: it repeats what it was told. But its tokens are counted, its limits
//! kept and its errors shaped as a provider's are, so that what is measured in front of it is real.

mod ask;
mod completion;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use subtle::ConstantTimeEq as _;
use weir_protocols::openai::{error, model_list};

use super::serve::{self, Body, Unread};
use ask::Ask;
use completion::Completion;

/// What the model calls itself.
pub(super) const NAME: &str = "parrot-1";

/// Between two pieces of a streamed answer: slow enough to be seen.
const PACE: Duration = Duration::from_millis(15);

/// The model, as many callers share it.
pub(super) struct Model {
    authorization: String,
    answered: AtomicU64,
}

/// Why there is no completion, in OpenAI's terms.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Refusal {
    /// The caller's request is at fault.
    fn invalid(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal {
            status,
            message: message.into(),
            kind: "invalid_request_error",
            param: None,
            code: None,
        }
    }
}

impl Model {
    /// A model that answers those who present `key`.
    pub(super) fn new(key: &str) -> Self {
        Model {
            authorization: format!("Bearer {key}"),
            answered: AtomicU64::new(0),
        }
    }

    /// Answers one request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let answered = self.respond(request).await;
        answered.unwrap_or_else(|refusal| refused(&refusal))
    }

    async fn respond(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        self.admit(request.headers())?;
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/v1/models") => Ok(models()),
            (&Method::POST, "/v1/chat/completions") => self.complete(request.into_body()).await,
            (_, "/v1/models" | "/v1/chat/completions") => {
                let message = "models are listed by GET, chat completions asked for by POST";
                Err(Refusal::invalid(StatusCode::METHOD_NOT_ALLOWED, message))
            }
            (_, path) => {
                let message = format!("nothing is served at {path}");
                Err(Refusal::invalid(StatusCode::NOT_FOUND, message))
            }
        }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let presented = headers
            .get(AUTHORIZATION)
            .map_or(&[][..], |value| value.as_bytes());
        if presented.ct_eq(self.authorization.as_bytes()).into() {
            return Ok(());
        }
        let message = "the key in Authorization is not this model's";
        Err(Refusal {
            code: Some("invalid_api_key"),
            ..Refusal::invalid(StatusCode::UNAUTHORIZED, message)
        })
    }

    async fn complete(&self, body: Incoming) -> Result<Response<Body>, Refusal> {
        let body = serve::read(body).await.map_err(|unread| match unread {
            Unread::TooLarge => Refusal::invalid(
                StatusCode::PAYLOAD_TOO_LARGE,
                "this model reads bodies of at most 1 MiB",
            ),
            Unread::Broken => Refusal::invalid(StatusCode::BAD_REQUEST, "the body broke off"),
        })?;
        let ask = Ask::parse(&body)?;
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let completion = Completion::new(&ask, number, now());
        if ask.stream {
            Ok(streamed(completion.events(ask.include_usage)))
        } else {
            Ok(serve::json(StatusCode::OK, &completion.whole()))
        }
    }
}

/// Sends `events` one by one, at the pace of someone who writes.
fn streamed(events: Vec<Bytes>) -> Response<Body> {
    let paced = stream::unfold(events.into_iter(), async |mut rest| {
        let event = rest.next()?;
        tokio::time::sleep(PACE).await;
        Some((Ok(Frame::data(event)), rest))
    });
    serve::typed(
        StatusCode::OK,
        "text/event-stream",
        StreamBody::new(paced).boxed_unsync(),
    )
}

fn models() -> Response<Body> {
    let mut list = Vec::new();
    model_list::write(&mut list, [NAME], 0, "weir-demo");
    whole(StatusCode::OK, list)
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let mut body = Vec::new();
    let object = error::Error {
        message: &refusal.message,
        kind: refusal.kind,
        param: refusal.param,
        code: refusal.code,
        extra: None,
    };
    error::write(&mut body, &object);
    whole(refusal.status, body)
}

fn whole(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    serve::typed(
        status,
        "application/json",
        http_body_util::Full::new(body.into()).boxed_unsync(),
    )
}

/// Seconds since 1970; 0 on a clock set before.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
