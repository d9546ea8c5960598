//! What the parser says, in words of ours: its own repeat the line that it failed at.
//!
//! It refuses some that the specification allows: escapes beyond four digits and surrogate pairs in
//! strings, names of enums that begin with `null`, `true` or `false`, a comment after `on`, space within the
//! type of a variable, directives after its default, and descriptions of operations. It reads none as
//! less than it is.

use std::borrow::Cow;

use async_graphql_parser::types::ExecutableDocument;
use async_graphql_parser::{Error, parse_query};

use super::order;
use crate::graphql::fault::Fault;

/// Parses a document, whose nesting must be bounded.
pub(super) fn read(text: &str) -> Result<ExecutableDocument, Fault> {
    parse_query(text).map_err(|error| syntax(&error))
}

/// An error of the parser's.
pub(in crate::graphql) fn syntax(error: &Error) -> Fault {
    Fault::Syntax {
        problem: problem(error),
        at: error.positions().next().map(order::place),
    }
}

fn problem(error: &Error) -> Cow<'static, str> {
    let problem = match error {
        Error::Syntax { message, .. } => {
            // The last line tells what the grammar would have, by its rules' names.
            let expected = message.rsplit_once("= expected ").map(|(_, last)| last);
            return match expected.filter(|last| !last.contains('\n')) {
                Some(rules) => format!("expected {}", rules.replace('_', " ")).into(),
                None => "this is not GraphQL".into(),
            };
        }
        Error::MultipleOperations { .. } => {
            "an operation without a name must be the only one of its document"
        }
        Error::OperationDuplicated { .. } => "two operations have the same name",
        Error::FragmentDuplicated { .. } => "two fragments have the same name",
        Error::MissingOperation => "the document has no operation",
        Error::RecursionLimitExceeded => "selections are nested too deep",
        _ => "this is not GraphQL",
    };
    problem.into()
}
