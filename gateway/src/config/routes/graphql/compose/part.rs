//! What one source gives to a graph: types and root fields, each under a name that no other has.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{Composed, Interface, Operation, Type, Way};
use super::name;
use crate::config::check::{At, Checker};
use crate::config::raw::compose as raw;

/// What a source's document says.
pub(super) struct Part {
    /// Its types, as they are called in the graph.
    pub(super) types: BTreeMap<Arc<str>, Type>,
    /// Its root fields.
    pub(super) roots: Vec<Root>,
}

/// A root field.
pub(super) struct Root {
    /// What its document calls it.
    pub(super) id: String,
    /// Whether it only reads: a field of `Query`, not of `Mutation`.
    pub(super) reads: bool,
    /// What it calls.
    pub(super) operation: Operation,
}

/// What a source's types and fields are called in the graph.
pub(super) struct Names<'a> {
    prefix: &'a str,
    rename: &'a raw::Rename,
    /// The entries of `rename` that something was called by.
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Names<'a> {
    /// The names that a configuration wants.
    pub(super) fn new(prefix: Option<&'a str>, rename: &'a raw::Rename) -> Self {
        Self {
            prefix: prefix.unwrap_or_default(),
            rename,
            used: RefCell::default(),
        }
    }

    /// What a type is called.
    pub(super) fn ty(&self, own: &str) -> String {
        match self.rename.types.get(own) {
            Some(other) => {
                self.used.borrow_mut().insert(own.to_owned());
                other.clone()
            }
            None => format!("{}{own}", name::upper_first(self.prefix)),
        }
    }

    /// What a type is called that has a name in full as well.
    pub(super) fn ty_of(&self, full: &str, own: &str) -> String {
        match self.rename.types.contains_key(full) {
            true => self.ty(full),
            false => self.ty(own),
        }
    }

    /// What stands for the name of a method, where it has another by its name in full.
    pub(super) fn method(&self, full: &str, own: &str) -> String {
        match self.rename.fields.get(full) {
            Some(other) => {
                self.used.borrow_mut().insert(full.to_owned());
                other.clone()
            }
            None => own.to_owned(),
        }
    }

    /// What a scalar is called: those of one name are one, whatever source they are of.
    pub(super) fn scalar(&self, own: &str) -> String {
        match self.rename.types.contains_key(own) {
            true => self.ty(own),
            false => own.to_owned(),
        }
    }

    fn root(&self, id: &str, way: &Way) -> String {
        let own = match way {
            Way::Graphql(_) => id.to_owned(),
            _ => name::lower_first(&name::nearest(id)),
        };
        match self.prefix {
            "" => own,
            prefix => format!("{}{}", name::lower_first(prefix), name::upper_first(&own)),
        }
    }

    /// The name that a field of a type has in the end.
    pub(super) fn field(&self, ty: &str, own: &str) -> Arc<str> {
        let key = format!("{ty}.{own}");
        match self.rename.fields.get(&key) {
            Some(other) => {
                self.used.borrow_mut().insert(key);
                other.as_str().into()
            }
            None => own.into(),
        }
    }

    /// A new name for what does not exist is a mistake.
    fn check(&self, cx: &mut Checker<'_>, at: &At) {
        let used = self.used.borrow();
        let unused = |key: &&String| !used.contains(*key);
        for key in self.rename.types.keys().filter(unused) {
            let message = format!("the source has no type \"{key}\"");
            let hint = "write it as the source calls it, without the prefix";
            cx.fault(&at.key("types").key(key), message, hint);
        }
        for key in self.rename.fields.keys().filter(unused) {
            let message = format!("the source has no field \"{key}\"");
            let hint = "write it as Query.getOrder, with the prefix";
            cx.fault(&at.key("fields").key(key), message, hint);
        }
    }
}

/// Puts what a source gives into the graph.
pub(super) fn add(
    cx: &mut Checker<'_>,
    at: &At,
    part: Part,
    names: &Names<'_>,
    graph: &mut Composed,
) {
    let hint = "give the source a prefix, or rename the type";
    add_types(cx, at, part.types, (names, hint), graph);
    add_roots(cx, at, part.roots, names, graph);
    names.check(cx, &at.key("rename"));
}

/// Puts types into the graph; `hint` says what to do where one is called as another.
pub(super) fn add_types(
    cx: &mut Checker<'_>,
    at: &At,
    types: BTreeMap<Arc<str>, Type>,
    (names, hint): (&Names<'_>, &str),
    graph: &mut Composed,
) {
    for (ty, made) in types {
        let made = match made {
            Type::Object(fields) => Type::Object(renamed(names, &ty, fields)),
            Type::Interface(interface) => Type::Interface(Interface {
                fields: renamed(names, &ty, interface.fields),
                ..interface
            }),
            Type::Input(members) => Type::Input(renamed(names, &ty, members)),
            other => other,
        };
        let shared = matches!(made, Type::Scalar);
        let taken = BUILT_IN.contains(&&*ty) || (!shared && graph.types.contains_key(&ty));
        if taken || !name::is_name(&ty) {
            let message = format!("the graph cannot have another type \"{ty}\"");
            cx.fault(at, message, hint);
            continue;
        }
        graph.types.insert(ty, made);
    }
}

fn renamed<T>(names: &Names<'_>, ty: &str, said: BTreeMap<Arc<str>, T>) -> BTreeMap<Arc<str>, T> {
    let said = said.into_iter();
    said.map(|(name, of)| (names.field(ty, &name), of))
        .collect()
}

const BUILT_IN: [&str; 8] = [
    "Query",
    "Mutation",
    "Subscription",
    "Int",
    "Float",
    "String",
    "Boolean",
    "ID",
];

fn add_roots(
    cx: &mut Checker<'_>,
    at: &At,
    roots: Vec<Root>,
    names: &Names<'_>,
    graph: &mut Composed,
) {
    for Root {
        id,
        reads,
        operation,
    } in roots
    {
        let (ty, fields) = match reads {
            true => ("Query", &mut graph.query),
            false => ("Mutation", &mut graph.mutation),
        };
        let name = names.field(ty, &names.root(&id, &operation.way));
        if fields.contains_key(&name) || !name::is_name(&name) {
            let message = format!("the graph cannot have another field \"{ty}.{name}\"");
            cx.fault(at, message, "give the source a prefix, or rename the field");
            continue;
        }
        fields.insert(name, Arc::new(operation));
    }
}
