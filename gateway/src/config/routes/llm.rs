//! `routes[].llm`, checked.

use std::sync::Arc;
use std::time::Duration;

use super::actions::Around;
use super::cache::{self, Cache};
use crate::config::check::{At, Checker, Noun};
use crate::config::raw::llm as raw;
pub use crate::config::raw::llm::OnDisconnect;
use crate::config::telemetry::LlmContent;

/// Answers LLM calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Llm {
    /// Models that may be asked for; they exist, at least one.
    pub models: Vec<Arc<str>>,
    /// How long a stream may be silent before its caller is told that it lives on; `None`: for as
    /// long as the provider is.
    pub keep_alive: Option<Duration>,
    /// What becomes of a call whose caller leaves.
    pub on_disconnect: OnDisconnect,
    /// Which answers are kept to be given again, if any.
    pub cache: Option<Cache>,
    /// What is shown of prompts and answers on sampled spans, if anything.
    pub content: Option<LlmContent>,
}

/// Checks what an `llm` action says.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Llm,
    around: &Around<'_>,
) -> Option<Llm> {
    let mut models = Vec::new();
    for (index, name) in raw.models.iter().enumerate() {
        let at = at.key("models").index(index);
        let Some(model) = cx.resolve(&at, Noun::Model, &name.0, around.owner()) else {
            continue;
        };
        if models.contains(&model) {
            cx.fault(&at, "this model is given twice", "leave one out");
        }
        models.push(model);
    }
    let keep_alive = match raw.keep_alive {
        raw::KeepAlive::Ping { after } => Some(after.0),
        raw::KeepAlive::None {} => None,
    };
    let content = check_content(cx, at, raw.record_content);
    let cache = match &raw.cache {
        Some(raw) => Some(cache::check(cx, &at.key("cache"), raw, around)?),
        None => None,
    };
    (!models.is_empty()).then_some(Llm {
        models,
        keep_alive,
        on_disconnect: raw.on_disconnect,
        cache,
        content,
    })
}

/// What is shown of prompts and answers on a route that asks for it or does not; the platform has a
/// say in it.
pub(super) fn check_content(cx: &mut Checker<'_>, at: &At, asked: bool) -> Option<LlmContent> {
    let content = cx.content().filter(|_| asked);
    if asked && content.is_none() && !cx.is_faulty(&["telemetry"]) {
        cx.fault(
            &at.key("record_content"),
            "the platform does not allow prompts and answers to be shown",
            "ask it for `telemetry.llm_content`, or leave this out",
        );
    }
    content
}
