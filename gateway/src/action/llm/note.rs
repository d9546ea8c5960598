//! What is written down of a call: whom it was asked of, what that used, and why it ended. Read by
//! settling, by records and by what is learned. Of what was said it knows nothing: see
//! [`content`](super::content).

use std::sync::Arc;

use weir_protocols::llm::{self, Event, Finish, Format};
use weir_telemetry::metrics::model::Call;
use weir_telemetry::record::{self, Llm, Sampling, Tokens};
use weir_telemetry::{Content, Metrics};

use super::ask::Asked;
use super::content;
use super::model::{Model, Target};
use super::spend;
use crate::large;
use crate::policy::quota::Usage;
use crate::proxy::Request;
use crate::quota::{Provenance, Unit};

/// The reasons of so many answers are noted.
const MOST_CHOICES: usize = 128;
/// So many texts at which an answer is to end are noted, each so long, in characters.
const MOST_STOPS: usize = 8;
const LONGEST_STOP: usize = 64;

/// What a route notes, and where.
pub(super) struct Notes {
    /// Where the figures of models go.
    pub(super) metrics: Metrics,
    /// How many bytes of prompts and of answers are shown on sampled spans, if any.
    pub(super) content: Option<usize>,
}

impl Notes {
    /// Somebody is asked: the first, or the next after one that failed.
    pub(super) fn asked(
        &self,
        request: &mut Request,
        asked: &Asked<'_>,
        model: &Model,
        target: &Target,
    ) {
        let fresh = begin(request, asked, model).targets.is_empty();
        let record = &mut request.record;
        if !fresh && let Some(failed) = record.attempts.last_mut() {
            failed.retried.get_or_insert("fallback");
        }
        let provider = &target.provider;
        let asked_now = record::Target {
            provider: provider.name.clone(),
            known: provider.known,
            model: target.model.clone(),
            first_attempt: record.attempts.len(),
        };
        let call = Call {
            operation: asked.operation(),
            provider_name: asked_now.provider_name(),
            target: &target.model,
            provider: &provider.name,
            model: &model.name,
            route: record.route.as_deref().unwrap_or_default(),
            team: record.team.as_deref().unwrap_or_default(),
        };
        request.model_metrics.push(self.metrics.model(&call));
        request.pace = None;
        if let Some(llm) = &mut request.record.llm {
            llm.ask(asked_now);
        }
        if !is_traced(request) {
            return;
        }
        match fresh {
            true => self.closely(request, asked),
            false => {
                if let Some(content) = &mut request.content {
                    content.unanswered();
                }
            }
        }
    }

    /// What only spans tell, and only those of sampled requests.
    fn closely(&self, request: &mut Request, asked: &Asked<'_>) {
        let content = large::work(asked.len(), || {
            let all = asked.in_full()?;
            if let Some(llm) = &mut request.record.llm {
                llm.sampling = Some(Box::new(sampling(&all)));
            }
            let mut content = Content::new(self.content?);
            content::prompt(&mut content, &all);
            Some(Box::new(content))
        });
        request.content = content;
    }
}

/// What is told of a call; what its caller asked for is, from the start.
pub(super) fn begin<'r>(request: &'r mut Request, asked: &Asked<'_>, model: &Model) -> &'r mut Llm {
    request.record.llm.get_or_insert_with(|| {
        let mut llm = Llm::new(asked.operation(), model.name.clone());
        llm.stream = asked.stream();
        llm.choices = asked.choices();
        llm.limit = asked.limit().filter(|_| asked.embed().is_none());
        Box::new(llm)
    })
}

/// It was answered with what a provider had said before: nothing was used.
pub(super) fn kept(request: &mut Request, model: &Model, provider: &Arc<str>, answered: &Arc<str>) {
    let first_attempt = request.record.attempts.len();
    let mut targets = model.targets.iter().map(|target| &target.provider);
    let known = targets.find(|of| of.name == *provider);
    if let Some(llm) = &mut request.record.llm {
        llm.ask(record::Target {
            provider: provider.clone(),
            known: known.and_then(|provider| provider.known),
            model: answered.clone(),
            first_attempt,
        });
        llm.tokens = Tokens {
            input: Some(0),
            output: Some(0),
            ..Tokens::default()
        };
        llm.provenance = "cached";
        // That is known whether or not prices are.
        llm.cost = Some(0);
    }
}

/// It was answered with the answer to a question that is so much like it.
pub(super) fn alike(request: &mut Request, similarity: Option<f32>) {
    if let Some(llm) = &mut request.record.llm {
        // A few digits say all that there is to say.
        llm.similarity = similarity.map(|all| (f64::from(all) * 1e4).round() / 1e4);
    }
}

/// Whether the spans of a request are sure to be exported.
pub(super) fn is_traced(request: &Request) -> bool {
    request.record.trace.sampled && request.gateway.telemetry.exporter.is_some()
}

fn sampling(all: &llm::Request<'_>) -> Sampling {
    let of = &all.sampling;
    let short = |text: &str| text.chars().take(LONGEST_STOP).collect();
    let stop = all.stop.iter().take(MOST_STOPS).map(|text| short(text));
    Sampling {
        temperature: of.temperature,
        top_p: of.top_p,
        top_k: of.top_k,
        frequency_penalty: of.frequency_penalty,
        presence_penalty: of.presence_penalty,
        seed: of.seed,
        stop: stop.collect(),
        json: all.format != Format::Text,
    }
}

/// The answer is limited to this, in tokens, whatever its caller wanted.
pub(super) fn limited(request: &mut Request, limit: Option<u64>) {
    if let Some(llm) = &mut request.record.llm {
        llm.limit = llm.limit.into_iter().chain(limit).min();
    }
}

/// A piece of a stream came.
pub(super) fn chunk(request: &mut Request) {
    if let Some(pace) = &mut request.pace {
        pace.chunk();
        return;
    }
    if let Some(llm) = &mut request.record.llm {
        llm.first_chunk = Some(request.began.elapsed());
    }
    request.pace = request.model_metrics.last().map(|model| model.pace());
}

/// An event of a stream, for what only spans tell.
pub(super) fn event(request: &mut Request, event: &Event<'_>) {
    match event {
        Event::Begin { id, model, .. } if is_traced(request) => {
            answerer(request, id.as_deref(), model.as_deref());
        }
        Event::Finish { reason, .. } if is_traced(request) => ended(request, [*reason]),
        _ => {}
    }
    if let Some(content) = &mut request.content {
        content::event(content, event);
    }
}

/// A whole answer, for what only spans tell.
pub(super) fn answer(request: &mut Request, answer: &llm::Answer<'_>) {
    answerer(request, answer.id.as_deref(), answer.model.as_deref());
    ended(request, answer.choices.iter().filter_map(|c| c.finish));
    if let Some(content) = &mut request.content {
        content::answer(content, answer);
    }
}

/// A stream is ended where no more was to be had for this choice.
pub(super) fn cut(request: &mut Request, choice: u64) {
    if let Some(content) = &mut request.content {
        content.finish(choice, word(Finish::Length));
    }
}

fn ended(request: &mut Request, reasons: impl IntoIterator<Item = Finish>) {
    if let Some(llm) = &mut request.record.llm {
        let room = MOST_CHOICES.saturating_sub(llm.finish_reasons.len());
        let words = reasons.into_iter().map(word).take(room);
        llm.finish_reasons.extend(words);
    }
}

/// Who says that it answers; names that are none are cut short.
fn answerer(request: &mut Request, id: Option<&str>, model: Option<&str>) {
    let short = |text: &str| text.chars().take(128).collect();
    if let Some(llm) = &mut request.record.llm {
        llm.response_id = id.map(short);
        llm.response_model = model.map(short);
    }
}

/// The provider said what was used.
pub(super) fn told(request: &mut Request, usage: &llm::Usage) {
    let spent = spend::told(request.price.as_ref(), usage);
    let tokens = Tokens {
        input: Some(usage.input),
        output: Some(usage.output),
        cache_read: usage.cached,
        cache_written: usage.cache_written,
        reasoning: usage.reasoning,
    };
    note(request, spent, tokens);
}

/// It was counted here.
pub(super) fn counted(request: &mut Request, prompt: u64, output: u64) {
    spent(request, prompt, output, Provenance::Counted);
}

/// Nobody said: no token is shorter than a byte, so that this is never too little.
pub(super) fn estimated(request: &mut Request, prompt: u64, output: u64) {
    spent(request, prompt, output, Provenance::Estimated);
}

fn spent(request: &mut Request, prompt: u64, output: u64, provenance: Provenance) {
    let spent = spend::of(request.price.as_ref(), prompt, output, provenance);
    let tokens = Tokens {
        input: Some(prompt),
        output: Some(output),
        ..Tokens::default()
    };
    note(request, spent, tokens);
}

fn note(request: &mut Request, spent: Usage, tokens: Tokens) {
    request.usage = Some(spent);
    if let Some(llm) = &mut request.record.llm {
        llm.tokens = tokens;
        // What nobody knows the price of did not cost nothing.
        llm.cost = request.price.map(|_| spent.amounts.get(Unit::Money));
        llm.provenance = match spent.provenance {
            Provenance::Provider => "provider",
            Provenance::Counted => "counted",
            Provenance::Estimated => "estimated",
        };
    }
}

/// Notes why the model stopped, unless that is known: `reason` is not asked for then.
pub(super) fn stopped<'a>(request: &mut Request, reason: impl FnOnce() -> Option<&'a str>) {
    if let Some(llm) = &mut request.record.llm
        && llm.finish_reason.is_none()
    {
        llm.finish_reason = reason().map(str::to_owned);
    }
}

/// The word for why an answer ended, in records.
pub(super) const fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
        Finish::Refusal => "refusal",
        Finish::Paused => "pause",
        Finish::MalformedCall => "malformed_tool_call",
        Finish::Other => "other",
    }
}

/// Learns how long an answer was that ended by itself, each of its `choices`.
pub(super) fn learn(request: &Request, choices: u64) {
    let Some(llm) = &request.record.llm else {
        return;
    };
    if let Some(tokens) = llm.tokens.output.filter(|_| llm.provenance != "estimated") {
        let consumer = request.consumer.as_ref().map(|consumer| &consumer.name);
        let each = tokens.div_ceil(choices);
        let model: &Arc<str> = &llm.requested_model;
        request.gateway.learned.learn(consumer, model, each);
    }
}
