//! The order of an answer's fields: that in which they are asked (GraphQL 6.3), whichever came first.

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Value};
use async_graphql_value::indexmap::IndexMap;

/// What was asked.
pub(super) struct Order {
    document: ExecutableDocument,
    operation: Option<String>,
}

impl Order {
    /// The order that an operation of a document says.
    pub(super) const fn new(document: ExecutableDocument, operation: Option<String>) -> Self {
        Self {
            document,
            operation,
        }
    }

    /// Puts an answer into it.
    pub(super) fn apply(&self, answer: &mut Value) {
        // Where nothing was run, the document may be one that never ends.
        if *answer == Value::Null {
            return;
        }
        if let Some(operation) = self.operation() {
            let mut asked = Asked::default();
            self.collect(&operation.selection_set.node, &mut asked);
            sort(answer, &asked);
        }
    }

    /// How many names an operation answers by.
    pub(super) fn roots(&self) -> usize {
        let mut asked = Asked::default();
        if let Some(operation) = self.operation() {
            self.collect(&operation.selection_set.node, &mut asked);
        }
        asked.0.len()
    }

    fn operation(&self) -> Option<&OperationDefinition> {
        let mut operations = self.document.operations.iter();
        let named = self.operation.as_deref();
        let operation = operations.find(|(name, _)| match named {
            Some(named) => name.is_some_and(|name| name.as_str() == named),
            None => true,
        });
        operation.map(|(_, operation)| &operation.node)
    }

    fn collect<'a>(&'a self, set: &'a SelectionSet, into: &mut Asked<'a>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let within = into.0.entry(&field.node.response_key().node).or_default();
                    self.collect(&field.node.selection_set.node, within);
                }
                Selection::InlineFragment(fragment) => {
                    self.collect(&fragment.node.selection_set.node, into);
                }
                Selection::FragmentSpread(spread) => {
                    let fragments = &self.document.fragments;
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        self.collect(&fragment.node.selection_set.node, into);
                    }
                }
            }
        }
    }
}

/// The names that a selection answers by, each with those within.
#[derive(Default)]
struct Asked<'a>(IndexMap<&'a Name, Asked<'a>>);

fn sort(value: &mut Value, asked: &Asked<'_>) {
    match value {
        Value::List(items) => {
            for item in items {
                sort(item, asked);
            }
        }
        // Within a scalar nothing was selected.
        Value::Object(members) if !asked.0.is_empty() => {
            let mut sorted = IndexMap::with_capacity(members.len());
            for (name, within) in &asked.0 {
                if let Some((name, mut value)) = members.swap_remove_entry(*name) {
                    sort(&mut value, within);
                    sorted.insert(name, value);
                }
            }
            *members = sorted;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::value;

    use super::*;

    #[test]
    fn fields_come_as_they_are_asked() {
        let document = parse_query(
            "query Other { a } query This { z a: list { ...F y } ... on Query { m } ...G z { k } }
             fragment F on T { x } fragment G on Query { a { w } z { j } }",
        );
        let order = Order::new(document.expect("a document"), Some("This".to_owned()));
        let mut answer = value!({
            "m": 1,
            "a": [{ "w": 1, "y": 2, "x": 3 }, null],
            "z": { "j": { "scalar": 1, "as": 2 }, "k": 1 },
        });
        order.apply(&mut answer);
        assert_eq!(
            serde_json::to_string(&answer).expect("JSON"),
            r#"{"z":{"j":{"scalar":1,"as":2},"k":1},"a":[{"x":3,"y":2,"w":1},null],"m":1}"#
        );
    }
}
