//! A document, parsed once: which operation of it runs, and what that asks for.
//!
//! | Module | Knows |
//! |---|---|
//! | `read` | what the parser says, in words of ours |
//! | `order` | which fragments an operation uses, innermost first |
//! | `measure` | how much an operation is, its fragments expanded |
//! | [`cost`] | what a field costs, and how long its list may be |
//! | `reach` | which fields that something is said of it asks for |
//!
//! Nothing is merged: a field selected twice counts twice, and so does a fragment, although an upstream
//! would run either once. What is skipped by `@skip` or `@include` counts too. A measure is thus a
//! bound, never less than what runs.

pub mod cost;
mod measure;
mod order;
mod reach;
mod read;

#[cfg(test)]
mod tests;

use std::fmt;

use async_graphql_parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};

pub(super) use self::read::syntax;

use self::cost::{Costs, Variables};
use super::fault::{Fault, Place};
use super::field::Table;
use super::schema::Schema;
use super::{Json, lex};

/// The deepest nesting of brackets that is parsed: parsers recurse, and nobody writes such by hand.
pub const MAX_NESTING: u64 = 64;

/// A document.
pub struct Document {
    parsed: ExecutableDocument,
    tokens: u64,
}

/// What sort of operation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// It reads.
    Query,
    /// It writes.
    Mutation,
    /// It stays open, and tells what happens.
    Subscription,
}

impl Type {
    /// As the keyword.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// An operation of a [`Document`].
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    document: &'a Document,
    name: Option<&'a str>,
    definition: &'a OperationDefinition,
}

/// How much an operation is, its fragments expanded. Beyond `u64`, a figure is `u64::MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Fields within fields, but for those within `__schema` and `__type`; fragments add nothing.
    pub depth: u64,
    /// Fields with a name of the caller's choice.
    pub aliases: u64,
    /// Directives, those of the operation, its variables and its fragments included.
    pub directives: u64,
    /// Fields of the operation itself.
    pub root_fields: u64,
    /// What its fields cost together, see [`Costs`].
    pub cost: u64,
    /// Fields within fields from `__schema` or `__type` on; 0 if it does not ask for the schema.
    pub introspection: u64,
}

/// Without what it says: its values are the caller's.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("name", &self.name)
            .field("ty", &self.ty())
            .finish_non_exhaustive()
    }
}

impl Document {
    /// Parses `text`, unless it has more than `max_tokens` tokens or is nested deeper than
    /// [`MAX_NESTING`].
    ///
    /// # Errors
    /// If it is beyond one of these, or is not GraphQL.
    pub fn parse(text: &str, max_tokens: u64) -> Result<Self, Fault> {
        let limits = lex::Limits {
            tokens: max_tokens,
            nesting: MAX_NESTING,
        };
        Self::counted(text, &lex::count(text, limits)?)
    }

    /// Parses `text`, of which the tokens were counted.
    ///
    /// # Errors
    /// If it is not GraphQL.
    pub fn counted(text: &str, count: &lex::Count) -> Result<Self, Fault> {
        let parsed = read::read(text)?;
        let tokens = count.tokens;
        Ok(Self { parsed, tokens })
    }

    /// How many tokens it has.
    pub const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The names of its operations that have one.
    pub fn operation_names(&self) -> impl Iterator<Item = &str> {
        let names = match &self.parsed.operations {
            DocumentOperations::Single(_) => None,
            DocumentOperations::Multiple(all) => Some(all.keys()),
        };
        names.into_iter().flatten().map(|name| name.as_str())
    }

    /// The operation that runs, given the `operationName` of the request. The empty name is none.
    ///
    /// # Errors
    /// If it is not there, or there are several and none is named.
    pub fn operation(&self, name: Option<&str>) -> Result<Operation<'_>, Fault> {
        let name = name.filter(|name| !name.is_empty());
        let (name, definition) = match (&self.parsed.operations, name) {
            (DocumentOperations::Single(only), None) => (None, only),
            (DocumentOperations::Single(_), Some(_)) => return Err(Fault::OperationUnknown),
            (DocumentOperations::Multiple(all), Some(name)) => {
                let (name, found) = all.get_key_value(name).ok_or(Fault::OperationUnknown)?;
                (Some(name.as_str()), found)
            }
            (DocumentOperations::Multiple(all), None) => {
                let mut all = all.iter();
                match (all.next(), all.next()) {
                    (Some((name, only)), None) => (Some(name.as_str()), only),
                    _ => return Err(Fault::OperationAmbiguous),
                }
            }
        };
        Ok(Operation {
            document: self,
            name,
            definition: &definition.node,
        })
    }
}

impl<'a> Operation<'a> {
    /// Its name, if it has one. It is the caller's to choose.
    pub const fn name(&self) -> Option<&'a str> {
        self.name
    }

    /// What sort it is. Only a query may come by GET.
    pub const fn ty(&self) -> Type {
        match self.definition.ty {
            OperationType::Query => Type::Query,
            OperationType::Mutation => Type::Mutation,
            OperationType::Subscription => Type::Subscription,
        }
    }

    /// How much it is, with these `variables`. The work is that of reading the document once, however
    /// often it uses its fragments.
    ///
    /// # Errors
    /// If it uses a fragment that the document does not define, or one within itself.
    pub fn measure(&self, costs: &Costs, variables: Option<&Json<'_>>) -> Result<Measure, Fault> {
        let variables = Variables::of(self.definition, variables);
        let fragments = order::innermost_first(self.definition, &self.document.parsed.fragments)?;
        let root = costs
            .schema
            .as_ref()
            .and_then(|schema| schema.root(self.ty()));
        Ok(measure::measure(
            self.definition,
            root,
            &fragments,
            (costs, &variables),
        ))
    }

    /// What `table` says of the fields that it asks for, each with its place. A field is known by its
    /// name, whatever its alias, and without a `schema` by nothing else.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn reaches<T>(
        &self,
        table: &'a Table<T>,
        schema: Option<&'a Schema>,
    ) -> Result<Vec<(&'a T, Place)>, Fault> {
        let fragments = order::innermost_first(self.definition, &self.document.parsed.fragments)?;
        let root = schema.and_then(|schema| schema.root(self.ty()));
        Ok(reach::reached(
            self.definition,
            root,
            &fragments,
            (table, schema),
        ))
    }
}
