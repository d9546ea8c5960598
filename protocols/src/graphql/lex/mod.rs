//! Counts the tokens of a document and how deep its brackets nest, stops as soon as there are too many,
//! and finds fragments that are used within themselves. One look at every byte, no recursion: a parser
//! is only given what this let through. Knows what a token is, and little of what may follow one.

mod circle;
mod token;

#[cfg(test)]
mod tests;

use super::fault::{Fault, Place};
use super::limits::{Exceeded, Limit};

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens.
    pub tokens: u64,
    /// Brackets within brackets, of any kind.
    pub nesting: u64,
}

/// What a document consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tokens.
    pub tokens: u64,
    /// The deepest nesting of brackets.
    pub nesting: u64,
    /// Fields with a name of the caller's choice, as they are written: those of a fragment once.
    pub aliases: u64,
    /// Directives, as they are written.
    pub directives: u64,
    /// Operations, as far as what is no fragment is one.
    pub operations: u64,
}

/// Counts what stands in `text`.
///
/// # Errors
/// At the first token that is one too many, nested too deep, or none of GraphQL's; or if a fragment is
/// used within itself.
pub fn count(text: &str, limits: Limits) -> Result<Count, Fault> {
    let bytes = text.as_bytes();
    let mut count = Count::default();
    let mut fragments = circle::Fragments::default();
    let mut open = 0_u64;
    // Of those open, what is within parentheses: no field is.
    let mut arguments = 0_u64;
    let mut at = 0;
    loop {
        at = token::skip_ignored(bytes, at);
        let Some(first) = bytes.get(at) else {
            break;
        };
        count.tokens += 1;
        within(Limit::Tokens, count.tokens, limits.tokens)?;
        match first {
            b'@' => count.directives += 1,
            b':' if open > 0 && arguments == 0 => count.aliases += 1,
            _ => {}
        }
        match first {
            b'{' | b'[' | b'(' => {
                count.operations += u64::from(open == 0 && *first == b'{');
                arguments += u64::from(*first == b'(' || arguments > 0);
                open += 1;
                within(Limit::Nesting, open, limits.nesting)?;
                count.nesting = count.nesting.max(open);
            }
            // That they pair is the parser's to see; more open ones than there are is safe.
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                arguments = arguments.saturating_sub(1);
            }
            _ => {}
        }
        let end = token::end(bytes, at).map_err(|wrong| Fault::Syntax {
            problem: wrong.problem.into(),
            at: Some(Place::of(text, wrong.at)),
        })?;
        fragments.token(&text[at..end], at, open > 0);
        at = end;
    }
    match fragments.circle() {
        Some(at) => Err(Fault::FragmentCycle(Place::of(text, at))),
        None => {
            count.operations = count.operations.saturating_sub(fragments.count());
            Ok(count)
        }
    }
}

fn within(limit: Limit, found: u64, max: u64) -> Result<(), Exceeded> {
    match found > max {
        true => Err(Exceeded { limit, found, max }),
        false => Ok(()),
    }
}
