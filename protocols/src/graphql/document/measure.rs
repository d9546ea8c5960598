//! How much an operation is. Each fragment is measured once, after those within it, and what it came to
//! is added wherever it is used.

use std::collections::HashMap;

use async_graphql_parser::types::{Field, OperationDefinition, Selection, SelectionSet};

use super::Measure;
use super::cost::{Costs, Variables};
use super::order::{self, Used};
use super::reach::is_introspection;

/// Measures `operation`, which begins at the type `root` and uses `fragments`, innermost first.
pub(super) fn measure<'a>(
    operation: &'a OperationDefinition,
    root: Option<&'a str>,
    fragments: &[Used<'a>],
    (costs, variables): (&'a Costs, &'a Variables<'a>),
) -> Measure {
    let mut scale = Scale {
        costs,
        variables,
        fragments: HashMap::with_capacity(fragments.len()),
    };
    for (name, fragment) in fragments {
        let on = fragment.type_condition.node.on.node.as_str();
        let mut sum = scale.selections(&fragment.selection_set.node, Some(on));
        sum.add_directives(fragment.directives.len());
        scale.fragments.insert(name, sum);
    }
    let mut sum = scale.selections(&operation.selection_set.node, root);
    sum.add_directives(operation.directives.len());
    for variable in &operation.variable_definitions {
        sum.add_directives(variable.node.directives.len());
    }
    sum
}

struct Scale<'a> {
    costs: &'a Costs,
    variables: &'a Variables<'a>,
    fragments: HashMap<&'a str, Measure>,
}

impl<'a> Scale<'a> {
    /// What a selection set of the type `parent` comes to, its own fields as `root_fields`. Recurses as deep as selections
    /// nest, which was bounded before they were parsed.
    fn selections(&self, set: &'a SelectionSet, parent: Option<&'a str>) -> Measure {
        let mut sum = Measure::default();
        for selection in &set.items {
            let mut part = match &selection.node {
                Selection::Field(field) => self.field(&field.node, parent),
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let on = condition.map(|condition| condition.node.on.node.as_str());
                    self.selections(&inline.node.selection_set.node, on.or(parent))
                }
                Selection::FragmentSpread(spread) => {
                    let known = self.fragments.get(order::name(&spread.node));
                    *known.expect("fragments come after those within them")
                }
            };
            part.add_directives(selection.node.directives().len());
            sum.add(&part);
        }
        sum
    }

    fn field(&self, field: &'a Field, parent: Option<&'a str>) -> Measure {
        let name = field.name.node.as_str();
        let schema = self.costs.schema.as_ref().zip(parent);
        let of = schema.and_then(|(schema, parent)| schema.field(parent, name));
        let within = self.selections(&field.selection_set.node, of);
        let each = self
            .costs
            .of_field(parent, name)
            .saturating_add(within.cost);
        let times = self.costs.times(field, self.variables);
        let deeper = within.depth.saturating_add(1);
        let (depth, introspection) = match is_introspection(name) {
            true => (1, deeper.max(within.introspection)),
            false => (deeper, within.introspection),
        };
        Measure {
            depth,
            aliases: within
                .aliases
                .saturating_add(u64::from(field.alias.is_some())),
            directives: within.directives,
            root_fields: 1,
            cost: each.saturating_mul(times),
            introspection,
        }
    }
}

impl Measure {
    /// Adds what stands beside it.
    fn add(&mut self, other: &Self) {
        self.depth = self.depth.max(other.depth);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.root_fields = self.root_fields.saturating_add(other.root_fields);
        self.cost = self.cost.saturating_add(other.cost);
        self.introspection = self.introspection.max(other.introspection);
    }

    fn add_directives(&mut self, more: usize) {
        self.directives = self.directives.saturating_add(more as u64);
    }
}
