//! Sources of `kind: graphql`: root fields of a schema as those of the graph.

use std::sync::Arc;

use super::definitions::{Definitions, Types};
use super::introspection;
use super::model::{self, Argument, Endpoint, Operation, Place, Type, Way};
use super::part::{Names, Part, Root};
use crate::config::check::{At, Checker};
use crate::config::fault::suggest;

/// What a source says of itself.
pub(super) struct Said<'a> {
    /// The schema.
    pub(super) schema: &'a str,
    /// The path that takes operations.
    pub(super) path: &'a str,
    /// The root fields that are shown; all, if not said.
    pub(super) fields: Option<&'a [String]>,
}

/// The part of a GraphQL server.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    said: &Said<'_>,
    source: usize,
    names: &Names<'_>,
) -> Option<Part> {
    let sendable = |b: u8| b.is_ascii_graphic() && b != b'#';
    if !said.path.starts_with('/') || !said.path.bytes().all(sendable) {
        let message = format!("\"{}\" is no path", said.path);
        cx.fault(&at.key("path"), message, "write it as /graphql");
    }
    let at_schema = at.key("schema");
    let definitions = match read(said.schema) {
        Ok(definitions) => definitions,
        Err(why) => {
            let message = format!("this is no GraphQL schema: {why}");
            let hint = "give one in the definition language, or what introspection says of it";
            cx.fault(&at_schema, message, hint);
            return None;
        }
    };
    check_shown(cx, &at.key("fields"), said, &definitions);
    let mut types = Types::new(&definitions, names);
    let roots = match roots(said, &definitions, &mut types, source) {
        Ok(roots) => roots,
        Err(wrong) => {
            let hint = "mend it there, or leave out of `fields` what leads to it";
            cx.fault(
                &at_schema,
                format!("the schema cannot be shown: {wrong}"),
                hint,
            );
            return None;
        }
    };
    check_interfaces(cx, &at.key("rename").key("fields"), &types, names);
    Some(Part {
        types: types.made,
        roots,
    })
}

fn read(schema: &str) -> Result<Definitions, String> {
    match schema.trim_start().starts_with('{') {
        true => Definitions::parse(&introspection::print(schema)?),
        false => Definitions::parse(schema),
    }
}

/// What federation asks by is not for callers.
fn is_shown(name: &str) -> bool {
    !matches!(name, "_service" | "_entities")
}

fn check_shown(cx: &mut Checker<'_>, at: &At, said: &Said<'_>, definitions: &Definitions) {
    let known = [true, false].map(|reads| definitions.root(reads));
    let known = known.into_iter().flatten();
    let known: Vec<&str> = known.map(|field| field.node.name.node.as_str()).collect();
    for (index, wanted) in said.fields.into_iter().flatten().enumerate() {
        if !known.contains(&wanted.as_str()) {
            let message = format!("the schema has no query and no mutation \"{wanted}\"");
            let hint = suggest(wanted, known.iter().copied());
            cx.fault(&at.index(index), message, hint);
        }
    }
}

/// The root fields that are shown; all types that they lead to are made.
pub(super) fn roots(
    said: &Said<'_>,
    definitions: &Definitions,
    types: &mut Types<'_>,
    source: usize,
) -> Result<Vec<Root>, String> {
    let wanted = |name: &str| match said.fields {
        Some(fields) => fields.iter().any(|field| field == name),
        None => is_shown(name),
    };
    let mut found = Vec::new();
    for reads in [true, false] {
        for field in definitions.root(reads).iter().map(|field| &field.node) {
            if !wanted(&field.name.node) {
                continue;
            }
            let wrong = |why: String| format!("{}: {why}", field.name.node);
            if let Some(shape) = types.given(&field.ty.node).map_err(wrong)? {
                let taken = types.taken(&field.arguments).map_err(wrong)?;
                found.push((field, reads, shape, taken));
            }
        }
    }
    types.finish()?;
    let endpoint = Arc::new(Endpoint {
        path: said.path.into(),
        ..std::mem::take(&mut types.endpoint)
    });
    let roots = found.into_iter().map(|(field, reads, answer, taken)| {
        let taken = taken.into_iter();
        let (types, arguments) = taken
            .map(|(name, taken)| {
                let argument = Argument {
                    place: Place::Variable,
                    member: taken.member,
                };
                ((name.clone(), taken.ty), (name, argument))
            })
            .unzip();
        let name = field.name.node.as_str();
        let way = Way::Graphql(model::Root {
            field: name.into(),
            reads,
            types,
            endpoint: endpoint.clone(),
        });
        Root {
            id: name.to_owned(),
            reads,
            operation: Operation {
                source,
                way,
                arguments,
                answer,
            },
        }
    });
    Ok(roots.collect())
}

/// A field of an interface is called as that of each of its objects.
fn check_interfaces(cx: &mut Checker<'_>, at: &At, types: &Types<'_>, names: &Names<'_>) {
    for (ty, made) in &types.made {
        let Type::Interface(interface) = made else {
            continue;
        };
        for (field, of) in interface.fields.keys().flat_map(|field| {
            interface
                .objects
                .iter()
                .chain(&interface.wider)
                .map(move |of| (field, of))
        }) {
            if names.field(ty, field) != names.field(of, field) {
                let message = format!("{ty}.{field} and {of}.{field} have to be called the same");
                cx.fault(at, message, "rename both");
            }
        }
    }
}
