//! `routes[].graphql`, checked.

pub mod compose;
mod documents;

use std::sync::Arc;

use compose::{Composed, Feed};
pub use documents::{Documents, Known, Trusted};
use weir_protocols::graphql::document::cost::Costs;
use weir_protocols::graphql::field::{Field, Table};
use weir_protocols::graphql::limits::Limits;
use weir_protocols::graphql::schema::Schema;
use weir_protocols::graphql::transport_ws::SUBPROTOCOL;

use super::actions::Around;
use super::destination::{self, Destination};
use super::websocket::Terms;
use crate::config::check::{At, Checker};
use crate::config::fault::suggest;
use crate::config::policies::cors::check_origins;
use crate::config::policies::{Attached, PolicyConfig};
use crate::config::raw::Name;
use crate::config::raw::graphql as raw;

/// Passes GraphQL to an upstream, or runs it.
#[derive(Debug, Clone)]
pub struct Graphql {
    /// Who answers.
    pub by: By,
    /// The largest body, in bytes.
    pub max_body: u64,
    /// The most requests in a batch; 0 refuses batches.
    pub max_batch: usize,
    /// What is allowed of an operation.
    pub rules: Rules,
    /// Which documents go by a name, and whether others run.
    pub documents: Documents,
    /// How callers subscribe, if they may.
    pub subscriptions: Option<Subscriptions>,
}

impl Graphql {
    /// What feeds its subscriptions, where that are topics.
    pub(super) fn feeds(&self) -> impl Iterator<Item = &Arc<Feed>> {
        let graph = match &self.by {
            By::Composed(graph) => Some(graph),
            By::Upstream(_) => None,
        };
        graph
            .into_iter()
            .flat_map(|graph| graph.subscription.values())
    }
}

/// How callers subscribe.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    /// What connections they may open.
    pub terms: Terms,
    /// The most operations in flight on a connection.
    pub max_in_flight: usize,
}

/// Who answers an operation.
#[derive(Debug, Clone)]
pub enum By {
    /// An upstream.
    Upstream(Destination),
    /// The gateway, of what its sources say.
    Composed(Box<Composed>),
}

/// What is allowed of an operation.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How much it may be.
    pub limits: Limits,
    /// What its fields cost.
    pub costs: Costs,
    /// Who may ask for the schema.
    pub introspection: Introspection,
    /// Of fields that only some may ask for, the groups whose consumers may.
    pub authorization: Table<Vec<Arc<str>>>,
}

impl Rules {
    /// The upstream's schema, if it is known.
    pub fn schema(&self) -> Option<&Schema> {
        self.costs.schema.as_deref()
    }
}

/// Who may ask for the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introspection {
    /// Nobody.
    Nobody,
    /// Everybody.
    Everybody,
    /// Consumers in one of these groups.
    Groups(Vec<Arc<str>>),
}

/// Checks what a `graphql` action says.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Graphql,
    around: &Around<'_>,
) -> Option<Graphql> {
    let (by, schema) = check_by(cx, at, raw, around);
    // Where the schema is faulty, nothing is said of fields that it may define.
    let known = schema.clone().flatten();
    let costs = check_costs(cx, &at.key("costs"), &raw.costs, known.as_ref());
    let introspection = match &raw.introspection {
        raw::Introspection::Nobody => Introspection::Nobody,
        raw::Introspection::Everybody => Introspection::Everybody,
        raw::Introspection::Groups { groups } => {
            let at = at.key("introspection").key("groups");
            Introspection::Groups(check_groups(cx, &at, groups, around.groups))
        }
    };
    let authorization = check_fields(cx, &at.key("authorization"), raw, known.as_ref(), around);
    let documents = documents::check(cx, &at.key("documents"), raw);
    let by = by?;
    Some(Graphql {
        subscriptions: check_subscriptions(cx, &at.key("subscriptions"), &raw.subscriptions),
        by,
        max_body: raw.max_body.0,
        max_batch: match raw.batching {
            raw::Batching::None => 0,
            raw::Batching::Array { max } => max,
        },
        rules: Rules {
            limits: Limits {
                tokens: raw.max_tokens,
                depth: raw.max_depth,
                aliases: raw.max_aliases,
                directives: raw.max_directives,
                root_fields: raw.max_root_fields,
                cost: raw.max_cost,
            },
            costs: Costs {
                schema: schema?,
                ..costs
            },
            introspection,
            authorization,
        },
        documents: documents?,
    })
}

fn check_subscriptions(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Subscriptions,
) -> Option<Subscriptions> {
    let raw::Subscriptions::Pass {
        max_in_flight,
        max_message,
        origins,
    } = raw
    else {
        return None;
    };
    let origins = origins
        .as_ref()
        .map(|origins| check_origins(cx, &at.key("origins"), origins));
    Some(Subscriptions {
        terms: Terms::speaking(SUBPROTOCOL, origins, max_message.0),
        max_in_flight: *max_in_flight,
    })
}

/// Who answers, and the schema by which fields are told, if there is one; `None` of what is faulty.
fn check_by(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Graphql,
    around: &Around<'_>,
) -> (Option<By>, Option<Option<Arc<Schema>>>) {
    let Some(composed) = &raw.compose else {
        if raw.backends.is_empty() {
            let hint = "give backends, or compose a graph";
            cx.fault(at, "nobody answers this route's operations", hint);
            return (None, None);
        }
        let to = destination::check(cx, at, &raw.backends, raw.rewrite.as_ref(), around);
        let schema = match &raw.schema {
            Some(text) => check_schema(cx, &at.key("schema"), text).map(Some),
            None => Some(None),
        };
        return (to.map(By::Upstream), schema);
    };
    for (key, given) in [
        ("backends", !raw.backends.is_empty()),
        ("rewrite", raw.rewrite.is_some()),
        ("schema", raw.schema.is_some()),
    ] {
        if given {
            let message = "a composed graph is run here, by its own schema";
            cx.fault(
                &at.key(key),
                message,
                "leave it out, or leave `compose` out",
            );
        }
    }
    match compose::check(cx, &at.key("compose"), composed, around) {
        Some((graph, schema)) => {
            check_feeds(cx, &at.key("compose").key("feeds"), raw, &graph);
            (Some(By::Composed(graph.into())), Some(Some(schema)))
        }
        None => (None, None),
    }
}

/// Whoever may not subscribe is told nothing.
fn check_feeds(cx: &mut Checker<'_>, at: &At, raw: &raw::Graphql, graph: &Composed) {
    let refused = matches!(raw.subscriptions, raw::Subscriptions::Refuse);
    if refused && !graph.subscription.is_empty() {
        let message = "this route refuses the subscriptions that feeds are for";
        let hint = "write `subscriptions: { kind: pass }` in `graphql`, or leave the feeds out";
        cx.fault(at, message, hint);
    }
}

fn check_schema(cx: &mut Checker<'_>, at: &At, text: &str) -> Option<Arc<Schema>> {
    match Schema::parse(text) {
        Ok(schema) => Some(Arc::new(schema)),
        Err(fault) => {
            cx.fault(
                at,
                format!("this is no schema: {fault}"),
                "give one in the definition language, as most servers print it",
            );
            None
        }
    }
}

fn check_costs(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Costs,
    schema: Option<&Arc<Schema>>,
) -> Costs {
    let at = at.key("fields");
    let mut fields = Vec::new();
    for (text, cost) in &raw.fields {
        let field = check_field(cx, &at.key(text), text, schema);
        fields.extend(field.map(|field| (field, *cost)));
    }
    Costs {
        default: raw.default,
        fields: fields.into_iter().collect(),
        lists: raw.lists.iter().cloned().collect(),
        schema: None,
    }
}

fn check_fields(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Graphql,
    schema: Option<&Arc<Schema>>,
    around: &Around<'_>,
) -> Table<Vec<Arc<str>>> {
    let mut guarded = Vec::new();
    for (index, entry) in raw.authorization.iter().enumerate() {
        let at = at.index(index);
        let groups = check_groups(cx, &at.key("groups"), &entry.groups, around.groups);
        let field = check_field(cx, &at.key("field"), &entry.field, schema);
        guarded.extend(field.map(|field| (field, groups)));
    }
    guarded.into_iter().collect()
}

fn check_field(
    cx: &mut Checker<'_>,
    at: &At,
    text: &str,
    schema: Option<&Arc<Schema>>,
) -> Option<Field> {
    let Ok(field) = text.parse::<Field>() else {
        let message = format!("\"{text}\" is no field");
        cx.fault(
            at,
            message,
            "write it as Query.search, or *.search for any type",
        );
        return None;
    };
    // Fields of two underscores are in every schema.
    let defined = |schema: &Arc<Schema>| field.name.starts_with("__") || schema.defines(&field);
    if schema.is_some_and(|schema| !defined(schema)) {
        let message = format!("the schema defines no field {field}");
        cx.fault(
            at,
            message,
            "name one that it has, or give the schema of now",
        );
    }
    Some(field)
}

fn check_groups(cx: &mut Checker<'_>, at: &At, raw: &[Name], known: &[Arc<str>]) -> Vec<Arc<str>> {
    let mut groups = Vec::new();
    for (index, name) in raw.iter().enumerate() {
        match known.iter().find(|group| ***group == *name.0) {
            Some(group) => groups.push(group.clone()),
            None => cx.fault(
                &at.index(index),
                format!("no consumer is in a group \"{}\"", name.0),
                suggest(&name.0, known.iter().map(|group| &**group)),
            ),
        }
    }
    groups
}

/// Checks that somebody finds out who calls, where that matters.
pub(super) fn check_around(
    cx: &mut Checker<'_>,
    at: &At,
    graphql: &Graphql,
    policies: &[Attached],
) {
    let mut policies = policies.iter();
    if policies.any(|policy| matches!(policy.config, PolicyConfig::KeyAuth(_))) {
        return;
    }
    let hint = "add the policy key_auth";
    let nobody = "nothing on this route finds out who calls, so that nobody is in a group";
    if !graphql.rules.authorization.is_empty() {
        cx.fault(&at.key("authorization"), nobody, hint);
    }
    if matches!(graphql.rules.introspection, Introspection::Groups(_)) {
        cx.fault(&at.key("introspection"), nobody, hint);
    }
}
