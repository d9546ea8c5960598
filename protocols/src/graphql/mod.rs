//! anything runs it. Knows no schema, so that fields are known by name and not by type.
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`lex`] | the tokens of a document, counted without a parser | |
//! | [`document`] | a document, the operation of it that runs, and the measures of that | |
//! | [`limits`] | | which measure is beyond its limit |

pub mod document;
mod fault;
pub mod lex;
pub mod limits;

pub use crate::llm::Json;
pub use fault::{Fault, Place};
