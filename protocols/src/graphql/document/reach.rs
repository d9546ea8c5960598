//! Which of the fields that something is said of an operation asks for. Each fragment is looked at once,
//! however often it is used.

use async_graphql_parser::types::{OperationDefinition, Selection, SelectionSet};

use super::order::{self, Used};
use crate::graphql::fault::Place;
use crate::graphql::field::Table;
use crate::graphql::schema::Schema;

/// Something that is said of a field, and where that is asked for.
pub(super) type Reached<'t, T> = (&'t T, Place);

/// What `table` says of the fields that `operation` asks for, in the order of the document's parts.
pub(super) fn reached<'a, T>(
    operation: &'a OperationDefinition,
    root: Option<&'a str>,
    fragments: &[Used<'a>],
    (table, schema): (&'a Table<T>, Option<&'a Schema>),
) -> Vec<Reached<'a, T>> {
    let mut search = Search {
        table,
        schema,
        found: Vec::new(),
    };
    if table.is_empty() {
        return search.found;
    }
    search.selections(&operation.selection_set.node, root);
    for (_, fragment) in fragments {
        let on = fragment.type_condition.node.on.node.as_str();
        search.condition(on, &fragment.selection_set.node);
    }
    search.found
}

struct Search<'a, T> {
    table: &'a Table<T>,
    schema: Option<&'a Schema>,
    found: Vec<Reached<'a, T>>,
}

impl<'a, T> Search<'a, T> {
    /// Recurses as deep as selections nest, which was bounded before they were parsed.
    fn selections(&mut self, set: &'a SelectionSet, parent: Option<&'a str>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let said = self.table.of(self.schema, parent, name);
                    self.found
                        .extend(said.map(|said| (said, order::place(selection.pos))));
                    // What is within is of the schema's own types, whatever its fields are called.
                    if !is_introspection(name) {
                        let of = self.schema.zip(parent);
                        let of = of.and_then(|(schema, parent)| schema.field(parent, name));
                        self.selections(&field.node.selection_set.node, of);
                    }
                }
                Selection::InlineFragment(inline) => {
                    let within = &inline.node.selection_set.node;
                    match &inline.node.type_condition {
                        Some(condition) => self.condition(condition.node.on.node.as_str(), within),
                        None => self.selections(within, parent),
                    }
                }
                // Each is looked at by itself.
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn condition(&mut self, on: &'a str, set: &'a SelectionSet) {
        // Names of two underscores are those of the specification's own types.
        if !on.starts_with("__") {
            self.selections(set, Some(on));
        }
    }
}

/// Whether a field asks for the schema.
pub(super) fn is_introspection(name: &str) -> bool {
    matches!(name, "__schema" | "__type")
}
