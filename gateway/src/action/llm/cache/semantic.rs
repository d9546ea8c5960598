//! Calls that mean the same as one that was answered: alike in everything but the text of their last
//! turn, whose vectors are compared. The vector is asked of a provider of embeddings, beside the call
//! and before it; what that costs is charged to the caller's quotas.
//!
//! Whatever goes wrong, the call is asked of its model as if nothing had been looked up.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use weir_protocols::gemini;
use weir_protocols::openai::embeddings;
use weir_telemetry::Metrics;
use weir_telemetry::code::Fault;
use weir_telemetry::metrics;
use weir_telemetry::metrics::answers::Cause;
use weir_telemetry::metrics::model::{Call, Used};

use super::index::{Index, unit};
use super::key::{Key, Question};
use crate::action::llm::api::Outbound;
use crate::action::llm::budget::{Prompt, depends_on_tokens};
use crate::action::llm::embed::Embed;
use crate::action::llm::provider::Provider;
use crate::action::llm::provider::build::provider;
use crate::action::llm::whole::{self, Seen};
use crate::action::llm::{count, spend};
use crate::config::routes::cache as config;
use crate::error::GatewayError;
use crate::policy::quota::{Beside, Bound, Usage};
use crate::price;
use crate::proxy::{Downstream, Request};
use crate::quota::Provenance;
use crate::runtime::Parts;

/// The longest answer that is read, in bytes: one vector.
const MAX_ANSWER: usize = 1 << 20;

/// How texts are compared on one route.
pub(super) struct Semantic {
    provider: Arc<Provider>,
    model: Arc<str>,
    dimensions: Option<u32>,
    pub(super) threshold: f32,
    timeout: Duration,
    pub(super) max_texts: usize,
    prices: price::Schedule,
    pub(super) index: Arc<Index>,
    metrics: Metrics,
}

/// A call whose last text can be compared.
pub(super) struct Subject {
    /// What it has to share with another.
    pub(super) group: Key,
    /// The text.
    text: String,
}

/// A text that was made a vector.
#[derive(Clone)]
pub(super) struct Meaning {
    pub(super) group: Key,
    /// Of length 1.
    pub(super) vector: Arc<[f32]>,
}

/// What the provider of embeddings said.
struct Answered {
    vector: Arc<[f32]>,
    usage: Usage,
    tokens: u64,
}

impl Semantic {
    pub(super) fn new(config: &config::Semantic, index: Arc<Index>, parts: &Parts<'_>) -> Self {
        let provider = Arc::new(provider(&config.provider, parts));
        let vendor = provider.authority.to_str().ok().and_then(price::vendor_of);
        let prices = &parts.config.prices;
        let catalogue = price::Catalogue::new(prices.builtin, &prices.entries);
        Self {
            prices: catalogue.schedule(&config.provider, vendor, &config.model),
            provider,
            model: config.model.clone(),
            dimensions: config.dimensions,
            threshold: config.threshold as f32,
            timeout: config.timeout,
            max_texts: config.max_texts,
            index,
            metrics: parts.metrics.clone(),
        }
    }

    /// What of a call is compared; `None` if nothing is.
    pub(super) fn subject(&self, question: &Question<'_>) -> Option<Subject> {
        let provider = &self.provider;
        let dimensions = self.dimensions.unwrap_or(0).to_le_bytes();
        let maker: [&[u8]; 5] = [
            provider.name.as_bytes(),
            provider.authority.as_bytes(),
            provider.base.as_bytes(),
            self.model.as_bytes(),
            &dimensions,
        ];
        let (group, text) = question.group(&maker)?;
        Some(Subject { group, text })
    }

    /// What a text means; `None` if nobody says so in time, or the caller's quotas have no room.
    ///
    /// # Errors
    /// If it is the caller that ended this.
    pub(super) async fn meaning(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        subject: Subject,
        (model, counted): (&Arc<str>, &metrics::Answers),
    ) -> Result<Option<Meaning>, GatewayError> {
        let body = self.body(&subject.text);
        let Ok(embed) = Embed::read(&body) else {
            return Ok(None);
        };
        let entered = self.enter(request, &down.head().headers, &embed, model);
        let Ok(beside) = entered.await else {
            counted.failed(Cause::Quota);
            return Ok(None);
        };
        let first = request.record.attempts.len();
        let said = self.ask(request, down, (&embed, &body)).await;
        self.settle(request, (first, model), beside, said.as_ref().ok());
        match said {
            Ok(answered) => Ok(Some(Meaning {
                group: subject.group,
                vector: answered.vector,
            })),
            Err(error) if error.code.fault() == Fault::Client => Err(error),
            Err(error) => {
                log::debug!("a text was not compared: {}", error.code);
                counted.failed(Cause::Embeddings);
                Ok(None)
            }
        }
    }

    /// The call for a vector, in OpenAI's words.
    fn body(&self, text: &str) -> Bytes {
        let mut body = json!({ "model": &*self.model, "input": text });
        if let Some(dimensions) = self.dimensions {
            body["dimensions"] = dimensions.into();
        }
        body.to_string().into()
    }

    /// Reserves what the vector may cost, if anybody counts that.
    async fn enter(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        embed: &Embed<'_>,
        model: &str,
    ) -> Result<Option<Beside>, ()> {
        let Some(quotas) = request.deferred_quotas.clone() else {
            return Ok(None);
        };
        let price = self.prices.price(SystemTime::now()).copied();
        let mut prompt = Prompt::new(embed, &self.model);
        loop {
            let bound = Bound {
                amounts: spend::bound(price.as_ref(), prompt.tokens, 0),
                model: Some(model),
                provider: Some(&self.provider.name),
            };
            match quotas.beside(request, headers, bound).await {
                Ok(beside) => return Ok(Some(beside)),
                Err(refused) if depends_on_tokens(&refused) && prompt.count().await => {}
                Err(_) => return Err(()),
            }
        }
    }

    async fn ask(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        (embed, body): (&Embed<'_>, &Bytes),
    ) -> Result<Answered, GatewayError> {
        let provider = &self.provider;
        let mut outgoing = embed.aim(body, provider, &self.model)?;
        // It is our own call, whatever the caller's head says.
        outgoing.alike = false;
        let deadline = Instant::now() + self.timeout;
        // One key will do: should it be limited, nothing is compared.
        let (answer, mut body) = provider.send(request, down, &outgoing, 0, deadline).await?;
        let mut exchange = answer.exchange;
        if answer.head.status != StatusCode::OK {
            let said = format!("the provider answered {}", answer.head.status.as_u16());
            let error = failed(said);
            exchange.abandon(request, &error);
            return Err(error);
        }
        let mut seen = Seen::up_to(MAX_ANSWER);
        if let Err(failed) = whole::read(request, down, &mut exchange, &mut body, &mut seen).await {
            exchange.abandon(request, failed.error());
            return Err(failed.error().clone());
        }
        match self.read(embed, &seen.document()).await {
            Some(answered) => {
                exchange.finish(request);
                Ok(answered)
            }
            None => {
                let error = failed("the answer is not one vector".to_owned());
                exchange.abandon(request, &error);
                Err(error)
            }
        }
    }

    async fn read(&self, embed: &Embed<'_>, document: &[u8]) -> Option<Answered> {
        let (vectors, told) = match self.provider.api {
            Outbound::Gemini => (gemini::embed::read(document).ok()?, None),
            _ => {
                let answer = embeddings::answer::read(document).ok()?;
                (answer.vectors, answer.usage)
            }
        };
        let [vector] = &*vectors else {
            return None;
        };
        let price = self.prices.price(SystemTime::now()).copied();
        let (usage, tokens) = match told {
            Some(told) => (spend::told(price.as_ref(), &told), told.input),
            None => {
                let tokens = count::exact(embed, &self.model).await;
                let counted = Provenance::Counted;
                (spend::of(price.as_ref(), tokens, 0, counted), tokens)
            }
        };
        Some(Answered {
            vector: unit(vector)?,
            usage,
            tokens,
        })
    }

    /// Settles what the vector cost, and tells of it.
    fn settle(
        &self,
        request: &mut Request,
        (first, model): (usize, &Arc<str>),
        beside: Option<Beside>,
        answered: Option<&Answered>,
    ) {
        let attempts = &request.record.attempts[first..];
        let maybe_used = attempts
            .iter()
            .any(|attempt| attempt.bytes_sent > 0 && attempt.status.is_none_or(|s| s < 400));
        let usage = match answered {
            Some(answered) => Some(answered.usage),
            // What nobody says it cost is charged as it was reserved.
            None => (!maybe_used).then(Usage::nothing),
        };
        let record = &request.record;
        let call = Call {
            operation: "embeddings",
            provider_name: self.provider.known.unwrap_or(&self.provider.name),
            target: &self.model,
            provider: &self.provider.name,
            model,
            route: record.route.as_deref().unwrap_or_default(),
            team: record.team.as_deref().unwrap_or_default(),
        };
        let used = answered.map(|answered| Used {
            tokens: answered.tokens,
            provenance: match answered.usage.provenance {
                Provenance::Provider => "provider",
                Provenance::Counted => "counted",
                Provenance::Estimated => "estimated",
            },
            cost: self
                .prices
                .price(SystemTime::now())
                .map(|_| answered.usage.amounts.get(crate::quota::Unit::Money)),
        });
        self.metrics.model(&call).beside(attempts, used);
        if let Some(beside) = beside {
            beside.settle(request, usage);
        }
    }
}

fn failed(said: String) -> GatewayError {
    GatewayError::new(weir_telemetry::Code::ProviderError).source(said)
}
