//! Models and providers made ready to be called from what the configuration says of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::Llm;
use super::cache::Cache;
use super::model::{Model, Strategy, Target, field};
use super::note::Notes;
use super::prompt::Prompt;
use super::provider::Provider;
use super::provider::build::provider;
use crate::config::models as config;
use crate::config::routes::llm::{Llm as Definition, OnDisconnect};
use crate::config::routes::prompt;
use crate::config::telemetry::LlmContent;
use crate::price;
use crate::runtime::Parts;

/// Builds the action of one route.
pub(crate) fn build(route: &Arc<str>, action: &Definition, parts: &Parts<'_>) -> Llm {
    let models = models(&action.models, parts);
    Llm {
        listed: action.models.clone(),
        models: action.models.iter().cloned().zip(models).collect(),
        keep_alive: action.keep_alive,
        drains: action.on_disconnect == OnDisconnect::Drain,
        cache: action
            .cache
            .as_ref()
            .map(|cache| Box::new(Cache::new(route, cache, parts))),
        notes: notes(action.content, parts),
    }
}

/// Builds the action `prompt` of one route.
pub(crate) fn prompt(action: &prompt::Prompt, parts: &Parts<'_>) -> Prompt {
    let mut models = models(std::slice::from_ref(&action.model), parts);
    Prompt {
        model: models.pop().expect("one was named"),
        config: action.clone(),
        notes: notes(action.content, parts),
    }
}

fn notes(content: Option<LlmContent>, parts: &Parts<'_>) -> Notes {
    Notes {
        metrics: parts.metrics.clone(),
        content: content.map(|content| content.max_bytes),
    }
}

/// The models of these names, with the providers that they share.
fn models(names: &[Arc<str>], parts: &Parts<'_>) -> Vec<Arc<Model>> {
    let mut providers: HashMap<Arc<str>, Arc<Provider>> = HashMap::new();
    let prices = &parts.config.prices;
    let catalogue = price::Catalogue::new(prices.builtin, &prices.entries);
    let mut target = |target: &config::Target, health: config::Health| {
        let provider = providers
            .entry(target.provider.clone())
            .or_insert_with(|| Arc::new(provider(&target.provider, parts)))
            .clone();
        let vendor = provider.authority.to_str().ok().and_then(price::vendor_of);
        Target {
            prices: catalogue.schedule(&target.provider, vendor, &target.model),
            standing: parts.standings.of(&target.provider, &target.model),
            health,
            limits: target.limits,
            model: target.model.clone(),
            provider,
        }
    };
    let models = names.iter().map(|name| {
        let model = parts.config.models.iter().find(|m| m.name == *name);
        let model = model.expect("`check` resolved every model");
        let targets = model.targets.iter().map(|of| target(of, model.health));
        Arc::new(Model {
            field: field(name),
            name: name.clone(),
            targets: targets.collect(),
            strategy: strategy(model),
            allow: model.allow.clone(),
        })
    });
    models.collect()
}

fn strategy(model: &config::Model) -> Strategy {
    match model.strategy {
        config::Strategy::Fallback => Strategy::Fallback,
        config::Strategy::Weighted => Strategy::Weighted {
            weights: model.targets.iter().map(|target| target.weight).collect(),
            turn: AtomicUsize::new(0),
        },
        config::Strategy::LeastLatency => Strategy::LeastLatency,
        config::Strategy::LeastCost => Strategy::LeastCost,
    }
}
