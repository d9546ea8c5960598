//! What is mended of a request before it is run, as the executor reads it otherwise than the specification.

use std::collections::HashMap;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, FragmentDefinition, InlineFragment,
    OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Request};

use super::order::Order;
use crate::config::routes::graphql::compose::{Composed, Type};

/// Which operation of its batch it is.
pub(super) struct Number(pub(super) usize);

/// Mends a request; the order in which its fields are to be answered, if it can be read at all.
pub(super) fn prepare(graph: &Composed, number: usize, request: &mut Request) -> Option<Order> {
    request.data.insert(Number(number));
    let mut document = request.parsed_query().ok()?.clone();
    let order = Order::new(document.clone(), request.operation_name.clone());
    fill(&document, request);
    if graph.types.values().any(|ty| matches!(ty, Type::Union(_))) {
        widen(graph, &mut document);
        request.set_parsed_query(document);
    }
    Some(order)
}

/// Gives variables that have none the values that the operation says. `@skip` and `@include` see no others.
fn fill(document: &ExecutableDocument, request: &mut Request) {
    let named = request.operation_name.clone();
    let mut operations = document.operations.iter();
    let operation = operations.find(|(name, _)| match named.as_deref() {
        Some(named) => name.is_some_and(|name| name.as_str() == named),
        None => true,
    });
    let Some((_, operation)) = operation else {
        return;
    };
    for definition in &operation.node.variable_definitions {
        let definition = &definition.node;
        if let Some(default) = &definition.default_value {
            let variables = &mut request.variables;
            let value = variables.entry(definition.name.node.clone());
            value.or_insert_with(|| default.node.clone());
        }
    }
}

/// Takes the conditions away that name a union, as the executor takes no object for one: what stands under
/// them has conditions of its own. A fragment of that sort is written out where it is spread.
fn widen(graph: &Composed, document: &mut ExecutableDocument) {
    let on_union = |fragment: &FragmentDefinition| {
        let on = &fragment.type_condition.node.on.node;
        matches!(graph.types.get(on.as_str()), Some(Type::Union(_)))
    };
    let mut wide = document.fragments.clone();
    wide.retain(|_, fragment| on_union(&fragment.node));
    let mut widening = Widening {
        graph,
        wide,
        left: MAX_WRITTEN_OUT,
    };
    for fragment in document.fragments.values_mut() {
        widening.set(&mut fragment.node.selection_set.node);
    }
    let operations: Vec<&mut Positioned<OperationDefinition>> = match &mut document.operations {
        DocumentOperations::Single(one) => vec![one],
        DocumentOperations::Multiple(several) => several.values_mut().collect(),
    };
    for operation in operations {
        widening.set(&mut operation.node.selection_set.node);
    }
    // Nothing spreads them any more, which would be a fault.
    if widening.left > 0 {
        document
            .fragments
            .retain(|_, fragment| !on_union(&fragment.node));
    }
}

/// The most fragments that are written out in a document.
const MAX_WRITTEN_OUT: usize = 1000;

struct Widening<'a> {
    graph: &'a Composed,
    /// The fragments on unions.
    wide: HashMap<Name, Positioned<FragmentDefinition>>,
    /// How many may still be written out.
    left: usize,
}

impl Widening<'_> {
    fn set(&mut self, set: &mut SelectionSet) {
        for item in &mut set.items {
            match &mut item.node {
                Selection::Field(field) => self.set(&mut field.node.selection_set.node),
                Selection::InlineFragment(fragment) => {
                    let fragment = &mut fragment.node;
                    fragment.type_condition.take_if(|on| {
                        let on = on.node.on.node.as_str();
                        matches!(self.graph.types.get(on), Some(Type::Union(_)))
                    });
                    self.set(&mut fragment.selection_set.node);
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.wide.get(&spread.node.fragment_name.node) else {
                        continue;
                    };
                    let Some(left) = self.left.checked_sub(1) else {
                        continue;
                    };
                    self.left = left;
                    let mut selection_set = fragment.node.selection_set.clone();
                    self.set(&mut selection_set.node);
                    let written_out = InlineFragment {
                        type_condition: None,
                        directives: spread.node.directives.clone(),
                        selection_set,
                    };
                    item.node = Selection::InlineFragment(Positioned::new(written_out, item.pos));
                }
            }
        }
    }
}
