//! What a field asks of a GraphQL source: what the caller selects of it, in the source's own words, and
//! without what others answer. Values go as variables, never as text of a document.

use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_graphql::parser::types::{Field as Selected, Selection as Item, SelectionSet};
use async_graphql::{Context, Positioned};
use serde_json::{Map, Value as Json};

use super::given::{arguments, fitting};
use super::plan::spelled;
use crate::config::routes::graphql::compose::{
    Asked, Composed, Endpoint, Field, Given, Operation, Root, Taken,
};

/// One root field of a source's, ready to be put into a document.
#[derive(Debug)]
pub(super) struct Ask {
    /// Where.
    pub(super) endpoint: Arc<Endpoint>,
    /// Whether it only reads.
    pub(super) reads: bool,
    /// The field; between two pieces goes the name of a variable.
    pub(super) pieces: Vec<String>,
    /// The variables: their types, and their values as JSON.
    pub(super) variables: Vec<(Arc<str>, String)>,
    /// What is selected of it; `None` of a leaf.
    pub(super) selection: Option<Selection>,
}

impl PartialEq for Ask {
    fn eq(&self, other: &Self) -> bool {
        (self.reads, &self.pieces, &self.variables)
            == (other.reads, &other.pieces, &other.variables)
    }
}

impl Eq for Ask {}

impl Hash for Ask {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.reads, &self.pieces, &self.variables).hash(state);
    }
}

/// What is selected of an object.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Whether it may be of several types, so that it has to say which it is of.
    pub(super) open: bool,
    /// The fields.
    pub(super) entries: Vec<Entry>,
    /// What they are called in the answer.
    taken: HashSet<String>,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Entry {
    /// The type that the object has to be of, as the source calls it.
    on: Option<Arc<str>>,
    name: Arc<str>,
    arguments: Vec<Argument>,
    /// What it is called in the source's answer: no other field of the object is.
    pub(super) alias: String,
    /// What it is read by.
    pub(super) key: String,
    /// What it is called in the caller's answer, if it is there.
    pub(super) shown: Option<String>,
    /// What is selected of it.
    pub(super) within: Option<Selection>,
}

/// An argument: its name, its type as the source writes it, and its value as JSON.
type Argument = (Arc<str>, Arc<str>, String);

/// What a root field of a GraphQL source asks, given its arguments.
pub(super) fn plan(
    graph: &Composed,
    operation: &Operation,
    root: &Root,
    mut given: Map<String, Json>,
    cx: &Context<'_>,
) -> Ask {
    let mut said = Vec::new();
    for (name, argument) in &operation.arguments {
        if let (Some(value), Some(ty)) = (given.remove(&**name), root.types.get(name)) {
            let value = spelled(graph, &argument.member.shape, value);
            let value = fitting(&argument.member.shape, value);
            said.push((name.clone(), ty.clone(), value.to_string()));
        }
    }
    let builder = Builder {
        graph,
        endpoint: &root.endpoint,
        cx,
    };
    let answer = operation.answer.name();
    let composite = !graph.objects(answer).is_empty();
    let selection = composite.then(|| builder.selection(answer, &selected(cx), None));
    let mut text = Text::default();
    text.field(&root.field, &said);
    if let Some(selection) = &selection {
        text.selection(selection);
    }
    let (pieces, variables) = text.finish();
    Ask {
        endpoint: root.endpoint.clone(),
        reads: root.reads,
        pieces,
        variables,
        selection,
    }
}

/// What the caller selects of a field. Of one that operations begin with, wherever the operation says it:
/// it is answered once, however often it stands there.
fn selected<'a>(cx: &Context<'a>) -> Vec<&'a SelectionSet> {
    let within = cx.path_node.is_some_and(|node| node.parent.is_some());
    if within {
        return vec![&cx.item.node.selection_set.node];
    }
    let mut found = Vec::new();
    let operation = &cx.query_env.operation.node.selection_set.node;
    same(cx, operation, cx.item, &mut found);
    found
}

fn same<'a>(
    cx: &Context<'a>,
    set: &'a SelectionSet,
    field: &Positioned<Selected>,
    found: &mut Vec<&'a SelectionSet>,
) {
    for item in &set.items {
        match &item.node {
            Item::Field(other)
                if other.node.response_key().node == field.node.response_key().node =>
            {
                found.push(&other.node.selection_set.node);
            }
            Item::Field(_) => {}
            Item::InlineFragment(fragment) => {
                same(cx, &fragment.node.selection_set.node, field, found);
            }
            Item::FragmentSpread(spread) => {
                let fragment = cx.query_env.fragments.get(&spread.node.fragment_name.node);
                if let Some(fragment) = fragment {
                    same(cx, &fragment.node.selection_set.node, field, found);
                }
            }
        }
    }
}

/// What a field is read by once it is answered: with other arguments it is another.
pub(super) fn key(graph: &Composed, field: &Asked, cx: &Context<'_>) -> String {
    let arguments = nested(graph, &field.arguments, cx, &cx.item.node);
    key_of(&field.member.key, &arguments)
}

fn key_of(name: &str, arguments: &[Argument]) -> String {
    let mut key = name.to_owned();
    for (name, _, value) in arguments {
        key.push_str(&format!("({name}:{value})"));
    }
    key
}

/// The arguments of a field below a root field.
fn nested(
    graph: &Composed,
    taken: &BTreeMap<Arc<str>, Taken>,
    cx: &Context<'_>,
    selected: &Selected,
) -> Vec<Argument> {
    let mut given = arguments(cx, selected);
    let each = taken.iter().filter_map(|(name, taken)| {
        let value = given.remove(&**name)?;
        let value = spelled(graph, &taken.member.shape, value);
        Some((name.clone(), taken.ty.clone(), value.to_string()))
    });
    each.collect()
}

struct Builder<'a, 'c> {
    graph: &'a Composed,
    endpoint: &'a Endpoint,
    cx: &'a Context<'c>,
}

/// Where in a selection something stands.
#[derive(Clone)]
struct Within<'a> {
    /// The type that all of it is selected of.
    base: &'a Arc<str>,
    /// The type that this is selected of.
    ty: &'a Arc<str>,
    /// What the object may be here.
    objects: Vec<&'a Arc<str>>,
}

impl<'a> Builder<'a, '_> {
    /// What is selected of a type by these sets.
    fn selection(
        &self,
        ty: &'a Arc<str>,
        sets: &[&SelectionSet],
        into: Option<Selection>,
    ) -> Selection {
        let objects: Vec<_> = self.graph.objects(ty).iter().collect();
        let mut selection = into.unwrap_or_else(|| Selection {
            // An object that can be but one needs not say which.
            open: objects != [ty],
            taken: HashSet::from(["__typename".to_owned()]),
            ..Selection::default()
        });
        let within = Within {
            base: ty,
            ty,
            objects,
        };
        for set in sets {
            self.walk(&mut selection, set, &within);
        }
        selection
    }

    fn walk(&self, into: &mut Selection, set: &SelectionSet, within: &Within<'a>) {
        for item in &set.items {
            match &item.node {
                Item::Field(field) => self.field(into, &field.node, within),
                Item::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref();
                    let on = on.map(|on| on.node.on.node.as_str());
                    if let Some(within) = self.narrowed(within, on) {
                        self.walk(into, &fragment.node.selection_set.node, &within);
                    }
                }
                Item::FragmentSpread(spread) => {
                    let fragments = &self.cx.query_env.fragments;
                    let Some(fragment) = fragments.get(&spread.node.fragment_name.node) else {
                        continue;
                    };
                    let on = fragment.node.type_condition.node.on.node.as_str();
                    if let Some(within) = self.narrowed(within, Some(on)) {
                        self.walk(into, &fragment.node.selection_set.node, &within);
                    }
                }
            }
        }
    }

    /// What a type condition leaves; `None` if that is nothing.
    fn narrowed(&self, within: &Within<'a>, on: Option<&str>) -> Option<Within<'a>> {
        let Some(on) = on else {
            return Some(within.clone());
        };
        let (ty, _) = self.graph.types.get_key_value(on)?;
        let of = self.graph.objects(ty);
        let mut narrowed = within.clone();
        narrowed.objects.retain(|object| of.contains(*object));
        if narrowed.objects.is_empty() {
            return None;
        }
        // Of an object itself there is nothing to say but its own fields.
        if narrowed.objects != [within.base] {
            narrowed.ty = ty;
        }
        Some(narrowed)
    }

    fn field(&self, into: &mut Selection, selected: &Selected, within: &Within<'a>) {
        let fields = self.graph.fields(within.ty);
        let Some(field) = fields.and_then(|fields| fields.get(selected.name.node.as_str())) else {
            return;
        };
        let (member, arguments) = match field {
            Field::Member(member) => (member, Vec::new()),
            Field::Asked(asked) => {
                let arguments = nested(self.graph, &asked.arguments, self.cx, selected);
                (&asked.member, arguments)
            }
            Field::Link(link) => {
                for given in link.arguments.values() {
                    if let Given::Parent(key) = given {
                        self.entry(into, within, key, Vec::new());
                    }
                }
                return;
            }
        };
        let entry = self.entry(into, within, &member.key, arguments);
        let shown = || selected.response_key().node.to_string();
        entry.shown.get_or_insert_with(shown);
        let ty = member.shape.name();
        if !self.graph.objects(ty).is_empty() {
            let sets = [&selected.selection_set.node];
            entry.within = Some(self.selection(ty, &sets, entry.within.take()));
        }
    }

    /// The entry of a field; it may be there already.
    fn entry<'s>(
        &self,
        into: &'s mut Selection,
        within: &Within<'_>,
        name: &Arc<str>,
        arguments: Vec<Argument>,
    ) -> &'s mut Entry {
        let on = (within.ty != within.base)
            .then(|| self.endpoint.own.get(within.ty).cloned())
            .flatten();
        let same =
            |entry: &Entry| entry.on == on && entry.name == *name && entry.arguments == arguments;
        let at = match into.entries.iter().position(same) {
            Some(at) => at,
            None => {
                let alias = into.free(name);
                into.entries.push(Entry {
                    on,
                    name: name.clone(),
                    key: key_of(name, &arguments),
                    arguments,
                    alias,
                    shown: None,
                    within: None,
                });
                into.entries.len() - 1
            }
        };
        &mut into.entries[at]
    }
}

impl Selection {
    /// A name that nothing of it is answered by yet.
    fn free(&mut self, name: &str) -> String {
        let mut alias = name.to_owned();
        let mut number = 1;
        while !self.taken.insert(alias.clone()) {
            number += 1;
            alias = format!("{name}_{number}");
        }
        alias
    }
}

/// A field in the making.
#[derive(Default)]
struct Text {
    pieces: Vec<String>,
    variables: Vec<(Arc<str>, String)>,
    last: String,
}

impl Text {
    fn field(&mut self, name: &str, arguments: &[Argument]) {
        self.last.push_str(name);
        for (index, (name, ty, value)) in arguments.iter().enumerate() {
            self.last.push(if index == 0 { '(' } else { ',' });
            self.last.push_str(name);
            self.last.push(':');
            self.pieces.push(std::mem::take(&mut self.last));
            self.variables.push((ty.clone(), value.clone()));
        }
        if !arguments.is_empty() {
            self.last.push(')');
        }
    }

    fn selection(&mut self, selection: &Selection) {
        self.last.push('{');
        if selection.open || selection.entries.is_empty() {
            self.last.push_str("__typename ");
        }
        for alike in selection.entries.chunk_by(|one, other| one.on == other.on) {
            let on = alike.first().and_then(|entry| entry.on.as_deref());
            if let Some(on) = on {
                self.last.push_str("...on ");
                self.last.push_str(on);
                self.last.push('{');
            }
            for entry in alike {
                if *entry.alias != *entry.name {
                    self.last.push_str(&entry.alias);
                    self.last.push(':');
                }
                self.field(&entry.name, &entry.arguments);
                match &entry.within {
                    Some(within) => self.selection(within),
                    None => self.last.push(' '),
                }
            }
            if on.is_some() {
                self.last.push('}');
            }
        }
        self.last.push('}');
    }

    fn finish(mut self) -> (Vec<String>, Vec<(Arc<str>, String)>) {
        self.pieces.push(self.last);
        (self.pieces, self.variables)
    }
}
