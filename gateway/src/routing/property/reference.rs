//! The matcher that is too simple to be wrong: every rule in turn, the least by the stated order.

use std::cmp::Reverse;

use http::Method;

use super::Request;
use crate::routing::{HostPattern, PathPattern, Rule, Test};

/// The rank of a rule's host for a request's, least first; `None` if it does not match.
fn host_rank(pattern: &HostPattern, host: &str) -> Option<(u8, Reverse<usize>)> {
    match pattern {
        HostPattern::Exact(exact) => (exact == host).then_some((0, Reverse(0))),
        HostPattern::Wildcard(suffix) => {
            let label = host.strip_suffix(suffix.as_str())?.strip_suffix('.')?;
            (!label.is_empty()).then_some((1, Reverse(suffix.len())))
        }
        HostPattern::Any => Some((2, Reverse(0))),
    }
}

type PathRank = (u8, Reverse<usize>, bool, Reverse<usize>, Vec<bool>);

/// The segments of a path, a run of slashes being one; the last is empty after a trailing slash.
pub(super) fn segments(path: &str) -> Vec<&str> {
    let all: Vec<_> = path[1..].split('/').collect();
    let last = all.len() - 1;
    all.into_iter()
        .enumerate()
        .filter(|(at, segment)| *at == last || !segment.is_empty())
        .map(|(_, s)| s)
        .collect()
}

fn path_rank(pattern: &PathPattern, path: &str) -> Option<PathRank> {
    let path = segments(path);
    match pattern {
        PathPattern::Exact(exact) => {
            (segments(exact) == path).then_some((0, Reverse(0), false, Reverse(0), vec![]))
        }
        PathPattern::Template(text) => {
            let pattern = segments(text);
            let catch_all = pattern.last().is_some_and(|last| last.starts_with("{*"));
            let plain = pattern.len() - usize::from(catch_all);
            let (head, rest) = path.split_at_checked(plain)?;
            let fits =
                pattern
                    .iter()
                    .zip(head)
                    .all(|(wanted, given)| match wanted.starts_with('{') {
                        true => !given.is_empty(),
                        false => wanted == given,
                    });
            let rest_fits = if catch_all {
                !rest.concat().is_empty() || rest.len() > 1
            } else {
                rest.is_empty()
            };
            let captures: Vec<_> = pattern
                .iter()
                .map(|segment| segment.starts_with('{'))
                .collect();
            let literals = captures.iter().filter(|capture| !**capture).count();
            (fits && rest_fits).then_some((
                1,
                Reverse(literals),
                catch_all,
                Reverse(pattern.len()),
                captures,
            ))
        }
        PathPattern::Prefix(prefix) => {
            let prefix: Vec<_> = segments(prefix)
                .into_iter()
                .filter(|segment| !segment.is_empty())
                .collect();
            path.starts_with(&prefix).then_some((
                2,
                Reverse(0),
                false,
                Reverse(prefix.len()),
                vec![],
            ))
        }
    }
}

fn any_passes<V: AsRef<str>>(test: &Test, mut values: impl Iterator<Item = V>) -> bool {
    match test {
        Test::Absent => values.next().is_none(),
        _ => values.any(|value| passes(test, value.as_ref())),
    }
}
fn passes(test: &Test, value: &str) -> bool {
    match test {
        Test::Present => true,
        Test::Absent => false,
        Test::Exact(text) => value == text,
        Test::Prefix(text) => value.starts_with(text.as_str()),
    }
}

/// What the router should answer: the rule, or the methods that would have done.
pub(super) fn route(rules: &[Rule], request: &Request) -> Result<usize, Vec<String>> {
    let mut matching = Vec::new();
    let mut allow = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let listens = rule
            .listeners
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| **name == *request.listener));
        let host = host_rank(&rule.host, request.host);
        let path = path_rank(&rule.path, &request.path);
        let headers = rule.headers.iter().all(|wanted| {
            let named = request
                .headers
                .iter()
                .filter(|(name, _)| wanted.name == *name);
            any_passes(&wanted.test, named.map(|(_, value)| *value))
        });
        let pairs = request
            .query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = rule.query.iter().all(|wanted| {
            let named = pairs.clone().filter(|(name, _)| *name == wanted.name);
            any_passes(&wanted.test, named.map(|(_, value)| value))
        });
        let (true, Some(host), Some(path), true, true) = (listens, host, path, headers, query)
        else {
            continue;
        };
        if rule.methods.is_empty() || rule.methods.contains(&request.method) {
            let conditions = (Reverse(rule.headers.len()), Reverse(rule.query.len()));
            matching.push((
                (host, path, rule.methods.is_empty(), conditions, rule.route),
                at,
            ));
        } else {
            allow.extend(rule.methods.iter().map(Method::to_string));
        }
    }
    allow.sort();
    allow.dedup();
    matching.into_iter().min().map(|(_, at)| at).ok_or(allow)
}
