//! `llm`: has a language model answer, under whatever quotas the route has.
//!
//! Callers keep the SDK they have: [`endpoint`] tells by the path what is asked in whose dialect.
//! Where the provider speaks as the caller does, the request is edited at byte ranges and the answer
//! passes as it came; else both are translated, through the types of `weir_protocols::llm`.
//!
//! | Module | Knows |
//! |---|---|
//! | `endpoint`, `api` | what a path asks for; who reads and writes each dialect |
//! | `ask`, `skimmed` | a call as it was written, and as it goes to a provider |
//! | `embed` | calls for vectors, and their answers |
//! | `guard` | policies that mind what is said, at work |
//! | `model` | models and their targets |
//! | `provider` | where a provider is called, and what proves to it who calls |
//! | `target` | whose turn it is, by which key, and what is known of each target |
//! | `serve` | one target after the other; `again` whether the last is asked once more |
//! | `fault` | which failure is whose, and whether the next is asked |
//! | `bound`, `budget` | what is reserved before a call, and how more is |
//! | `answer` | an answer's head; `whole` and `stream` its body; `events` what streams consist of |
//! | `cache` | answers kept to be given again |
//! | `tokens` | what callers are told of the length of a prompt |
//! | `count`, `spend` | tokens, and what they come to in every unit |
//! | `learned` | how long answers turned out before |
//! | `note` | what is written down of a call; `content`: of what is said, where that is asked for |
//! | `prompt` | the action `prompt`, whose calls are made of a template |

mod again;
mod answer;
mod api;
mod ask;
mod bound;
mod budget;
pub(crate) mod build;
mod cache;
mod content;
mod count;
mod embed;
mod endpoint;
mod events;
mod fault;
mod guard;
mod learned;
mod model;
mod note;
pub(crate) mod prompt;
mod provider;
mod serve;
mod skimmed;
mod spend;
mod stream;
mod target;
mod tokens;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use ahash::HashMap;
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use weir_protocols::openai::model_list;
use weir_protocols::{anthropic, gemini};
use weir_telemetry::Code;

use api::Inbound;
use ask::Asked;
use cache::Cache;
pub(crate) use cache::Shelves;
use endpoint::Endpoint;
pub(crate) use endpoint::api as api_of;
pub(crate) use learned::Learned;
use model::Model;
use note::Notes;
pub(crate) use target::{Standing, Standings};

use crate::error::GatewayError;
use crate::policy::quota::{Bound, charge};
use crate::proxy::{Downstream, Reply, Request, reply};

/// The action.
pub(crate) struct Llm {
    /// The models of the route, by the name callers use.
    models: HashMap<Arc<str>, Arc<Model>>,
    /// The names in the order written, for the list.
    listed: Vec<Arc<str>>,
    /// How long a stream may be silent before its caller is told that it lives on.
    keep_alive: Option<Duration>,
    /// Whether an answer is read to its end though its caller has left.
    drains: bool,
    /// The answers that are kept, if any are. Boxed, since few routes keep any.
    cache: Option<Box<Cache>>,
    /// What is written down of calls.
    notes: Notes,
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
        // Cloned, because it names the model while the call goes on; its text is shared.
        let uri = down.head().uri.clone();
        let head = down.head();
        let Some(endpoint) = endpoint::of(&uri, &head.headers) else {
            return Err(GatewayError::public(
                Code::RouteNotFound,
                "This route answers POST …/chat/completions, …/responses, …/embeddings, …/messages, \
                 …/messages/count_tokens and …/models/MODEL:generateContent, and GET …/models.",
            ));
        };
        let method = endpoint.method();
        let listed = method == Method::GET && head.method == Method::HEAD;
        if head.method != method && !listed {
            let allow = match method {
                Method::GET => "GET, HEAD",
                _ => "POST",
            };
            let error = GatewayError::public(
                Code::MethodNotAllowed,
                format!("This is asked for by {method}."),
            );
            return Err(error.header(ALLOW, HeaderValue::from_static(allow)));
        }
        match endpoint {
            Endpoint::Models(api) => {
                charge(request, &down.head().headers, Bound::default()).await?;
                let list = self.list(request, api);
                reply::answer(request, down, list).await
            }
            Endpoint::Count(api, model) => {
                tokens::answer(self, request, down, api, model.as_deref()).await
            }
            Endpoint::Generate(generate) => {
                down.limit(MAX_BODY)?;
                let body = down.read_whole().await?;
                let (body, guards) = guard::prompt(request, down, &generate, body).await?;
                let asked = Asked::read(&generate, &body)?.guarded(guards);
                self.serve(request, down, asked).await
            }
            Endpoint::Embed => {
                down.limit(MAX_BODY)?;
                let body = down.read_whole().await?;
                let body = guard::embed(request, down, body).await?;
                self.serve(request, down, Asked::read_embed(&body)?).await
            }
        }
    }

    /// Makes ready what takes long the first time tokens are counted.
    pub(crate) fn prepare_to_count(&self) {
        self.models
            .values()
            .for_each(|model| model.prepare_to_count());
    }

    async fn serve(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        mut asked: Asked<'_>,
    ) -> Result<(), GatewayError> {
        let model = self.model(request, asked.model())?;
        if request.deferred_quotas.is_some() {
            asked.read_prompt();
        }
        if self.drains {
            down.outlive();
        }
        let asked = asked.kept_alive(self.keep_alive);
        match &self.cache {
            None => serve::serve(request, down, &asked, model, &self.notes, None).await,
            // On the heap, so that calls of other routes do not carry it about.
            Some(cache) => {
                let serving = cache.serve(request, down, &asked, model, &self.notes);
                Box::pin(serving).await
            }
        }
    }

    /// The names of the models that the caller may ask for, in the order written.
    fn names(&self, request: &Request) -> Vec<&str> {
        let consumer = request.consumer.as_deref();
        let names = self.listed.iter().map(|name| &**name);
        names
            .filter(|name| self.models[*name].admits(consumer))
            .collect()
    }

    fn list(&self, request: &Request, api: Inbound) -> Reply {
        let mut body = Vec::new();
        let names = self.names(request);
        match api {
            Inbound::Chat | Inbound::Responses => {
                model_list::write(&mut body, names, 0, "weir");
            }
            Inbound::Messages => anthropic::models::write(&mut body, names, 0),
            Inbound::Gemini => gemini::models::write(&mut body, names),
            // Asked for by no path.
            Inbound::Prompt => {}
        }
        Reply::json(StatusCode::OK, body)
    }

    fn model(&self, request: &Request, name: &str) -> Result<&Model, GatewayError> {
        let Some(model) = self.models.get(name) else {
            let known = match &*self.names(request) {
                [] => "none for this consumer".to_owned(),
                known => known.join(", "),
            };
            let shown: String = name.chars().take(64).collect();
            let public = format!("This route has no model \"{shown}\"; it has {known}.");
            return Err(GatewayError::public(Code::ModelNotFound, public).param("model"));
        };
        match model.admits(request.consumer.as_deref()) {
            true => Ok(model),
            false => Err(model.denied().param("model")),
        }
    }
}
