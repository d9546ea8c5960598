//! The router: rules compiled once, asked for every request.
//!
//! Knows how the parts of a rule are weighed against each other; leaves each part to its own
//! module.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::{HeaderMap, Method};
use matchit::Params;

use super::captures::Captures;
use super::compiled::{Compiled, Verdict};
use super::conflict::{Cause, Conflict, shadows};
use super::hosts::{Hosts, canonical};
use super::normal::{Refused, merge_slashes};
use super::paths::{Key, Leaf, Paths};
use super::rule::{HostPattern, Rule};

/// All rules, compiled. Asking it takes no lock, and no allocation for exact and prefix matches of
/// hosts in lower case.
#[derive(Debug, Default)]
pub struct Router {
    /// In the order given, so that a rule's number is its index.
    rules: Vec<Compiled>,
    hosts: Hosts,
    groups: Vec<Paths>,
}

/// What is asked of the router: the parts of a request that rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Query<'q> {
    /// The name of the listener the request came in on.
    pub listener: &'q str,
    /// The host without a port, in any case; empty if there is none.
    pub host: &'q str,
    /// The path in normal form, as [`normalise`](super::normalise) gives it.
    pub path: &'q str,
    /// The query as it came, without the question mark.
    pub query: Option<&'q str>,
    /// The method.
    pub method: &'q Method,
    /// The headers.
    pub headers: &'q HeaderMap,
}

/// What the router answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'r> {
    /// A route takes the request.
    Found {
        /// Its index in the order of declaration.
        route: usize,
        /// What the path's template captured.
        captures: Captures,
        /// The path pattern as written: a bounded name for the path, for metrics and spans
        /// (`http.route`).
        pattern: &'r Arc<str>,
        /// What the rule that matched asks of a request, for people.
        asks: &'r Arc<str>,
    },
    /// A rule matches in everything except the method (405).
    MethodNotAllowed {
        /// The methods such rules name, sorted, for `Allow` (RFC 9110 §10.2.1).
        allow: Vec<Method>,
    },
    /// No rule matches (404).
    NotFound,
    /// A rule matches, but what it captures is not text (400).
    Refused(Refused),
}

/// One line of [`Router::explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered<'r> {
    /// The rule's index.
    pub rule: usize,
    /// The index of its route.
    pub route: usize,
    /// The host pattern.
    pub host: &'r HostPattern,
    /// The path pattern as written.
    pub pattern: &'r str,
    /// Whether this is the rule that answers.
    pub chosen: bool,
    /// Why it matched, or what it lacked: one clause, for people.
    pub verdict: Cow<'static, str>,
}

impl Router {
    /// Compiles rules, or says of every one that can never match why it cannot.
    pub fn build(rules: Vec<Rule>) -> Result<Self, Vec<Conflict>> {
        let mut router = Self::default();
        let mut conflicts = Vec::new();
        let mut groups: Vec<BTreeMap<Key, Vec<Compiled>>> = Vec::new();
        for (at, rule) in rules.into_iter().enumerate() {
            let route = rule.route;
            match Compiled::new(at, rule) {
                Ok((mut compiled, key)) => {
                    compiled.group = router.hosts.place(&compiled.host, groups.len());
                    if compiled.group == groups.len() {
                        groups.push(BTreeMap::new());
                    }
                    groups[compiled.group]
                        .entry(key)
                        .or_default()
                        .push(compiled);
                }
                Err(cause) => conflicts.push(Conflict {
                    rule: at,
                    route,
                    cause,
                }),
            }
        }
        for patterns in groups {
            let mut leaves = BTreeMap::new();
            for (key, mut rules) in patterns {
                rules.sort_by_key(Compiled::rank);
                conflicts.extend(shadowed(&rules));
                leaves.insert(key, rules.iter().map(|rule| rule.rule).collect::<Leaf>());
                router.rules.append(&mut rules);
            }
            router.groups.push(Paths::build(leaves));
        }
        if !conflicts.is_empty() {
            conflicts.sort_by_key(|conflict| conflict.rule);
            return Err(conflicts);
        }
        router.rules.sort_by_key(|rule| rule.rule);
        Ok(router)
    }

    /// The route for a request.
    pub fn find(&self, query: &Query<'_>) -> Outcome<'_> {
        let mut wrong_method = false;
        let found = self.candidates(query, |rule, params| {
            match rule.judge(query) {
                Verdict::Matches => return ControlFlow::Break(rule.found(params)),
                Verdict::Method => wrong_method = true,
                Verdict::Listener | Verdict::Header(_) | Verdict::Query(_) => {}
            }
            ControlFlow::Continue(())
        });
        match found {
            ControlFlow::Break(outcome) => outcome,
            ControlFlow::Continue(()) if wrong_method => Outcome::MethodNotAllowed {
                allow: self.allowed(query),
            },
            ControlFlow::Continue(()) => Outcome::NotFound,
        }
    }

    /// The methods with which something would have matched. A second walk, so that a request which
    /// finds its route in the end pays nothing for the rules that wanted another method.
    fn allowed(&self, query: &Query<'_>) -> Vec<Method> {
        let mut allow = Vec::new();
        let _all_asked = self.candidates(query, |rule, _| {
            if let Verdict::Method = rule.judge(query) {
                allow.extend_from_slice(&rule.methods);
            }
            ControlFlow::<()>::Continue(())
        });
        allow.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        allow.dedup();
        allow
    }

    /// Every rule, with what became of it: first those whose host and path match, in the order they
    /// are asked, then the others in the order of declaration. For people; not for the way of a
    /// request.
    pub fn explain(&self, query: &Query<'_>) -> Vec<Considered<'_>> {
        let mut lines: Vec<Considered<'_>> = Vec::with_capacity(self.rules.len());
        let mut asked = vec![false; self.rules.len()];
        let _all_asked = self.candidates(query, |rule, _| {
            let verdict = rule.judge(query);
            let taken = lines.iter().any(|line| line.chosen);
            let chosen = !taken && matches!(verdict, Verdict::Matches);
            let text = match verdict {
                Verdict::Matches if taken => {
                    "matches too, but a rule that precedes it has matched".into()
                }
                verdict => rule.explain(&verdict, query),
            };
            lines.push(rule.line(chosen, text));
            asked[rule.rule] = true;
            ControlFlow::<()>::Continue(())
        });
        let host = canonical(query.host);
        let groups: Vec<usize> = self.hosts.groups(&host).collect();
        lines.extend(
            self.rules
                .iter()
                .filter(|rule| !asked[rule.rule])
                .map(|rule| {
                    let lacked = match groups.contains(&rule.group) {
                        true => "the path does not match",
                        false => "the host does not match",
                    };
                    rule.line(false, lacked.into())
                }),
        );
        lines
    }

    /// Calls `each` with every rule whose host and path match, in the order of precedence, until it
    /// breaks.
    fn candidates<'r, B>(
        &'r self,
        query: &Query<'_>,
        mut each: impl FnMut(&'r Compiled, &Params<'_, '_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let host = canonical(query.host);
        let path = merge_slashes(query.path);
        for group in self.hosts.groups(&host) {
            self.groups[group].visit(&path, |leaf, params| {
                leaf.iter()
                    .try_for_each(|at| each(&self.rules[*at], params))
            })?;
        }
        ControlFlow::Continue(())
    }
}

fn shadowed(rules: &[Compiled]) -> impl Iterator<Item = Conflict> {
    rules.iter().enumerate().filter_map(|(at, rule)| {
        let earlier: Vec<_> = rules[..at].iter().collect();
        let by = shadows(rule, &earlier)?;
        Some(Conflict {
            rule: rule.rule,
            route: rule.route,
            cause: Cause::Shadowed(by),
        })
    })
}

#[cfg(test)]
mod tests;
