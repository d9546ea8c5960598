//! Every section checked, in the order in which they need each other.

use std::sync::Arc;

use super::check::{At, Checker, Item};
use super::load::{Shaped, list, single};
use super::policies::{self, Everywhere};
use super::{Config, raw};
use super::{
    consumers, kafka_clusters, listeners, llm_workers, models, platform, prices, providers, quotas,
    routes, schema_registries, stores, telemetry, upstreams, usage_events, webhooks,
};

/// Checks `files`; `None` if a section cannot be made at all, for which there
/// is a fault then.
pub(super) fn check(cx: &mut Checker<'_>, files: &[Shaped]) -> Option<Config> {
    let platform = check_platform(cx, files);
    let listeners = check_listeners(cx, files);
    let upstreams = each(cx, files, "upstreams", upstreams::check::check);
    for upstream in &upstreams {
        cx.speaks(upstream.name.clone(), upstream.protocol);
    }
    let providers = each(cx, files, "providers", providers::check);
    let prices = single(cx, files, "prices").unwrap_or_else(|| unwritten("prices"));
    let prices = prices::check(cx, &prices);
    let schema_registries = each(cx, files, "schema_registries", schema_registries::check);
    let raw_consumers: Vec<Item<raw::consumers::Consumer>> = list(cx, files, "consumers");
    consumers::check_shared_keys(cx, &raw_consumers);
    let consumers: Vec<_> = raw_consumers
        .iter()
        .filter_map(|item| consumers::check(cx, item))
        .map(Arc::new)
        .collect();
    for provider in &providers {
        cx.vectors(provider.name.clone(), provider.makes_vectors());
    }
    let groups: Vec<Arc<str>> = consumers.iter().flat_map(|c| c.groups.clone()).collect();
    let kafka_clusters = each(cx, files, "kafka_clusters", |cx, item| {
        kafka_clusters::check(cx, item, &groups)
    });
    let usage_events = single(cx, files, "usage_events");
    let usage_events = usage_events.and_then(|item| usage_events::check(cx, &item));
    let models = each(cx, files, "models", |cx, item| {
        models::check(cx, item, &groups)
    });
    let counted: Vec<(At, Arc<quotas::Quota>)> = list(cx, files, "quotas")
        .iter()
        .filter_map(|item| Some((item.at.clone(), Arc::new(quotas::check(cx, item)?))))
        .collect();
    let quotas: Vec<_> = counted.iter().map(|(_, quota)| quota.clone()).collect();
    let webhooks = each(cx, files, "webhooks", |cx, item| {
        webhooks::check(cx, item, &quotas)
    });
    let everywhere = check_policies(cx, files, groups, &quotas);
    let (routes, all) = check_routes(cx, files, &everywhere, &models);
    let llm_workers = each(cx, files, "llm_workers", |cx, item| {
        llm_workers::check(cx, item, &routes)
    });
    if all && !cx.is_faulty(&["routes", "policies", "quotas", "webhooks"]) {
        let around = quotas::Around {
            routes: &routes,
            webhooks: &webhooks,
            models: &models,
            providers: &providers,
            prices: &prices,
        };
        quotas::check_effect(cx, &counted, &around);
    }
    let Platform {
        metrics,
        admin,
        server,
        telemetry,
        stores,
        teams,
    } = platform;
    check_addresses(cx, files, &listeners, metrics, admin.as_ref());
    stores::check_limits(cx, &stores, &counted);
    let at = At::section(0, "kafka_clusters");
    kafka_clusters::check_left(cx, &at, server.as_ref(), &kafka_clusters);
    Some(Config {
        listeners,
        metrics,
        admin,
        server: server?,
        telemetry: telemetry?,
        stores,
        teams,
        upstreams,
        providers,
        models,
        prices,
        usage_events,
        kafka_clusters,
        schema_registries,
        consumers,
        quotas,
        webhooks,
        llm_workers,
        routes,
    })
}

/// Checks each entry of a list section.
fn each<R: serde::de::DeserializeOwned, T>(
    cx: &mut Checker<'_>,
    files: &[Shaped],
    section: &str,
    check: impl Fn(&mut Checker<'_>, &Item<R>) -> Option<T>,
) -> Vec<Arc<T>> {
    let items: Vec<Item<R>> = list(cx, files, section);
    items
        .iter()
        .filter_map(|item| check(cx, item))
        .map(Arc::new)
        .collect()
}

/// The sections of the platform that others do not need.
struct Platform {
    metrics: Option<std::net::SocketAddr>,
    admin: Option<platform::Admin>,
    server: Option<platform::Server>,
    telemetry: Option<telemetry::Telemetry>,
    stores: Vec<stores::Store>,
    teams: Vec<Arc<platform::Team>>,
}

fn check_platform(cx: &mut Checker<'_>, files: &[Shaped]) -> Platform {
    for item in list::<raw::platform::Secret>(cx, files, "secrets") {
        cx.secret(&item.raw.name.0, item.raw.value);
    }
    let teams: Vec<Arc<platform::Team>> = list(cx, files, "teams")
        .iter()
        .map(|item| Arc::new(platform::check_team(cx, item)))
        .collect();
    for team in &teams {
        cx.team(team.clone());
    }
    let metrics: Option<Item<raw::platform::Metrics>> = single(cx, files, "metrics");
    let admin = single(cx, files, "admin").and_then(|item| platform::check_admin(cx, &item));
    let server = single(cx, files, "server").unwrap_or_else(|| unwritten("server"));
    let telemetry = single(cx, files, "telemetry").unwrap_or_else(|| unwritten("telemetry"));
    let server = platform::check_server(cx, &server);
    Platform {
        metrics: metrics.map(|item| item.raw.address.0),
        admin,
        telemetry: telemetry::check(cx, &telemetry),
        stores: list(cx, files, "stores")
            .iter()
            .filter_map(|item| stores::check(cx, item, server.as_ref()))
            .collect(),
        server,
        teams,
    }
}

/// A section that nobody wrote: all defaults.
fn unwritten<T: Default>(section: &str) -> Item<T> {
    Item {
        at: At::section(0, section),
        team: None,
        raw: T::default(),
    }
}

fn check_listeners(cx: &mut Checker<'_>, files: &[Shaped]) -> Vec<Arc<listeners::Listener>> {
    let listeners = each(cx, files, "listeners", listeners::check);
    if files.iter().all(|file| {
        file.tree
            .get("listeners")
            .is_none_or(|list| list.as_array().is_some_and(Vec::is_empty))
    }) {
        cx.fault(
            &At::section(0, "listeners"),
            "there is none, so nothing would be served",
            "add `listeners: [{ name: public, address: 127.0.0.1:8080 }]`",
        );
    }
    listeners
}

fn check_policies(
    cx: &mut Checker<'_>,
    files: &[Shaped],
    groups: Vec<Arc<str>>,
    quotas: &[Arc<quotas::Quota>],
) -> Everywhere {
    let mut everywhere = Everywhere {
        quotas: quotas.to_vec(),
        groups,
        ..Everywhere::default()
    };
    let Some(item) = single::<raw::policies::Policies>(cx, files, "policies") else {
        return everywhere;
    };
    let mut checked = |key: &str, raw: &[raw::policies::Policy]| {
        let policies = policies::check(cx, &item.at.key(key), raw, None, &everywhere.groups);
        policies.into_iter().map(|(_, policy)| policy).collect()
    };
    let enforced = checked("enforced", &item.raw.enforced);
    let default = checked("default", &item.raw.default);
    (everywhere.enforced, everywhere.default) = (enforced, default);
    everywhere
}

/// The routes that are good, and whether those are all.
fn check_routes(
    cx: &mut Checker<'_>,
    files: &[Shaped],
    everywhere: &Everywhere,
    models: &[Arc<models::Model>],
) -> (Vec<Arc<routes::Route>>, bool) {
    let items: Vec<Item<raw::routes::Route>> = list(cx, files, "routes");
    let written = items.len();
    let mut routes = Vec::new();
    for item in items {
        let route = routes::check(cx, &item, everywhere);
        routes.extend(route.map(|route| (item.at, Arc::new(route))));
    }
    routes::check_reachable(cx, &routes);
    models::check_askers(cx, models, &routes);
    let all = routes.len() == written;
    (routes.into_iter().map(|(_, route)| route).collect(), all)
}

/// No two may listen on one address.
fn check_addresses(
    cx: &mut Checker<'_>,
    files: &[Shaped],
    listeners: &[Arc<listeners::Listener>],
    metrics: Option<std::net::SocketAddr>,
    admin: Option<&platform::Admin>,
) {
    let file_of = |section: &str| {
        files
            .iter()
            .find(|file| file.tree.get(section).is_some())
            .map_or(0, |file| file.file)
    };
    let mut all: Vec<(String, std::net::SocketAddr, At)> = listeners
        .iter()
        .map(|listener| {
            let at = At::section(file_of("listeners"), "listeners");
            (
                format!("listener \"{}\"", listener.name),
                listener.address,
                at,
            )
        })
        .collect();
    for (section, address) in [
        ("metrics", metrics),
        ("admin", admin.map(|admin| admin.address)),
    ] {
        all.extend(address.map(|address| {
            (
                section.to_owned(),
                address,
                At::section(file_of(section), section),
            )
        }));
    }
    for (index, (name, address, at)) in all.iter().enumerate() {
        let taken = all[..index]
            .iter()
            .find(|(_, other, _)| address.port() != 0 && other == address);
        if let Some((other, ..)) = taken {
            cx.fault(
                at,
                format!("{name} and {other} both listen on {address}"),
                "give each its own port",
            );
        }
    }
}
