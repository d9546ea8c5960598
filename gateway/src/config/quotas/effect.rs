//! Whether a quota can ever take effect: a route counts by it, uses its unit, and what it counts
//! has a price where money is counted.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Quota, used_by};
use crate::config::check::{At, Checker};
use crate::config::fault::either;
use crate::config::models::Model;
use crate::config::policies::PolicyConfig;
use crate::config::prices::Prices;
use crate::config::providers::Provider;
use crate::config::routes::Route;
use crate::config::webhooks::Webhook;
use crate::price::{Catalogue, vendor_of};
use crate::quota::Unit;

/// What a quota's effect depends on.
pub(in crate::config) struct Around<'a> {
    pub(in crate::config) routes: &'a [Arc<Route>],
    pub(in crate::config) webhooks: &'a [Arc<Webhook>],
    pub(in crate::config) models: &'a [Arc<Model>],
    pub(in crate::config) providers: &'a [Arc<Provider>],
    pub(in crate::config) prices: &'a Prices,
}

/// Checks that each quota can take effect. Nothing is said of quotas while a route is missing
/// because of a fault of its own.
pub(in crate::config) fn check_effect(
    cx: &mut Checker<'_>,
    quotas: &[(At, Arc<Quota>)],
    around: &Around<'_>,
) {
    let catalogue = Catalogue::new(around.prices.builtin, &around.prices.entries);
    for (at, quota) in quotas {
        let counting: Vec<&Route> = around
            .routes
            .iter()
            .filter(|route| counts(route, &quota.name))
            .map(|route| &**route)
            .collect();
        let mut webhooks = around.webhooks.iter();
        let by_webhook = webhooks.any(|webhook| webhook.quotas.contains(&quota.name));
        if counting.is_empty() && by_webhook {
            continue;
        }
        if counting.is_empty() {
            let only = match used_by(quota.unit) {
                [] => String::new(),
                actions => {
                    let actions = either(actions, "and");
                    format!("; only {actions} routes use {}", quota.unit)
                }
            };
            let message = format!("no route counts by it, so it never takes effect{only}");
            let hint = format!(
                "add `{{ kind: quota, quotas: [{}] }}` to a route",
                quota.name
            );
            cx.fault(at, message, hint);
            continue;
        }
        check_narrowed(cx, at, quota, &counting);
        if quota.unit == Unit::Money {
            check_prices(cx, at, quota, &counting, around, &catalogue);
        }
    }
}

fn counts(route: &Route, quota: &str) -> bool {
    route
        .policies
        .iter()
        .any(|attached| match &attached.config {
            PolicyConfig::Quota(config) => config.quotas.iter().any(|name| **name == *quota),
            _ => false,
        })
}

/// What `match` names must be among what the quota is asked about.
fn check_narrowed(cx: &mut Checker<'_>, at: &At, quota: &Quota, counting: &[&Route]) {
    let at = at.key("match");
    for (index, name) in quota.narrowed.routes.iter().enumerate() {
        if !counting.iter().any(|route| route.name == *name) {
            let message = format!("the route \"{name}\" does not count by this quota");
            cx.fault(
                &at.key("routes").index(index),
                message,
                "attach it there, or leave the name out",
            );
        }
    }
    let served = |name: &Arc<str>| {
        let mut models = counting.iter().map(|route| route.action.models());
        models.any(|models| models.contains(name))
    };
    for (index, name) in quota.narrowed.models.iter().enumerate() {
        if !served(name) {
            let message = format!("no route that counts by this quota has a model \"{name}\"");
            cx.fault(
                &at.key("models").index(index),
                message,
                "attach it to one, or leave the name out",
            );
        }
    }
}

/// Every model that money is counted of must have a price.
fn check_prices(
    cx: &mut Checker<'_>,
    at: &At,
    quota: &Quota,
    counting: &[&Route],
    around: &Around<'_>,
    catalogue: &Catalogue,
) {
    let now = SystemTime::now();
    let narrowed = &quota.narrowed;
    let mut told: Vec<(&str, &str)> = Vec::new();
    let routes = counting
        .iter()
        .filter(|route| narrowed.routes.is_empty() || narrowed.routes.contains(&route.name));
    for name in routes.flat_map(|route| route.action.models()) {
        if !narrowed.models.is_empty() && !narrowed.models.contains(name) {
            continue;
        }
        let Some(model) = around.models.iter().find(|model| model.name == *name) else {
            continue;
        };
        for target in &model.targets {
            let vendor = around
                .providers
                .iter()
                .find(|provider| provider.name == target.provider)
                .and_then(|provider| vendor_of(&provider.authority));
            let schedule = catalogue.schedule(&target.provider, vendor, &target.model);
            if schedule.price(now).is_none() && !told.contains(&(&*target.provider, &*target.model))
            {
                told.push((&target.provider, &target.model));
                let message = format!(
                    "the model \"{name}\" is \"{}\" of \"{}\", which has no price now, so its cost \
                     cannot be counted",
                    target.model, target.provider
                );
                let hint = format!(
                    "add one under `prices`, as {{ provider: {}, model: {}, from: 2026-01-01, input: \
                     \"2.50\", output: \"10.00\" }}, or leave the model out by `match`",
                    target.provider, target.model
                );
                cx.fault(at, message, hint);
            }
        }
    }
}
