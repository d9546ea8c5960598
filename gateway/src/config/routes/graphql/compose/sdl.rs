//! A composed graph in the definition language, as costs and authorization are held against it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::model::{Composed, Field, Member, Operation, Type};

/// Writes the graph down.
pub(super) fn print(graph: &Composed) -> String {
    let mut out = String::new();
    root(&mut out, "Query", &graph.query);
    if !graph.mutation.is_empty() {
        root(&mut out, "Mutation", &graph.mutation);
    }
    for (name, ty) in &graph.types {
        match ty {
            Type::Scalar => line(&mut out, format_args!("scalar {name}")),
            Type::Enum(values) => {
                let values = values.join(" ");
                line(&mut out, format_args!("enum {name} {{ {values} }}"));
            }
            Type::Object(fields) => {
                let fields = fields.iter().map(|(name, field)| match field {
                    Field::Member(member) => format!("{name}: {}", member.shape),
                    Field::Link(link) => format!("{name}: {}", link.operation.answer),
                });
                let fields = fields.collect::<Vec<_>>().join(" ");
                line(&mut out, format_args!("type {name} {{ {fields} }}"));
            }
            Type::Input(members) => {
                let members = members.iter().map(|(name, member)| taken(name, member));
                let members = members.collect::<Vec<_>>().join(" ");
                line(&mut out, format_args!("input {name} {{ {members} }}"));
            }
        }
    }
    out
}

fn root(out: &mut String, name: &str, fields: &BTreeMap<Arc<str>, Arc<Operation>>) {
    let fields = fields.iter().map(|(name, operation)| {
        let arguments = operation.arguments.iter();
        let arguments = arguments.map(|(name, argument)| taken(name, &argument.member));
        let arguments = arguments.collect::<Vec<_>>().join(", ");
        let answer = &operation.answer;
        match arguments.is_empty() {
            true => format!("{name}: {answer}"),
            false => format!("{name}({arguments}): {answer}"),
        }
    });
    let fields = fields.collect::<Vec<_>>().join(" ");
    line(out, format_args!("type {name} {{ {fields} }}"));
}

fn taken(name: &str, member: &Member) -> String {
    let bang = if member.required { "!" } else { "" };
    format!("{name}: {}{bang}", member.shape)
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
