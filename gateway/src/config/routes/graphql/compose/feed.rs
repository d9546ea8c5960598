//! Feeds: fields of `Subscription` that the records of a topic feed.

use std::sync::Arc;

use async_graphql::Name;

use super::definitions::{Definitions, Types};
use super::model::{Composed, Feed, Shape, Type};
use super::name;
use super::part::{self, Names};
use crate::config::check::{At, Checker, Noun};
use crate::config::fault::suggest;
use crate::config::raw::compose as raw;
use crate::config::routes::actions::Around;
use crate::config::routes::topic;

/// Gives the graph the field that a feed says.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Feed,
    around: &Around<'_>,
    graph: &mut Composed,
) {
    let cluster = cx.resolve(
        &at.key("cluster"),
        Noun::Cluster,
        &raw.cluster.0,
        around.owner(),
    );
    let topic = topic::check_name(cx, &at.key("topic"), &raw.topic, around.team);
    let ty = match &raw.schema {
        Some(schema) => defined(cx, at, raw, schema, graph),
        None => known(cx, &at.key("type"), &raw.ty, graph),
    };
    let taken = graph.subscription.contains_key(raw.field.as_str());
    if taken || !name::is_name(&raw.field) {
        let message = format!("Subscription cannot have another field \"{}\"", raw.field);
        return cx.fault(&at.key("field"), message, "call it otherwise");
    }
    if let (Some(cluster), Some(()), Some(ty)) = (cluster, topic, ty) {
        let feed = Feed {
            cluster,
            topic: raw.topic.as_str().into(),
            answer: Shape::Named(ty),
        };
        let field = raw.field.as_str().into();
        graph.subscription.insert(field, Arc::new(feed));
    }
}

/// A type that the graph has.
fn known(cx: &mut Checker<'_>, at: &At, ty: &str, graph: &Composed) -> Option<Arc<str>> {
    if let Some((name, Type::Object(_))) = graph.types.get_key_value(ty) {
        return Some(name.clone());
    }
    let objects = graph.types.iter();
    let objects = objects.filter(|(_, ty)| matches!(ty, Type::Object(_)));
    let message = format!("the graph has no object type \"{ty}\"");
    let hint = suggest(ty, objects.map(|(name, _)| &**name));
    cx.fault(at, message, hint);
    None
}

/// A type that the feed brings along, with all that it leads to.
fn defined(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Feed,
    schema: &str,
    graph: &mut Composed,
) -> Option<Arc<str>> {
    let rename = raw::Rename::default();
    let names = Names::new(None, &rename);
    let wrong = |cx: &mut Checker<'_>, why: String| {
        let message = format!("this does not define what the topic holds: {why}");
        let hint = "give object types in the definition language, `type` among them";
        cx.fault(&at.key("schema"), message, hint);
    };
    let definitions = match Definitions::parse_types(schema) {
        Ok(definitions) => definitions,
        Err(why) => {
            wrong(cx, why);
            return None;
        }
    };
    let mut types = Types::new(&definitions, &names);
    let called = types.called(&Name::new(&raw.ty));
    match called.and_then(|called| types.finish().map(|()| called)) {
        Ok(called) => {
            let made = std::mem::take(&mut types.made);
            if !matches!(made.get(&called), Some(Type::Object(_))) {
                let message = format!("\"{}\" is no object type", raw.ty);
                cx.fault(&at.key("type"), message, "name one that `schema` defines");
                return None;
            }
            let hint =
                "call the type otherwise, or leave `schema` out where the graph's own is meant";
            part::add_types(cx, &at.key("schema"), made, (&names, hint), graph);
            Some(called)
        }
        Err(why) => {
            wrong(cx, why);
            None
        }
    }
}
