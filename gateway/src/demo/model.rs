//! The demo's model: one parrot that speaks as OpenAI, Anthropic and Gemini do, whole and streamed,
//! calls tools, and makes vectors, as their client libraries expect it.
//!
//! It understands nothing: it repeats what it was told, and a tool is called by its name. But its
//! tokens are counted, its limits kept and its errors shaped as a provider's are, so that what is
//! measured in front of it is real. It reads and writes by `weir_protocols`, whose transcripts are
//! those of real providers.
//!
//! | Module | Knows |
//! |---|---|
//! | `brain` | what to say to a call, whatever it was written in |
//! | `dialect` | the paths, keys and words of each dialect |
//! | `made` | values that fit a schema |
//! | `vector` | what texts have in common, as numbers |
//! | `words` | tokens |

mod brain;
mod dialect;
mod made;
mod vector;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use subtle::ConstantTimeEq as _;
use weir_protocols::llm::error::{Error, Kind};
use weir_protocols::llm::{Envelope, Fault};
use weir_protocols::openai::embeddings;

use super::serve::{self, Body, Unread};
use brain::Thought;
use dialect::{Asked, Dialect, Generate};

/// What the model calls itself.
pub(super) const NAME: &str = "parrot-1";

/// Between two pieces of a streamed answer: slow enough to be seen.
const PACE: Duration = Duration::from_millis(15);

/// The model, as many callers share it.
pub(super) struct Model {
    key: String,
    answered: AtomicU64,
}

/// Why there is no answer.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: Error<'static>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal {
            status,
            error: Error {
                kind: Kind::of_status(status.as_u16()),
                message: message.into().into(),
                param: None,
                code: None,
            },
        }
    }

    /// Names the member to blame.
    fn param(mut self, path: impl Into<String>) -> Self {
        self.error.param = Some(path.into().into());
        self
    }

    fn code(mut self, code: &'static str) -> Self {
        self.error.code = Some(code.into());
        self
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, fault.to_string()).param(fault.path)
    }
}

impl Model {
    /// A model that answers those who present `key`.
    pub(super) fn new(key: &str) -> Self {
        Model {
            key: key.to_owned(),
            answered: AtomicU64::new(0),
        }
    }

    /// Answers one request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let dialect = Dialect::of(request.uri().path(), request.headers());
        let answered = self.respond(dialect, request).await;
        answered.unwrap_or_else(|refusal| {
            let mut body = Vec::new();
            dialect.write_error(&mut body, refusal.status.as_u16(), &refusal.error);
            whole(refusal.status, body)
        })
    }

    async fn respond(
        &self,
        dialect: Dialect,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        self.admit(dialect, request.headers())?;
        let uri = request.uri().clone();
        let asked = dialect.asked(request.method(), &uri)?;
        match asked {
            Asked::Models => {
                let mut list = Vec::new();
                dialect.write_models(&mut list, NAME);
                Ok(whole(StatusCode::OK, list))
            }
            Asked::Answer(generate) => {
                let body = read(request.into_body()).await?;
                self.speak(dialect, &generate, &body)
            }
            Asked::Embeddings => {
                let body = read(request.into_body()).await?;
                let asked = embeddings::request::read(&body)?;
                known(&asked.model)?;
                let mut out = Vec::new();
                let answer = vector::answer(&asked)?;
                embeddings::answer::write(&mut out, &answer, NAME, asked.encoding);
                Ok(whole(StatusCode::OK, out))
            }
        }
    }

    fn admit(&self, dialect: Dialect, headers: &HeaderMap) -> Result<(), Refusal> {
        let presented = dialect.key(headers);
        if presented.ct_eq(self.key.as_bytes()).into() {
            return Ok(());
        }
        let message = "the key is missing, or not this model's";
        Err(Refusal::new(StatusCode::UNAUTHORIZED, message).code("invalid_api_key"))
    }

    fn speak(
        &self,
        dialect: Dialect,
        generate: &Generate<'_>,
        body: &[u8],
    ) -> Result<Response<Body>, Refusal> {
        let call = dialect.read(body, generate)?;
        known(&call.model)?;
        let thought = Thought::of(&call)?;
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let envelope = Envelope {
            id: &format!("demo{number}"),
            model: NAME,
            created: now(),
        };
        if call.stream {
            let events = dialect.events(&thought, &envelope, call.stream_usage, generate.array);
            return Ok(streamed(events, generate.array));
        }
        let mut out = Vec::new();
        dialect.write(&mut out, &thought.answer(number), &envelope);
        Ok(whole(StatusCode::OK, out))
    }
}

/// Refuses other models.
fn known(model: &str) -> Result<(), Refusal> {
    if model == NAME {
        return Ok(());
    }
    let shown: String = model.chars().take(64).collect();
    let message = format!("the model \"{shown}\" does not exist; {NAME} does");
    Err(Refusal::new(StatusCode::NOT_FOUND, message)
        .param("model")
        .code("model_not_found"))
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    serve::read(body).await.map_err(|unread| match unread {
        Unread::TooLarge => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "this model reads bodies of at most 1 MiB",
        ),
        Unread::Broken => Refusal::new(StatusCode::BAD_REQUEST, "the body broke off"),
    })
}

/// Sends `events` one by one, at the pace of someone who writes.
fn streamed(events: Vec<Bytes>, array: bool) -> Response<Body> {
    let paced = stream::unfold(events.into_iter(), async |mut rest| {
        let event = rest.next()?;
        tokio::time::sleep(PACE).await;
        Some((Ok(Frame::data(event)), rest))
    });
    let content_type = match array {
        true => "application/json",
        false => "text/event-stream",
    };
    let body = StreamBody::new(paced).boxed_unsync();
    serve::typed(StatusCode::OK, content_type, body)
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
