//! The routes there are: what each matches and does, and of a prompt what it takes and gives, so that
//! its callers need not be told. Shows what was checked, and nothing that was ever secret.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::config::routes::matches::{Match, Path};
use crate::config::routes::{Action, Route};

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    team: Option<&'a str>,
    /// All listeners, if `null`.
    listeners: Option<&'a [Arc<str>]>,
    /// All hosts, if empty.
    hosts: Vec<String>,
    matches: Vec<Matched<'a>>,
    action: &'static str,
    /// What it may ask.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    models: &'a [Arc<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<Prompt<'a>>,
}

#[derive(Serialize)]
struct Matched<'a> {
    path: Place<'a>,
    /// All methods, if empty.
    methods: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Place<'a> {
    Exact(&'a str),
    Prefix(&'a str),
    Template(&'a str),
}

/// The schemas of a prompt; without one for its output, it answers with text.
#[derive(Serialize)]
struct Prompt<'a> {
    input: &'a Value,
    output: Option<&'a Value>,
}

/// All routes, in the order written, as JSON.
pub(super) fn list(routes: &[Arc<Route>]) -> String {
    let shown: Vec<_> = routes.iter().map(|route| shown(route)).collect();
    serde_json::to_string(&shown).expect("text and JSON always serialise")
}

fn shown(route: &Route) -> Shown<'_> {
    Shown {
        name: &route.name,
        team: route.team.as_deref(),
        listeners: route.listeners.as_deref(),
        hosts: route.hosts.iter().map(ToString::to_string).collect(),
        matches: route.matches.iter().map(matched).collect(),
        action: route.action.kind(),
        models: route.action.models(),
        prompt: match &route.action {
            Action::Prompt(prompt) => Some(Prompt {
                input: prompt.input.json(),
                output: prompt.output.as_ref().map(|output| output.json()),
            }),
            _ => None,
        },
    }
}

fn matched(one: &Match) -> Matched<'_> {
    Matched {
        path: match &one.path {
            Path::Exact(path) => Place::Exact(path),
            Path::Prefix(path) if path.is_empty() => Place::Prefix("/"),
            Path::Prefix(path) => Place::Prefix(path),
            Path::Template(template) => Place::Template(&template.text),
        },
        methods: one.methods.iter().map(|method| method.as_str()).collect(),
    }
}
