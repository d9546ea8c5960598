//! `routes`, checked: what is matched, the policies in the order they run, one action.

use std::sync::Arc;

use super::check::{At, Checker, Item, Noun};
use super::hosts::Host;
use super::platform::Team;
use super::policies::{Attached, Everywhere, effective};
use super::raw::routes as raw;

pub mod action;
mod actions;
pub mod cache;
pub mod destination;
pub mod graphql;
pub mod grpc;
pub mod idempotency;
pub mod llm;
pub mod matches;
pub mod method;
pub mod prompt;
pub mod publish;
pub mod record;
pub mod request_reply;
mod rules;
pub mod schema;
pub mod subscribe;
pub mod table;
pub mod topic;
pub mod websocket;
mod who;

pub(super) use rules::check_reachable;

pub use action::Action;
pub use matches::Match;
use matches::Path;
pub(crate) use rules::rules;

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// The team it belongs to; the platform's, if none.
    pub team: Option<Arc<str>>,
    /// Listeners it is served on; all, if none is named. They exist.
    pub listeners: Option<Vec<Arc<str>>>,
    /// Hosts it is served for; all, if empty.
    pub hosts: Vec<Host>,
    /// Any one of these; at least one.
    pub matches: Vec<Match>,
    /// The policies that apply, in the order they run: by stage; within one,
    /// enforced before the route's own before defaults; then as written.
    pub policies: Vec<Attached>,
    /// What is done.
    pub action: Action,
}

/// Checks one route.
pub(super) fn check(
    cx: &mut Checker<'_>,
    item: &Item<raw::Route>,
    everywhere: &Everywhere,
) -> Option<Route> {
    let (raw, at) = (&item.raw, &item.at);
    let owner = check_team(cx, item);
    let team = owner.as_ref().and_then(|name| cx.team_named(name));
    let listeners = check_listeners(cx, at, raw);
    let hosts = check_hosts(cx, at, raw, team.as_deref());
    let matches::Checked { paths, matches } = matches::check(cx, &at.key("matches"), &raw.matches);
    if let Some(team) = &team {
        check_paths(cx, at, &paths, team);
    }
    let around = actions::Around {
        team: team.as_deref(),
        paths: &paths,
        groups: &everywhere.groups,
    };
    let action = actions::check(cx, at, raw, &around);
    let kind = actions::kind(raw);
    let policies = effective(cx, item, owner.as_ref(), everywhere, kind);
    if let Some(Action::Llm(llm)) = &action
        && let Some(cache) = &llm.cache
    {
        let at = at.key("llm").key("cache");
        cache::check_around(cx, &at, cache, &policies, &everywhere.quotas);
    }
    if let Some(Action::Graphql(graphql)) = &action {
        graphql::check_around(cx, &at.key("graphql"), graphql, &policies);
    }
    let templates = match &action {
        Some(Action::Publish(publish)) => record::templates(&at.key("publish"), &publish.record),
        Some(Action::Subscribe(action)) => subscribe::templates(&at.key("subscribe"), action),
        Some(Action::Table(table)) => table::templates(&at.key("table"), table),
        Some(Action::RequestReply(action)) => {
            record::templates(&at.key("request_reply"), &action.record)
        }
        _ => Vec::new(),
    };
    if let (Some(Action::RequestReply(action)), Some(matches)) = (&action, &matches) {
        request_reply::check_matches(cx, at, action, matches);
    }
    who::check(cx, &templates, team.is_some(), &policies);
    if let Some(action) = &action {
        who::check_clusters(cx, at, action, &policies);
    }
    Some(Route {
        name: raw.name.0.as_str().into(),
        team: owner,
        listeners,
        hosts,
        matches: matches?,
        policies,
        action: action?,
    })
}

/// Whose route it is: what it says, or whose file it is in.
fn check_team(cx: &mut Checker<'_>, item: &Item<raw::Route>) -> Option<Arc<str>> {
    let at = item.at.key("team");
    match (&item.raw.team, &item.team) {
        (Some(named), Some(file)) if named.0 != **file => {
            let message = format!("this file belongs to team \"{file}\"");
            cx.fault(&at, message, "leave `team` out here");
            Some(file.clone())
        }
        (Some(named), _) => cx.resolve(&at, Noun::Team, &named.0, None),
        (None, file) => file.clone(),
    }
}

fn check_listeners(cx: &mut Checker<'_>, at: &At, raw: &raw::Route) -> Option<Vec<Arc<str>>> {
    if raw.listeners.is_empty() {
        return None;
    }
    let mut listeners = Vec::new();
    for (index, name) in raw.listeners.iter().enumerate() {
        listeners.extend(cx.resolve(
            &at.key("listeners").index(index),
            Noun::Listener,
            &name.0,
            None,
        ));
    }
    Some(listeners)
}

fn check_hosts(cx: &mut Checker<'_>, at: &At, raw: &raw::Route, team: Option<&Team>) -> Vec<Host> {
    let at = at.key("hosts");
    let owned = team.filter(|team| !team.hosts.is_empty());
    let mut hosts = Vec::new();
    for (index, text) in raw.hosts.iter().enumerate() {
        let at = at.index(index);
        let Some(host) = Host::parse(text) else {
            cx.fault(
                &at,
                format!("\"{text}\" is no host"),
                "write it as api.example.com or *.example.com",
            );
            continue;
        };
        if hosts.contains(&host) {
            cx.fault(&at, "this is given twice", "leave one out");
        }
        if let Some(team) = owned
            && !team.hosts.iter().any(|owned| owned.covers(&host))
        {
            let message = format!("team \"{}\" does not own the host \"{host}\"", team.name);
            cx.fault(
                &at,
                message,
                format!("list it under `owns.hosts` of team \"{}\"", team.name),
            );
        }
        hosts.push(host);
    }
    if let Some(team) = owned
        && raw.hosts.is_empty()
    {
        let message = format!("team \"{}\" does not own every host", team.name);
        cx.fault(&at, message, "say which of its hosts this route serves");
    }
    hosts
}

fn check_paths(cx: &mut Checker<'_>, at: &At, paths: &[Option<Path>], team: &Team) {
    if team.paths.is_empty() {
        return;
    }
    for (index, path) in paths.iter().enumerate() {
        let Some(path) = path else { continue };
        if team.paths.iter().any(|owned| path.is_below(owned)) {
            continue;
        }
        let message = format!(
            "team \"{}\" does not own every path this matches",
            team.name
        );
        let owned: Vec<&str> = team.paths.iter().map(String::as_str).collect();
        let hint = format!("match below {}", super::fault::either(&owned, "or"));
        cx.fault(&at.key("matches").index(index).key("path"), message, hint);
    }
}
