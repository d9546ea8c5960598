//! Rules that look for something in a text: the leftmost finding first, and of those that begin
//! together the one whose rule comes first.
//!
//! Whether something begins at a place depends on few bytes around it only, so that a text is
//! searched alike whole and in pieces ([`window`](super::window)).

use std::ops::Range;

use regex::Regex;

/// Looks for one thing.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// What may be it. Never matches nothing.
    pub(crate) regex: Regex,
    /// Where it ends, if it is it: told the text and what matched.
    pub(crate) accept: Accept,
}

/// Says where what matched ends, or that it is not what is looked for. Looks at what matched and
/// one character on either side.
pub(crate) type Accept = fn(&str, Range<usize>) -> Option<usize>;

/// Whatever matches.
pub(crate) fn anything(_: &str, found: Range<usize>) -> Option<usize> {
    Some(found.end)
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The number of the rule.
    pub(crate) rule: usize,
    /// Where it stands.
    pub(crate) at: Range<usize>,
}

/// Where each rule next finds something, so that none looks twice.
#[derive(Default)]
pub(crate) struct Cursor(Vec<Option<Option<Range<usize>>>>);

impl Cursor {
    /// The first finding of `rules` in `text` that begins at `from` or later. `from` never goes
    /// back, and the text stays the same.
    pub(crate) fn next(&mut self, rules: &[Rule], text: &str, from: usize) -> Option<Found> {
        self.0.resize(rules.len(), None);
        let mut first: Option<Found> = None;
        for (index, (rule, known)) in rules.iter().zip(&mut self.0).enumerate() {
            let stale = match known {
                None => true,
                Some(None) => false,
                Some(Some(at)) => at.start < from,
            };
            if stale {
                *known = Some(rule.find(text, from));
            }
            if let Some(Some(at)) = known
                && first.as_ref().is_none_or(|first| at.start < first.at.start)
            {
                first = Some(Found {
                    rule: index,
                    at: at.clone(),
                });
            }
        }
        first
    }
}

impl Rule {
    fn find(&self, text: &str, mut from: usize) -> Option<Range<usize>> {
        loop {
            let found = self.regex.find_at(text, from)?.range();
            if let Some(end) = (self.accept)(text, found.clone()) {
                return Some(found.start..end);
            }
            let skipped = text[found.start..].chars().next()?;
            from = found.start + skipped.len_utf8();
        }
    }
}

/// Everything that `rules` find in `text`.
pub(crate) fn all(rules: &[Rule], text: &str, mut each: impl FnMut(Found)) {
    let (mut cursor, mut from) = (Cursor::default(), 0);
    while let Some(found) = cursor.next(rules, text, from) {
        from = found.at.end;
        each(found);
    }
}
