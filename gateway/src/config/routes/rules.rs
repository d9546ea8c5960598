//! Routes as the rules of the router, and matches that no request can reach.
//!
//! Which rule precedes which is the router's to know; here its verdict is told
//! in terms of what was written.

use std::sync::Arc;

use super::Route;
use super::matches::{Match, Path, Test};
use crate::config::check::{At, Checker};
use crate::config::hosts::Host;
use crate::routing::{
    self, Cause, Condition, HostPattern, PathPattern, QueryCondition, Router, Rule,
};

/// The rules of `routes`: for each route, in the order written, its matches
/// one by one, each for every host.
pub(crate) fn rules(routes: &[Arc<Route>]) -> Vec<Rule> {
    let each = |(route, definition): (usize, &Arc<Route>)| {
        let matches = definition.matches.iter();
        matches
            .flat_map(|one| of_match(route, definition, one))
            .collect::<Vec<_>>()
    };
    routes.iter().enumerate().flat_map(each).collect()
}

/// The rules of one match: one for every host.
fn of_match(route: usize, definition: &Route, one: &Match) -> Vec<Rule> {
    let hosts = match definition.hosts.as_slice() {
        [] => vec![HostPattern::Any],
        hosts => hosts.iter().map(host).collect(),
    };
    let rule = |host| Rule {
        route,
        listeners: definition.listeners.clone(),
        host,
        path: path(&one.path),
        methods: one.methods.clone(),
        headers: one
            .headers
            .iter()
            .map(|(name, value)| Condition {
                name: name.clone(),
                test: test(value),
            })
            .collect(),
        query: one
            .query
            .iter()
            .map(|(name, value)| QueryCondition {
                name: name.to_string(),
                test: test(value),
            })
            .collect(),
    };
    hosts.into_iter().map(rule).collect()
}

fn host(host: &Host) -> HostPattern {
    match host {
        Host::Exact(name) => HostPattern::Exact(name.clone()),
        Host::Wildcard(suffix) => HostPattern::Wildcard(suffix.trim_start_matches('.').to_owned()),
    }
}

fn path(path: &Path) -> PathPattern {
    match path {
        Path::Exact(path) => PathPattern::Exact(path.to_string()),
        Path::Prefix(path) if path.is_empty() => PathPattern::Prefix("/".to_owned()),
        Path::Prefix(path) => PathPattern::Prefix(path.to_string()),
        Path::Template(template) => PathPattern::Template(template.text.to_string()),
    }
}

fn test(test: &Test) -> routing::Test {
    match test {
        Test::Exact(value) => routing::Test::Exact(value.to_string()),
        Test::Prefix(start) => routing::Test::Prefix(start.to_string()),
        Test::Present => routing::Test::Present,
    }
}

/// Reports every match that no request can reach.
pub(in crate::config) fn check_reachable(cx: &mut Checker<'_>, routes: &[(At, Arc<Route>)]) {
    let mut places = Vec::new();
    for (at, route) in routes {
        for index in 0..route.matches.len() {
            let at = at.key("matches").index(index);
            let hosts = route.hosts.len().max(1);
            places.extend((0..hosts).map(|host| (at.clone(), route, host)));
        }
    }
    let definitions: Vec<_> = routes.iter().map(|(_, route)| route.clone()).collect();
    let Err(conflicts) = Router::build(rules(&definitions)) else {
        return;
    };
    for conflict in conflicts {
        let Some((at, route, host)) = places.get(conflict.rule) else {
            continue;
        };
        let on = route
            .hosts
            .get(*host)
            .map_or_else(String::new, |host| format!(" on {host}"));
        match conflict.cause {
            Cause::Malformed(fault) => cx.fault(at, fault.to_string(), ""),
            // it names only listeners that do not exist, of which it was told
            Cause::NoListener => {}
            Cause::Shadowed(by) => {
                let by: Vec<String> = by
                    .iter()
                    .filter_map(|rule| places.get(*rule))
                    .map(|(at, route, _)| format!("{} of route \"{}\"", at.path, route.name))
                    .collect();
                let by: Vec<&str> = by.iter().map(String::as_str).collect();
                let by = crate::config::fault::either(&by, "and");
                let message =
                    format!("this is never reached{on}: whatever it matches, {by} takes first");
                cx.fault(at, message, "remove one, or tell them apart");
            }
        }
    }
}
