//! Checks the one action of a route.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use super::action::{Action, Forward, Redirect, Respond};
use super::destination;
use super::graphql;
use super::grpc;
use super::llm;
use super::matches::Path;
use super::prompt;
use super::publish;
use super::request_reply;
use super::subscribe;
use super::table;
use super::websocket;
use crate::config::check::{At, Checker};
use crate::config::platform::Team;
use crate::config::policies::headers::check_field;
use crate::config::raw::routes as raw;
use crate::config::template::{Segment, Template};

/// What an action is checked against.
pub(super) struct Around<'a> {
    /// The route's team.
    pub team: Option<&'a Team>,
    /// The paths of the route's matches; `None` for one that is faulty, of which nothing is
    /// known.
    pub paths: &'a [Option<Path>],
    /// The groups that consumers are in.
    pub groups: &'a [Arc<str>],
}

impl Around<'_> {
    /// What each match captures, if that is known.
    pub(super) fn captured(&self) -> Vec<Option<Vec<Arc<str>>>> {
        self.paths
            .iter()
            .map(|path| path.as_ref().map(|path| path.captures().to_vec()))
            .collect()
    }

    /// A template of what a record is made with; what it names of a path is captured by each match.
    pub(super) fn record_template(
        &self,
        cx: &mut Checker<'_>,
        at: &At,
        text: &str,
    ) -> Option<Template> {
        let template = cx.record_template(at, text)?;
        cx.captured(at, &template, &self.captured())
            .then_some(template)
    }

    /// The same of what is known of a caller who sends no body.
    pub(super) fn caller_template(
        &self,
        cx: &mut Checker<'_>,
        at: &At,
        text: &str,
    ) -> Option<Template> {
        let template = cx.caller_template(at, text)?;
        cx.captured(at, &template, &self.captured())
            .then_some(template)
    }

    pub(super) fn owner(&self) -> Option<&Arc<str>> {
        self.team.map(|team| &team.name)
    }
}

/// The keys of the actions given.
fn given(raw: &raw::Route) -> Vec<&'static str> {
    let given = [
        ("forward", raw.forward.is_some()),
        ("graphql", raw.graphql.is_some()),
        ("grpc", raw.grpc.is_some()),
        ("llm", raw.llm.is_some()),
        ("prompt", raw.prompt.is_some()),
        ("websocket", raw.websocket.is_some()),
        ("publish", raw.publish.is_some()),
        ("subscribe", raw.subscribe.is_some()),
        ("table", raw.table.is_some()),
        ("request_reply", raw.request_reply.is_some()),
        ("respond", raw.respond.is_some()),
        ("redirect", raw.redirect.is_some()),
    ];
    given
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name)
        .collect()
}

/// The key of the one action, whatever is wrong with what it says; `None` if there is not one.
pub(super) fn kind(raw: &raw::Route) -> Option<&'static str> {
    match given(raw).as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// Checks that there is exactly one action, and what it says.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Route,
    around: &Around<'_>,
) -> Option<Action> {
    let given = given(raw);
    if given.len() != 1 {
        let message = match given.as_slice() {
            [] => "the route has no action".to_owned(),
            several => format!(
                "the route has {} actions: {}",
                several.len(),
                several.join(", ")
            ),
        };
        cx.fault(
            at,
            message,
            "give exactly one of forward, graphql, grpc, llm, prompt, websocket, publish, subscribe, request_reply, table, respond and redirect",
        );
        return None;
    }
    if let Some(forward) = &raw.forward {
        let at = at.key("forward");
        let to = destination::check(cx, &at, &forward.backends, forward.rewrite.as_ref(), around);
        return to.map(|to| Action::Forward(Forward { to }));
    }
    if let Some(graphql) = &raw.graphql {
        let checked = graphql::check(cx, &at.key("graphql"), graphql, around);
        return checked.map(|graphql| Action::Graphql(Box::new(graphql)));
    }
    if let Some(grpc) = &raw.grpc {
        return grpc::check(cx, &at.key("grpc"), grpc, around).map(Action::Grpc);
    }
    if let Some(llm) = &raw.llm {
        return llm::check(cx, &at.key("llm"), llm, around).map(Action::Llm);
    }
    if let Some(prompt) = &raw.prompt {
        return prompt::check(cx, &at.key("prompt"), prompt, around).map(Action::Prompt);
    }
    if let Some(websocket) = &raw.websocket {
        return websocket::check(cx, &at.key("websocket"), websocket, around)
            .map(Action::Websocket);
    }
    if let Some(publish) = &raw.publish {
        return publish::check(cx, &at.key("publish"), publish, around).map(Action::Publish);
    }
    if let Some(subscribe) = &raw.subscribe {
        return subscribe::check(cx, &at.key("subscribe"), subscribe, around)
            .map(|subscribe| Action::Subscribe(Box::new(subscribe)));
    }
    if let Some(table) = &raw.table {
        return table::check(cx, &at.key("table"), table, around)
            .map(|table| Action::Table(Box::new(table)));
    }
    if let Some(raw) = &raw.request_reply {
        return request_reply::check(cx, &at.key("request_reply"), raw, around)
            .map(|action| Action::RequestReply(Box::new(action)));
    }
    if let Some(respond) = &raw.respond {
        return check_respond(cx, &at.key("respond"), respond).map(Action::Respond);
    }
    let redirect = raw.redirect.as_ref()?;
    check_redirect(cx, &at.key("redirect"), redirect, around).map(Action::Redirect)
}

fn check_respond(cx: &mut Checker<'_>, at: &At, raw: &raw::Respond) -> Option<Respond> {
    let mut headers = Vec::new();
    for (name, value) in &raw.headers {
        headers.extend(check_field(cx, &at.key("headers").key(name), name, value));
    }
    let status = StatusCode::from_u16(raw.status).ok()?;
    if !raw.body.is_empty() && matches!(raw.status, 204 | 205 | 304) {
        cx.fault(
            &at.key("body"),
            format!("an answer {} has no body", raw.status),
            "leave it out",
        );
        return None;
    }
    Some(Respond {
        status,
        body: raw.body.clone().into(),
        headers,
    })
}

fn check_redirect(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Redirect,
    around: &Around<'_>,
) -> Option<Redirect> {
    if !matches!(raw.status, 301 | 302 | 303 | 307 | 308) {
        let message = format!("{} does not send anyone elsewhere", raw.status);
        cx.fault(&at.key("status"), message, "give 301, 302, 303, 307 or 308");
    }
    let at = at.key("location");
    let location = cx.template(&at, &raw.location)?;
    // a host made of what a caller sent would send callers anywhere
    let fixed = match location.segments().first() {
        Some(Segment::Literal(start)) => start
            .strip_prefix("https://")
            .or(start.strip_prefix("http://")),
        _ => None,
    };
    let whole_host = fixed.is_some_and(|rest| {
        rest.contains('/') || (location.literal().is_some() && !rest.is_empty())
    });
    let rooted = matches!(location.segments().first(), Some(Segment::Literal(start)) if start.starts_with('/') && !start.starts_with("//") && (start.len() > 1 || location.literal().is_some()));
    let sendable = location.segments().iter().all(|segment| match segment {
        Segment::Literal(text) => HeaderValue::from_str(text).is_ok(),
        Segment::Variable(_) => true,
    });
    if !(whole_host || rooted) || !sendable {
        let hint =
            "write it as https://example.com/{path.rest} or /new/{path.rest}: the host is fixed";
        cx.fault(&at, "this is neither a URL nor a path", hint);
        return None;
    }
    let status = StatusCode::from_u16(raw.status).ok()?;
    cx.captured(&at, &location, &around.captured())
        .then_some(Redirect { location, status })
}
