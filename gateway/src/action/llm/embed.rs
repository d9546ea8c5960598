//! Texts as vectors: a call for embeddings as it is asked, aimed at a target, and answered.
//!
//! Callers ask by OpenAI's `embeddings`. Who speaks alike is sent the request with another model's
//! name, and its answer passes as it came; Gemini is asked by `batchEmbedContents`. A vector has no
//! output: what is reserved and used is the prompt.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use weir_protocols::gemini;
use weir_protocols::llm::prompt::{Part, Prompt};
use weir_protocols::llm::{Edit, Fault, Malformed, Usage};
use weir_protocols::openai::embeddings::{self, Answer, Input, Request as Asked};
use weir_telemetry::Code;

use super::answer::Call;
use super::api::Outbound;
use super::ask::Outgoing;
use super::budget::Budget;
use super::cache::Keeping;
use super::fault::{self, Failed};
use super::provider::Provider;
use super::whole::{self, Seen};
use super::{count, note};
use crate::error::GatewayError;
use crate::policy::quota;
use crate::proxy::{Downstream, Request};
use crate::upstream::{Body, Exchange};

/// The longest answer that is read, in bytes: 2048 vectors of 3072 numbers, as text.
const MAX_ANSWER: usize = 96 << 20;

/// A call for embeddings.
pub(super) struct Embed<'a> {
    asked: Asked<'a>,
}

impl<'a> Embed<'a> {
    /// Reads a call.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Fault> {
        embeddings::request::read(body).map(|asked| Self { asked })
    }

    /// The model asked for.
    pub(super) fn model(&self) -> &str {
        &self.asked.model
    }

    /// The call of `provider` for vectors that its `model` makes.
    pub(super) fn aim(
        &self,
        body: &Bytes,
        provider: &Provider,
        model: &str,
    ) -> Result<Outgoing, GatewayError> {
        let refused = |path: &'static str, why: &str| {
            let text = format!("{path}: the model's provider {why}");
            GatewayError::public(Code::RequestBodyInvalid, text).param(path)
        };
        let path = provider.embeddings_path(model);
        let path = path.ok_or_else(|| refused("model", "makes no embeddings"))?;
        if provider.api != Outbound::Gemini {
            let mut edit = Edit::new(body.clone());
            if *self.asked.model != *model {
                edit.string(&["model"], model);
            }
            return Ok(Outgoing {
                body: edit.finish(),
                path,
                speaks: provider.api,
                alike: true,
                dropped: Vec::new(),
            });
        }
        let texts: Vec<&str> = match &self.asked.input {
            Input::Text(text) => vec![text],
            Input::Texts(texts) => texts.iter().map(|text| &**text).collect(),
            Input::Tokens(_) | Input::TokenLists(_) => {
                return Err(refused("input", "takes text, not tokens"));
            }
        };
        let mut dropped = self.asked.unknown.clone();
        dropped.extend(self.asked.user.is_some().then(|| "user".to_owned()));
        Ok(Outgoing {
            body: gemini::embed::write(&texts, model, self.asked.dimensions).into(),
            path,
            speaks: provider.api,
            alike: false,
            dropped,
        })
    }

    /// Reads a foreign provider's answer, which has a vector for each text.
    fn answer(&self, document: &[u8]) -> Result<Vec<Vec<f32>>, Malformed> {
        let vectors = gemini::embed::read(document)?;
        match vectors.len() == self.asked.input.count() {
            true => Ok(vectors),
            false => Err(Malformed::new("it has not one vector for each text")),
        }
    }
}

impl Prompt for Embed<'_> {
    fn text_bytes(&self) -> usize {
        match &self.asked.input {
            Input::Text(text) => text.len(),
            Input::Texts(texts) => texts.iter().map(|text| text.len()).sum(),
            Input::Tokens(_) | Input::TokenLists(_) => self.asked.input.tokens().unwrap_or(0),
        }
    }

    fn converses(&self) -> bool {
        false
    }

    fn messages(&self) -> usize {
        self.asked.input.count()
    }

    fn attachments(&self) -> usize {
        0
    }

    fn for_each_part(&self, each: &mut dyn FnMut(Part<'_>)) {
        match &self.asked.input {
            Input::Text(text) => each(Part::Text(text)),
            Input::Texts(texts) => texts.iter().for_each(|text| each(Part::Text(text))),
            Input::Tokens(_) | Input::TokenLists(_) => {
                each(Part::Tokens(self.asked.input.tokens().unwrap_or(0)));
            }
        }
    }
}

/// Passes an answer on, once all of it is there.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    (head, mut exchange): (Box<ResponseHeader>, Exchange),
    body: &mut Body,
    (embed, call, keeping): (&Embed<'_>, &Call<'_>, Option<Keeping<'_>>),
    budget: Option<&mut Budget<'_>>,
) -> Result<(), Failed> {
    let mut seen = Seen::up_to(MAX_ANSWER);
    if let Err(failed) = whole::read(request, down, &mut exchange, body, &mut seen).await {
        exchange.abandon(request, failed.error());
        return Err(failed);
    }
    let document = seen.document();
    let read = match call.alike {
        true => pass_as_it_came(request, head, document),
        false => translate(request, &document, (embed, call)).await,
    };
    let (head, out) = match read {
        Ok(read) => read,
        Err(error) => {
            exchange.abandon(request, &error);
            return Err(Failed::Next(error));
        }
    };
    exchange.finish(request);
    if let Some(usage) = request.usage {
        quota::declare(request, usage);
    }
    let sent = whole::send(request, down, head, out.clone()).await;
    if let Some(keeping) = keeping {
        keeping.vectors(&out, embed.asked.input.count());
    }
    if request.usage.is_none()
        && let Some(budget) = budget
    {
        // Until it is counted: no token is shorter than a byte.
        note::estimated(request, budget.prompt.tokens, 0);
        budget.prompt.count().await;
        note::counted(request, budget.prompt.tokens, 0);
    }
    Ok(sent?)
}

fn pass_as_it_came(
    request: &mut Request,
    head: Box<ResponseHeader>,
    document: Bytes,
) -> Result<(Box<ResponseHeader>, Bytes), GatewayError> {
    let text = document.trim_ascii();
    if !(text.starts_with(b"{") && text.ends_with(b"}")) {
        let error = GatewayError::new(Code::ProviderResponseInvalid);
        return Err(error.source("the answer is no JSON object"));
    }
    if let Some(usage) = embeddings::answer::usage(&document) {
        note::told(request, &usage);
    }
    Ok((head, document))
}

/// OpenAI's dialect says what was used, which Gemini does not: it is counted.
async fn translate(
    request: &mut Request,
    document: &[u8],
    (embed, call): (&Embed<'_>, &Call<'_>),
) -> Result<(Box<ResponseHeader>, Bytes), GatewayError> {
    let vectors = embed
        .answer(document)
        .map_err(|why| GatewayError::new(Code::ProviderResponseInvalid).source(why))?;
    let model = &call.target.model;
    let tokens = count::exact(embed, model).await;
    note::counted(request, tokens, 0);
    let answer = Answer {
        model: None,
        vectors,
        usage: Some(Usage::new(tokens, 0)),
    };
    let mut out = Vec::new();
    embeddings::answer::write(&mut out, &answer, model, embed.asked.encoding);
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LENGTH, HeaderValue::from(out.len())),
    ];
    Ok((fault::head(StatusCode::OK, fields)?, out.into()))
}
