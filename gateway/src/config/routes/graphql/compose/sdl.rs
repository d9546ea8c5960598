//! A composed graph in the definition language, as costs and authorization are held against it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::model::{Composed, Field, Member, Operation, Shape, Type};

/// Writes the graph down.
pub(super) fn print(graph: &Composed) -> String {
    let mut out = String::new();
    root(&mut out, "Query", &graph.query);
    if !graph.mutation.is_empty() {
        root(&mut out, "Mutation", &graph.mutation);
    }
    if !graph.subscription.is_empty() {
        let fields = graph.subscription.iter();
        let fields = fields.map(|(name, feed)| format!("{name}: {}", feed.answer));
        let fields = fields.collect::<Vec<_>>().join(" ");
        line(&mut out, format_args!("type Subscription {{ {fields} }}"));
    }
    for (name, ty) in &graph.types {
        match ty {
            Type::Scalar => line(&mut out, format_args!("scalar {name}")),
            Type::Enum(values) => {
                let values = values.join(" ");
                line(&mut out, format_args!("enum {name} {{ {values} }}"));
            }
            Type::Object(fields) => composite(&mut out, graph, "type", name, fields),
            Type::Interface(interface) => {
                composite(&mut out, graph, "interface", name, &interface.fields);
            }
            Type::Union(objects) => {
                let objects = objects.join(" | ");
                line(&mut out, format_args!("union {name} = {objects}"));
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

fn composite(
    out: &mut String,
    graph: &Composed,
    kind: &str,
    name: &str,
    fields: &BTreeMap<Arc<str>, Field>,
) {
    let fields = fields.iter().map(|(name, said)| match said {
        Field::Member(member) => format!("{name}: {}", member.shape),
        Field::Asked(asked) => {
            let arguments = asked.arguments.iter();
            let arguments = arguments.map(|(name, argument)| (name, &argument.member));
            field(name, arguments, &asked.member.shape)
        }
        Field::Link(link) => format!("{name}: {}", link.operation.answer),
    });
    let fields = fields.collect::<Vec<_>>().join(" ");
    let wider: Vec<&str> = graph.interfaces(name).map(|name| &**name).collect();
    let implements = match wider.is_empty() {
        true => String::new(),
        false => format!("implements {} ", wider.join(" & ")),
    };
    line(
        out,
        format_args!("{kind} {name} {implements}{{ {fields} }}"),
    );
}

fn root(out: &mut String, name: &str, fields: &BTreeMap<Arc<str>, Arc<Operation>>) {
    let fields = fields.iter().map(|(name, operation)| {
        let arguments = operation.arguments.iter();
        let arguments = arguments.map(|(name, argument)| (name, &argument.member));
        field(name, arguments, &operation.answer)
    });
    let fields = fields.collect::<Vec<_>>().join(" ");
    line(out, format_args!("type {name} {{ {fields} }}"));
}

fn field<'a>(
    name: &str,
    arguments: impl Iterator<Item = (&'a Arc<str>, &'a Member)>,
    answer: &Shape,
) -> String {
    let arguments = arguments.map(|(name, member)| taken(name, member));
    let arguments = arguments.collect::<Vec<_>>().join(", ");
    match arguments.is_empty() {
        true => format!("{name}: {answer}"),
        false => format!("{name}({arguments}): {answer}"),
    }
}

fn taken(name: &str, member: &Member) -> String {
    let bang = if member.required { "!" } else { "" };
    format!("{name}: {}{bang}", member.shape)
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
