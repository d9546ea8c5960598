//! The dialects that the model speaks: at which path what is asked for, where the key stands, and who
//! reads and writes.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode, Uri};
use weir_protocols::gemini::path::{self, Target};
use weir_protocols::llm::{Answer, Envelope, Error, Event, Fault, Request};
use weir_protocols::openai::{self, completion, model_list};
use weir_protocols::{anthropic, gemini};

use super::Refusal;
use super::brain::Thought;

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Gemini's.
    Gemini,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked<'u> {
    /// The models there are.
    Models,
    /// An answer.
    Answer(Generate<'u>),
    /// Vectors.
    Embeddings,
}

/// How an answer is asked for, as far as a path says it.
#[derive(Debug, Default)]
pub(super) struct Generate<'u> {
    model: Option<Cow<'u, str>>,
    stream: bool,
    /// Whether a stream is to be one JSON array.
    pub(super) array: bool,
}

/// What is written of a stream, by dialect.
enum Writer {
    OpenAi(completion::Writer),
    Anthropic(anthropic::stream::Writer),
    Gemini(gemini::stream::Writer),
}

impl Dialect {
    /// The dialect of a request.
    pub(super) fn of(path: &str, headers: &HeaderMap) -> Self {
        if path.starts_with("/v1beta/") {
            Self::Gemini
        } else if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// The key that was presented; nothing, if none was.
    pub(super) fn key(self, headers: &HeaderMap) -> &[u8] {
        let of = |name: &str| headers.get(name).map_or(&[][..], |value| value.as_bytes());
        match self {
            Self::OpenAi => of(AUTHORIZATION.as_str())
                .strip_prefix(b"Bearer ")
                .unwrap_or_default(),
            Self::Anthropic => of("x-api-key"),
            Self::Gemini => of("x-goog-api-key"),
        }
    }

    /// What a request asks for.
    pub(super) fn asked<'u>(self, method: &Method, uri: &'u Uri) -> Result<Asked<'u>, Refusal> {
        let path = uri.path();
        let (asked, by) = match (self, path) {
            (Self::OpenAi | Self::Anthropic, "/v1/models") => (Asked::Models, Method::GET),
            (Self::OpenAi, "/v1/chat/completions") | (Self::Anthropic, "/v1/messages") => {
                (Asked::Answer(Generate::default()), Method::POST)
            }
            (Self::OpenAi, "/v1/embeddings") => (Asked::Embeddings, Method::POST),
            (Self::Gemini, _) => match gemini_asked(uri) {
                Some(Asked::Models) => (Asked::Models, Method::GET),
                Some(asked) => (asked, Method::POST),
                None => return Err(nothing(path)),
            },
            _ => return Err(nothing(path)),
        };
        if *method == by {
            return Ok(asked);
        }
        let message = format!("this is asked for by {by}");
        Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message))
    }

    /// Reads a call.
    pub(super) fn read<'a>(
        self,
        body: &'a [u8],
        generate: &'a Generate<'_>,
    ) -> Result<Request<'a>, Fault> {
        match self {
            Self::OpenAi => openai::chat::read(body),
            Self::Anthropic => anthropic::request::read(body),
            Self::Gemini => {
                let model = generate.model.as_deref().unwrap_or_default();
                gemini::request::read(body, model, generate.stream)
            }
        }
    }

    /// Appends a whole answer.
    pub(super) fn write(self, out: &mut Vec<u8>, answer: &Answer<'_>, envelope: &Envelope<'_>) {
        match self {
            Self::OpenAi => completion::write(out, answer, envelope),
            Self::Anthropic => anthropic::answer::write(out, answer, envelope),
            Self::Gemini => gemini::answer::write(out, answer, envelope),
        }
    }

    /// An answer as a stream: piece by piece, as each is to be sent. `usage` is whether OpenAI's
    /// caller asked for that.
    pub(super) fn events(
        self,
        thought: &Thought,
        envelope: &Envelope<'_>,
        usage: bool,
        array: bool,
    ) -> Vec<Bytes> {
        let mut writer = match self {
            Self::OpenAi => Writer::OpenAi(completion::Writer::new(envelope, usage)),
            Self::Anthropic => Writer::Anthropic(anthropic::stream::Writer::new(envelope)),
            Self::Gemini if array => Writer::Gemini(gemini::stream::Writer::array(*envelope, true)),
            Self::Gemini => Writer::Gemini(gemini::stream::Writer::new(*envelope, true)),
        };
        let pieces = thought.events(envelope.id).into_iter().map(|event| {
            let mut out = Vec::new();
            writer.write(&event, &mut out);
            Bytes::from(out)
        });
        pieces.filter(|piece| !piece.is_empty()).collect()
    }

    /// Appends an error.
    pub(super) fn write_error(self, out: &mut Vec<u8>, status: u16, error: &Error<'_>) {
        match self {
            Self::OpenAi => openai::error::write_canonical(out, error, None),
            Self::Anthropic => anthropic::error::write(out, status, error, None, "req_demo"),
            Self::Gemini => gemini::error::write(out, status, error, None, ""),
        }
    }

    /// Appends the list of models: one.
    pub(super) fn write_models(self, out: &mut Vec<u8>, name: &str) {
        match self {
            Self::OpenAi => model_list::write(out, [name], 0, "weir-demo"),
            Self::Anthropic => anthropic::models::write(out, [name], 0),
            Self::Gemini => gemini::models::write(out, [name]),
        }
    }
}

impl Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::OpenAi(writer) => writer.write(event, out),
            Self::Anthropic(writer) => writer.write(event, out),
            Self::Gemini(writer) => writer.write(event, out),
        }
    }
}

fn gemini_asked(uri: &Uri) -> Option<Asked<'_>> {
    let stream = match path::parse(uri.path())? {
        Target::Models => return Some(Asked::Models),
        Target::Call { model, method } => match method {
            path::Method::Generate => (model, false),
            path::Method::Stream => (model, true),
            _ => return None,
        },
        Target::Model(_) => return None,
    };
    let (model, stream) = stream;
    let mut query = uri.query().unwrap_or_default().split('&');
    Some(Asked::Answer(Generate {
        model: Some(model),
        stream,
        array: stream && !query.any(|pair| pair == "alt=sse"),
    }))
}

fn nothing(path: &str) -> Refusal {
    let shown: String = path.chars().take(64).collect();
    Refusal::new(
        StatusCode::NOT_FOUND,
        format!("nothing is served at {shown}"),
    )
}
