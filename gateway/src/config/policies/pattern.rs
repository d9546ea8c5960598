//! Regular expressions with a name, checked and compiled.
//!
//! They take time linear in the text (crate `regex`), and little memory.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::config::check::{At, Checker};
use crate::config::raw::guardrails as raw;

/// The most memory of a compiled pattern, in bytes.
const MOST_MEMORY: usize = 1 << 20;
/// The longest text a pattern may find where texts come in pieces, in bytes.
const LONGEST: usize = 1024;

/// A regular expression with a name.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// What callers and metrics are told.
    pub name: Arc<str>,
    /// It never matches nothing.
    pub regex: Regex,
    /// The longest text it matches, in bytes, if there is one.
    pub longest: Option<usize>,
}

/// Checks patterns, no two of a name. What is looked for in answers is `bounded`, so that no more
/// than it need be held back.
pub(super) fn check_all(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &[raw::Pattern],
    bounded: bool,
) -> Option<Vec<Pattern>> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let at = at.index(index);
        if patterns.iter().any(|other| *other.name == *raw.name.0) {
            cx.fault(
                &at.key("name"),
                "this name is given twice",
                "give it another",
            );
        }
        patterns.extend(check(cx, &at, &raw.name.0, &raw.pattern, bounded));
    }
    (patterns.len() == raw.len()).then_some(patterns)
}

/// Checks one.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    name: &str,
    pattern: &str,
    bounded: bool,
) -> Option<Pattern> {
    let at = at.key("pattern");
    let built = RegexBuilder::new(pattern).size_limit(MOST_MEMORY).build();
    let (Ok(regex), Ok(syntax)) = (&built, regex_syntax::parse(pattern)) else {
        let why = built
            .err()
            .map_or_else(String::new, |error| error.to_string());
        // The first lines of a report draw the pattern.
        let why = why
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        let message = format!("this is no regular expression: {why}");
        cx.fault(
            &at,
            message,
            "write it as the crate `regex` reads it: https://docs.rs/regex",
        );
        return None;
    };
    let lengths = syntax.properties();
    if lengths.minimum_len().unwrap_or_default() == 0 {
        cx.fault(
            &at,
            "it matches a text of nothing",
            "leave nothing of it optional",
        );
        return None;
    }
    let longest = lengths.maximum_len();
    if bounded && longest.is_none_or(|longest| longest > LONGEST) {
        let message =
            format!("answers come in pieces, and this may match more than {LONGEST} bytes of them");
        cx.fault(
            &at,
            message,
            "write {1,64} instead of +, and {0,64} instead of *",
        );
        return None;
    }
    Some(Pattern {
        name: name.into(),
        regex: regex.clone(),
        longest,
    })
}
