//! What is asked of a route in GraphQL.

use super::Families;
use prometheus::{Histogram, IntCounter};
use std::collections::HashMap;

/// Where a document came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The route's trusted documents.
    Trusted,
    /// An earlier request.
    Kept,
    /// This request.
    Parsed,
    /// Nowhere: it was named, and nothing is known by that name.
    Unknown,
}

impl Source {
    const ALL: [Self; 4] = [Self::Trusted, Self::Kept, Self::Parsed, Self::Unknown];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Kept => "kept",
            Self::Parsed => "parsed",
            Self::Unknown => "unknown",
        }
    }
}

/// The sorts of operations, in the words of records.
const TYPES: [&str; 3] = ["query", "mutation", "subscription"];

/// The series of one route.
#[derive(Debug)]
pub struct Graphql {
    documents: [IntCounter; Source::ALL.len()],
    sorts: [Sort; TYPES.len()],
}

#[derive(Debug)]
struct Sort {
    cost: Histogram,
    unnamed: IntCounter,
    named: HashMap<Box<str>, IntCounter>,
}

impl Graphql {
    /// Of operations, those that have one of `names` are counted by it.
    pub(super) fn resolve(families: &Families, route: &str, names: &[(&str, &str)]) -> Self {
        let count = |sort: &str, name: &str| families.graphql_operations.with(&[route, sort, name]);
        Self {
            documents: Source::ALL.map(|of| families.graphql_documents.with(&[route, of.as_str()])),
            sorts: TYPES.map(|sort| Sort {
                cost: families.graphql_cost.with(&[route, sort]),
                unnamed: count(sort, ""),
                named: names
                    .iter()
                    .filter(|(of, _)| *of == sort)
                    .map(|(_, name)| (Box::from(*name), count(sort, name)))
                    .collect(),
            }),
        }
    }

    /// A request had a document, or none could be found for it.
    pub fn document(&self, source: Source) {
        self.documents[source as usize].inc();
    }

    /// An operation of a sort was let through.
    pub fn operation(&self, sort: &str, name: Option<&str>, cost: u64) {
        let Some(index) = TYPES.iter().position(|known| *known == sort) else {
            return;
        };
        let sort = &self.sorts[index];
        let named = name.and_then(|name| sort.named.get(name));
        named.unwrap_or(&sort.unnamed).inc();
        sort.cost.observe(cost as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn only_names_known_before_are_labels() {
        let metrics = Metrics::new();
        let graphql = metrics.graphql("api", &[("query", "Orders")]);
        graphql.document(Source::Kept);
        graphql.operation("query", Some("Orders"), 3);
        graphql.operation("query", Some("Mine"), 30_000);
        graphql.operation("mutation", Some("Orders"), 1);
        let text = metrics.encode();
        let operations = "weir_graphql_operations_total{graphql_operation_name=";
        for line in [
            "weir_graphql_documents_total{result=\"kept\",weir_route=\"api\"} 1\n".to_owned(),
            "weir_graphql_documents_total{result=\"unknown\",weir_route=\"api\"} 0\n".to_owned(),
            format!("{operations}\"Orders\",graphql_operation_type=\"query\",weir_route=\"api\"}} 1\n"),
            format!("{operations}\"\",graphql_operation_type=\"query\",weir_route=\"api\"}} 1\n"),
            format!("{operations}\"\",graphql_operation_type=\"mutation\",weir_route=\"api\"}} 1\n"),
            "weir_graphql_operation_cost_sum{graphql_operation_type=\"query\",weir_route=\"api\"} 30003\n"
                .to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("Mine"), "{text}");
    }
}
