//! Cutting text into the pieces that OpenAI's encodings encode one by one.
//!
//! An encoding is published as a regular expression, each match of which is encoded by itself. The
//! published ones need backtracking, which overflows the stack on a long run of spaces. The ones
//! here need none, match in time linear in the text, and cut at the same places:
//!
//! - A possessive quantifier (`?+`, `++`) gives nothing back. Wherever one stands, what follows it
//!   cannot match what it took, so that giving back never helps and a plain one does the same.
//! - `\s+(?!\S)` takes a run of white space whole at the end of the text, and all but its last
//!   character before anything else; alone, that last character fails it and falls to the
//!   alternative after it, which takes it. So one `\s+` stands for both, and [`Cut::next`] leaves
//!   the last character of a longer run behind unless the text ends with it. Only that alternative
//!   and, at the text's end, `\s+$` end in white space other than a line break.
//! - Nothing looks behind, and every character matches some alternative. So a match begins where
//!   the one before it ended, and the text from there on may be matched as if it were whole.

use regex::Regex;

const O200K: &str = concat!(
    r"^(?:",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"|\s*[\r\n]+",
    r"|\s+",
    r")"
);

const CL100K: &str = concat!(
    r"^(?:",
    r"'(?i:[sdmt]|ll|ve|re)",
    r"|[^\r\n\p{L}\p{N}]?\p{L}+",
    r"|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"|\s+$",
    r"|\s*[\r\n]",
    r"|\s+",
    r")"
);

/// The cuts of one encoding.
pub(super) struct Cut(Regex);

impl Cut {
    /// Those of `o200k_base`.
    pub(super) fn o200k() -> Option<Self> {
        Regex::new(O200K).ok().map(Self)
    }

    /// Those of `cl100k_base`.
    pub(super) fn cl100k() -> Option<Self> {
        Regex::new(CL100K).ok().map(Self)
    }

    /// The pieces of a text, none empty, which together are the text.
    pub(super) fn pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let mut rest = text;
        std::iter::from_fn(move || {
            let (piece, after) = rest.split_at(self.next(rest)?);
            rest = after;
            Some(piece)
        })
    }

    /// Where the first piece of a text ends. `None` if it is empty.
    fn next(&self, text: &str) -> Option<usize> {
        let first = text.chars().next()?;
        // Not matching at all is impossible, and would be a piece of one character.
        let end = self
            .0
            .find(text)
            .map_or(first.len_utf8(), |found| found.end());
        let last = text[..end].chars().next_back()?;
        let is_run = last.is_whitespace() && !matches!(last, '\r' | '\n');
        let leaves_last = is_run && end < text.len() && end > first.len_utf8();
        Some(if leaves_last {
            end - last.len_utf8()
        } else {
            end
        })
    }
}
