//! `llm`: has a language model answer, under whatever quotas the route has.
//!
//! The request is read by borrowing and edited at byte ranges, never re-serialised; the answer
//! passes through while what it uses is looked for.
//!
//! | Module | Knows |
//! |---|---|
//! | `bound` | what is reserved before a call, and what the provider is told to keep to |
//! | `budget` | what is reserved, and how more is |
//! | `answer` | an answer's head; `whole` and `stream` its body |
//! | `count`, `spend` | tokens, and what they come to in every unit |
//! | `learned` | how long answers turned out before |
//! | `note` | what is written down of a call |

mod answer;
mod bound;
mod budget;
mod count;
mod learned;
mod note;
mod spend;
mod stream;
mod whole;

use ahash::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, COOKIE, HeaderMap};
use http::{HeaderValue, Method, StatusCode};
use weir_protocols::openai::chat::{self, LimitField, Splice};
use weir_protocols::openai::model_list;
use weir_telemetry::record;
use weir_telemetry::{Code, Metrics};

pub(crate) use learned::Learned;

use crate::error::GatewayError;
use crate::large;
use crate::policy::quota::{Bound, charge};
use crate::price;
use crate::proxy::head::{self, Length, Target};
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::upstream::{self, Body, Call, Upstream};

/// A model callers may ask for, and who answers.
pub(crate) struct Model {
    /// What callers write.
    pub(crate) name: Arc<str>,
    /// What the provider calls it.
    pub(crate) provider_model: Arc<str>,
    /// Who answers.
    pub(crate) provider: Arc<Provider>,
    /// What it costs, over time.
    pub(crate) prices: price::Schedule,
}

/// A provider that speaks OpenAI's dialect.
pub(crate) struct Provider {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The Host sent to it.
    pub(crate) authority: HeaderValue,
    /// The path of chat completions at it.
    pub(crate) path: String,
    /// `Bearer KEY`, marked sensitive.
    pub(crate) authorization: Option<HeaderValue>,
    /// How it is called.
    pub(crate) upstream: Arc<Upstream>,
}

impl Provider {
    /// The member that limits the answer where the caller wrote none: OpenAI's newer models refuse
    /// the older one, which is the one that everybody else knows.
    fn limit_field(&self) -> LimitField {
        match self.authority.as_bytes() {
            b"api.openai.com" => LimitField::MaxCompletionTokens,
            _ => LimitField::MaxTokens,
        }
    }
}

/// The action.
pub(crate) struct Llm {
    /// The models of the route, by the name callers use.
    pub(crate) models: HashMap<Arc<str>, Model>,
    /// The names in the order written, for the list.
    pub(crate) listed: Vec<Arc<str>>,
    /// Where the figures of models go.
    pub(crate) metrics: Metrics,
}

/// The largest request body read for a model, in bytes.
const MAX_BODY: u64 = 32 << 20;

impl Llm {
    /// Answers one call.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let head = down.head();
        let path = head.uri.path();
        if path.ends_with("/models") {
            if !matches!(head.method, Method::GET | Method::HEAD) {
                let error =
                    GatewayError::public(Code::MethodNotAllowed, "Models are listed by GET.");
                return Err(
                    error.header(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"))
                );
            }
            charge(request, &down.head().headers, Bound::default()).await?;
            return reply::answer(request, down, self.list()).await;
        }
        if !path.ends_with("/chat/completions") {
            return Err(GatewayError::public(
                Code::RouteNotFound,
                "This route answers POST …/chat/completions and GET …/models.",
            ));
        }
        if head.method != Method::POST {
            let error = GatewayError::public(
                Code::MethodNotAllowed,
                "Chat completions are asked for by POST.",
            );
            return Err(error.header(http::header::ALLOW, HeaderValue::from_static("POST")));
        }
        down.limit(MAX_BODY)?;
        let body = down.read_whole().await?;
        self.chat(request, down, body).await
    }

    fn list(&self) -> Reply {
        let mut body = Vec::new();
        model_list::write(&mut body, self.listed.iter().map(|name| &**name), 0, "weir");
        Reply::json(StatusCode::OK, body)
    }

    async fn chat(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        body: Bytes,
    ) -> Result<(), GatewayError> {
        let read = large::work(body.len(), || chat::Request::parse(&body));
        let chat = read.map_err(|fault| {
            GatewayError::public(Code::RequestBodyInvalid, fault.to_string()).param(fault.path)
        })?;
        let model = self
            .models
            .get(&*chat.model)
            .ok_or_else(|| self.unknown(&chat.model))?;
        self.note(request, model, chat.stream);

        request.price = model.prices.price(SystemTime::now()).copied();
        let granted = bound::reserve(request, &down.head().headers, &chat, model).await?;
        let mut splice = Splice::new(body.clone());
        splice
            .with_model(&chat, &model.provider_model)
            .with_usage_requested(&chat);
        if let Some(limit) = granted.limit {
            splice.with_max_tokens(&chat, limit, model.provider.limit_field());
        }
        let edited = large::work(body.len(), || splice.finish());

        let provider = &model.provider;
        let target = Target {
            path: Some(&provider.path),
            host: Some(&provider.authority),
            upgrade: false,
            length: Length::Known(edited.len()),
        };
        let deadline = Instant::now() + provider.upstream.timeouts.total;
        let mut call = Call {
            body: Body::Whole(edited),
            hash_key: None,
            deadline,
        };
        let answered = upstream::call(
            &provider.upstream,
            request,
            down,
            &mut call,
            |request, down, span| {
                let mut head = head::outgoing_respelled(request, down.head(), &target, span);
                introduce(&mut head.headers, provider);
                head.into()
            },
        )
        .await?;
        let wishes = answer::Wishes {
            stream: chat.stream,
            usage: chat.include_usage,
            choices: chat.n,
            budget: granted.budget,
        };
        answer::pass(request, down, answered, &mut call.body, wishes).await
    }

    fn note(&self, request: &mut Request, model: &Model, stream: bool) {
        let team = request.record.team.clone();
        let provider = &model.provider.name;
        request.model_metrics = Some(self.metrics.model(
            &model.name,
            provider,
            team.as_deref().unwrap_or_default(),
        ));
        request.record.llm = Some(Box::new(record::Llm {
            operation: "chat",
            requested_model: model.name.clone(),
            served_model: Some(model.provider_model.clone()),
            provider: provider.clone(),
            stream,
            prompt_tokens: None,
            completion_tokens: None,
            provenance: "estimated",
            first_chunk: None,
            finish_reason: None,
        }));
    }

    fn unknown(&self, name: &str) -> GatewayError {
        let known = self.listed.join(", ");
        let shown: String = name.chars().take(64).collect();
        GatewayError::public(
            Code::ModelNotFound,
            format!("This route has no model \"{shown}\"; it has {known}."),
        )
        .param("model")
    }
}

/// What a provider gets instead of what the caller sent: its own key, and nothing that would make
/// the answer unreadable to us.
fn introduce(fields: &mut HeaderMap, provider: &Provider) {
    fields.remove(AUTHORIZATION);
    fields.remove(COOKIE);
    if let Some(authorization) = &provider.authorization {
        fields.insert(AUTHORIZATION, authorization.clone());
    }
    fields.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}
