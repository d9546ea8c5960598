//! Which fragments an operation uses, each after all those within it. Chains of fragments may be as long
//! as the document, so that nothing here recurses along them.

use std::collections::HashMap;

use async_graphql_parser::types::{
    FragmentDefinition, FragmentSpread, OperationDefinition, Selection, SelectionSet,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::Name;

use crate::graphql::fault::{Fault, Place};

/// The fragments of a document.
pub(super) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// A fragment that is used, with its name.
pub(super) type Used<'a> = (&'a str, &'a FragmentDefinition);

/// Which are used, innermost first.
///
/// # Errors
/// If one is not there, or is used within itself.
pub(super) fn innermost_first<'a>(
    operation: &'a OperationDefinition,
    fragments: &'a Fragments,
) -> Result<Vec<Used<'a>>, Fault> {
    let mut order = Vec::new();
    // Whether all that is within a fragment has been seen.
    let mut done: HashMap<&str, bool> = HashMap::new();
    let mut open = vec![Open::new(None, &operation.selection_set.node)];
    while let Some(last) = open.last_mut() {
        let Some((name, at)) = last.spreads.pop() else {
            if let Some(used) = last.fragment {
                done.insert(used.0, true);
                order.push(used);
            }
            open.pop();
            continue;
        };
        match done.get(name) {
            Some(true) => {}
            // Such documents are refused before they are parsed; this walk ends whatever comes.
            Some(false) => return Err(Fault::FragmentCycle(place(at))),
            None => {
                let found = fragments.get(name);
                let fragment = &found.ok_or_else(|| Fault::FragmentUnknown(place(at)))?.node;
                done.insert(name, false);
                let used = Some((name, fragment));
                open.push(Open::new(used, &fragment.selection_set.node));
            }
        }
    }
    Ok(order)
}

/// A fragment, or the operation, that is being looked into.
struct Open<'a> {
    fragment: Option<Used<'a>>,
    /// The fragments used in it that are yet to be looked at.
    spreads: Vec<(&'a str, Pos)>,
}

impl<'a> Open<'a> {
    fn new(fragment: Option<Used<'a>>, selections: &'a SelectionSet) -> Self {
        let mut spreads = Vec::new();
        gather(selections, &mut spreads);
        Self { fragment, spreads }
    }
}

/// Recurses as deep as selections nest, which was bounded before they were parsed.
fn gather<'a>(selections: &'a SelectionSet, spreads: &mut Vec<(&'a str, Pos)>) {
    for selection in &selections.items {
        match &selection.node {
            Selection::Field(field) => gather(&field.node.selection_set.node, spreads),
            Selection::InlineFragment(inline) => {
                gather(&inline.node.selection_set.node, spreads);
            }
            Selection::FragmentSpread(spread) => spreads.push((name(&spread.node), spread.pos)),
        }
    }
}

/// The fragment that is spread.
pub(super) fn name(spread: &FragmentSpread) -> &str {
    spread.fragment_name.node.as_str()
}

/// A place of the parser's.
pub(super) const fn place(at: Pos) -> Place {
    Place {
        line: at.line,
        column: at.column,
    }
}
