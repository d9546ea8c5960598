//! Links: fields that lead from an object of one source to what a query gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{Composed, Field, Given, Link, Type, Way};
use super::name;
use crate::config::check::{At, Checker};
use crate::config::fault::suggest;
use crate::config::raw::compose as raw;

/// Gives an object type the field that a link says.
pub(super) fn check(cx: &mut Checker<'_>, at: &At, raw: &raw::Link, graph: &mut Composed) {
    let Some(operation) = graph.query.get(raw.query.as_str()).cloned() else {
        let message = format!("the graph has no query \"{}\"", raw.query);
        let hint = suggest(&raw.query, graph.query.keys().map(|name| &**name));
        return cx.fault(&at.key("query"), message, hint);
    };
    let names: Vec<Arc<str>> = graph.types.keys().cloned().collect();
    let unasked = unasked(graph, &raw.ty);
    let Some(Type::Object(fields)) = graph.types.get_mut(raw.ty.as_str()) else {
        let message = format!("the graph has no object type \"{}\"", raw.ty);
        let hint = suggest(&raw.ty, names.iter().map(|name| &**name));
        return cx.fault(&at.key("type"), message, hint);
    };
    let mut arguments = BTreeMap::new();
    for (name, text) in &raw.arguments {
        let at = at.key("arguments").key(name);
        if !operation.arguments.contains_key(name.as_str()) {
            let message = format!("{} takes no argument \"{name}\"", raw.query);
            cx.fault(&at, message, "name one that it takes, or leave it out");
        }
        let parent = text
            .strip_prefix("{parent.")
            .and_then(|t| t.strip_suffix('}'));
        let given = match parent {
            Some(member) => {
                let known = |field: &Field| match field {
                    Field::Member(m) => *m.key == *member && !unasked.contains(m.shape.name()),
                    Field::Asked(_) | Field::Link(_) => false,
                };
                if !fields.values().any(known) {
                    let message = format!("what makes a {} has no member \"{member}\"", raw.ty);
                    cx.fault(&at, message, "name one as its source calls it");
                }
                Given::Parent(member.into())
            }
            None => Given::Text(text.as_str().into()),
        };
        arguments.insert(Arc::from(name.as_str()), given);
    }
    for (name, argument) in &operation.arguments {
        if argument.member.required && !arguments.contains_key(name) {
            let message = format!("{} requires the argument \"{name}\"", raw.query);
            cx.fault(&at.key("arguments"), message, "say what it is");
        }
    }
    if fields.contains_key(raw.field.as_str()) || !name::is_name(&raw.field) {
        let message = format!("{} cannot have another field \"{}\"", raw.ty, raw.field);
        return cx.fault(&at.key("field"), message, "call it otherwise");
    }
    let link = Link {
        operation,
        arguments,
    };
    fields.insert(raw.field.as_str().into(), Field::Link(link));
}

/// The types whose values cannot be asked for by themselves: a GraphQL server wants to know what of them.
fn unasked(graph: &Composed, parent: &str) -> BTreeSet<Arc<str>> {
    let mut operations = graph.query.values().chain(graph.mutation.values());
    let of_graphql = operations.any(|operation| match &operation.way {
        Way::Graphql(root) => root.endpoint.own.contains_key(parent),
        Way::Rest { .. } | Way::Grpc { .. } => false,
    });
    let composite = graph.types.keys();
    let composite = composite.filter(|name| of_graphql && !graph.objects(name).is_empty());
    composite.cloned().collect()
}
