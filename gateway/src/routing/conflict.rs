//! Rules that can never match.
//!
//! Only rules with the same host and the same path can hide one another: by the order of
//! precedence, a pattern that is asked earlier and is not the same always leaves some of the later
//! one's paths alone.

use std::fmt;

use http::Method;

use super::compiled::Compiled;
use super::rule::Fault;

/// A rule that cannot be built into a router, because no request could ever reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The rule's index among those given to [`Router::build`](super::Router::build).
    pub rule: usize,
    /// The index of its route.
    pub route: usize,
    /// Why it cannot match.
    pub cause: Cause,
}

/// Why a rule cannot match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Its host or path is not written right.
    Malformed(Fault),
    /// It is open on no listener.
    NoListener,
    /// Whatever it matches, other rules of the same host and path match first: the indices of these
    /// rules. One is enough unless each takes some of the methods or listeners.
    Shadowed(Vec<usize>),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(fault) => fault.fmt(f),
            Self::NoListener => f.write_str("it is open on no listener"),
            Self::Shadowed(by) => {
                let by: Vec<_> = by.iter().map(usize::to_string).collect();
                let (noun, verb) = if by.len() == 1 {
                    ("rule", "matches")
                } else {
                    ("rules", "match")
                };
                write!(
                    f,
                    "every request it could match, {noun} {} {verb} first",
                    by.join(" and ")
                )
            }
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "rule {} of route {} can never match: {}",
            self.rule, self.route, self.cause
        )
    }
}

impl std::error::Error for Conflict {}

/// The rules that take everything from `rule`, or `None` if something is left for it. `earlier` are
/// the rules of the same host and path that precede it.
///
/// A rule's requests are divided by listener and by method, and each part must fall to one earlier
/// rule as a whole.
pub(super) fn shadows(rule: &Compiled, earlier: &[&Compiled]) -> Option<Vec<usize>> {
    let implied: Vec<_> = earlier
        .iter()
        .filter(|other| conditions_follow(other, rule))
        .collect();
    let listeners: Vec<Option<&str>> = match &rule.listeners {
        Some(names) => names.iter().map(|name| Some(&**name)).collect(),
        None => vec![None],
    };
    let methods: Vec<Option<&Method>> = match rule.methods.as_slice() {
        [] => vec![None],
        methods => methods.iter().map(Some).collect(),
    };
    let mut by = Vec::new();
    for listener in listeners {
        for method in &methods {
            let taker = implied
                .iter()
                .find(|other| takes(other, listener, *method))?;
            if !by.contains(&taker.rule) {
                by.push(taker.rule);
            }
        }
    }
    Some(by)
}

fn conditions_follow(other: &Compiled, rule: &Compiled) -> bool {
    other
        .headers
        .iter()
        .all(|wanted| rule.headers.iter().any(|given| wanted.follows_from(given)))
        && other
            .query
            .iter()
            .all(|wanted| rule.query.iter().any(|given| wanted.follows_from(given)))
}

/// Whether `other` is open to the listener and method; `None` is "whichever it is", which takes a
/// rule that does not ask.
fn takes(other: &Compiled, listener: Option<&str>, method: Option<&Method>) -> bool {
    let listens = match (&other.listeners, listener) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(names), Some(listener)) => names.iter().any(|name| **name == *listener),
    };
    listens
        && (other.methods.is_empty() || method.is_some_and(|method| other.methods.contains(method)))
}
