//! One rule in the form in which it is asked, and what it says to a request.
//!
//! Knows one rule; knows nothing of the others and how they are found.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use http::Method;
use matchit::Params;

use super::captures::Captures;
use super::conflict::Cause;
use super::normal::{merge_slashes, normalise};
use super::paths::Key;
use super::router::{Considered, Outcome, Query};
use super::rule::{Condition, Fault, HostPattern, PathPattern, QueryCondition, Rule};
use super::template::Template;

/// A rule in the form in which it is asked.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) rule: usize,
    pub(super) route: usize,
    pub(super) host: HostPattern,
    pub(super) group: usize,
    pattern: Arc<str>,
    /// What it asks of a request, for people.
    asks: Arc<str>,
    captures: Vec<Arc<str>>,
    pub(super) listeners: Option<Vec<Arc<str>>>,
    pub(super) methods: Vec<Method>,
    pub(super) headers: Vec<Condition>,
    pub(super) query: Vec<QueryCondition>,
}

/// How a rule whose host and path match takes the rest of a request.
pub(super) enum Verdict<'r> {
    Matches,
    Listener,
    Header(&'r Condition),
    Query(&'r QueryCondition),
    /// Everything but the method is right.
    Method,
}

impl Compiled {
    /// Compiles the rule with the number `at`; `group` is for the router to set.
    pub(super) fn new(at: usize, rule: Rule) -> Result<(Self, Key), Cause> {
        if rule.listeners.as_ref().is_some_and(Vec::is_empty) {
            return Err(Cause::NoListener);
        }
        let asks = rule.to_string().into();
        let host = rule.host.checked().map_err(Cause::Malformed)?;
        let normal = |path: &str| match normalise(path) {
            Ok(path) => Ok(merge_slashes(&path).into_owned()),
            Err(refused) => Err(Cause::Malformed(Fault::Path(refused))),
        };
        let mut captures = Vec::new();
        let key = match &rule.path {
            PathPattern::Exact(path) => Key::Exact(normal(path)?),
            PathPattern::Prefix(path) => {
                let path = normal(path)?;
                Key::Prefix(
                    path.split('/')
                        .filter(|segment| !segment.is_empty())
                        .map(str::to_owned)
                        .collect(),
                )
            }
            PathPattern::Template(text) => {
                let mut template = Template::parse(text).map_err(Cause::Malformed)?;
                captures = std::mem::take(&mut template.names);
                Key::Template(template)
            }
        };
        let compiled = Self {
            rule: at,
            route: rule.route,
            host,
            group: 0,
            pattern: rule.path.as_str().into(),
            asks,
            captures,
            listeners: rule.listeners,
            methods: rule.methods,
            headers: rule.headers,
            query: rule.query,
        };
        Ok((compiled, key))
    }

    /// Sorts the rules of one host and path.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (
            self.methods.is_empty(),
            Reverse(self.headers.len()),
            Reverse(self.query.len()),
            self.route,
            self.rule,
        )
    }

    /// What a rule whose host and path match makes of the rest of the request.
    pub(super) fn judge(&self, query: &Query<'_>) -> Verdict<'_> {
        if let Some(names) = &self.listeners
            && !names.iter().any(|name| **name == *query.listener)
        {
            return Verdict::Listener;
        }
        if let Some(condition) = self
            .headers
            .iter()
            .find(|condition| !condition.holds(query.headers))
        {
            return Verdict::Header(condition);
        }
        if let Some(condition) = self
            .query
            .iter()
            .find(|condition| !condition.holds(query.query))
        {
            return Verdict::Query(condition);
        }
        // Last, so that a wrong method alone can be told from the rest.
        match self.methods.is_empty() || self.methods.contains(query.method) {
            true => Verdict::Matches,
            false => Verdict::Method,
        }
    }

    /// The outcome when this rule is chosen; `params` are its captures, raw and in order.
    pub(super) fn found(&self, params: &Params<'_, '_>) -> Outcome<'_> {
        match Captures::new(&self.captures, params.iter().map(|(_, value)| value)) {
            Ok(captures) => Outcome::Found {
                route: self.route,
                captures,
                pattern: &self.pattern,
                asks: &self.asks,
            },
            Err(refused) => Outcome::Refused(refused),
        }
    }

    /// The verdict as a clause for people.
    pub(super) fn explain(&self, verdict: &Verdict<'_>, query: &Query<'_>) -> Cow<'static, str> {
        match verdict {
            Verdict::Matches => "matches".into(),
            Verdict::Listener => {
                format!("is not open on the listener \"{}\"", query.listener).into()
            }
            Verdict::Header(condition) => format!(
                "the header \"{}\" {}",
                condition.name,
                condition.test.want()
            )
            .into(),
            Verdict::Query(condition) => format!(
                "the query parameter \"{}\" {}",
                condition.name,
                condition.test.want()
            )
            .into(),
            Verdict::Method => {
                let methods: Vec<_> = self.methods.iter().map(Method::as_str).collect();
                format!(
                    "the method {} is not among {}",
                    query.method,
                    methods.join(", ")
                )
                .into()
            }
        }
    }

    /// This rule's line of an explanation.
    pub(super) fn line(&self, chosen: bool, verdict: Cow<'static, str>) -> Considered<'_> {
        Considered {
            rule: self.rule,
            route: self.route,
            host: &self.host,
            pattern: &self.pattern,
            chosen,
            verdict,
        }
    }
}
