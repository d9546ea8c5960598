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
pub(super) struct Cut {
    expression: Regex,
    /// Whether a word ends before a capital that follows small letters.
    cased: bool,
}

impl Cut {
    /// Those of `o200k_base`.
    pub(super) fn o200k() -> Option<Self> {
        let expression = Regex::new(O200K).ok()?;
        Some(Self {
            expression,
            cased: true,
        })
    }

    /// Those of `cl100k_base`.
    pub(super) fn cl100k() -> Option<Self> {
        let expression = Regex::new(CL100K).ok()?;
        Some(Self {
            expression,
            cased: false,
        })
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
        self.plain(text.as_bytes()).or_else(|| self.matched(text))
    }

    /// As [`matched`](Self::matched), for what most texts are made of: words of ASCII letters, with a
    /// space before them or none, and numbers. `None` for anything else, and where what follows may
    /// be part of it.
    fn plain(&self, text: &[u8]) -> Option<usize> {
        let run = |from: usize, of: fn(&u8) -> bool| {
            from + text[from..].iter().take_while(|byte| of(byte)).count()
        };
        if text.first()?.is_ascii_digit() {
            let digits = text.iter().take(3);
            let end = digits.take_while(|byte| byte.is_ascii_digit()).count();
            let goes_on = end < 3 && text.get(end).is_some_and(|byte| !byte.is_ascii());
            return (!goes_on).then_some(end);
        }
        let start = usize::from(text.starts_with(b" "));
        let end = match self.cased {
            true => run(run(start, u8::is_ascii_uppercase), u8::is_ascii_lowercase),
            false => run(start, u8::is_ascii_alphabetic),
        };
        let goes_on = text
            .get(end)
            .is_some_and(|byte| !byte.is_ascii() || *byte == b'\'');
        (end > start && !goes_on).then_some(end)
    }

    fn matched(&self, text: &str) -> Option<usize> {
        let first = text.chars().next()?;
        // Not matching at all is impossible, and would be a piece of one character.
        let end = self
            .expression
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_plain_is_cut_as_the_expression_cuts_it(
            text in "([A-Za-z]{0,4}| |[0-9]{0,5}|'(s|T|ll)?|[\\r\\n\\t.!/\u{e9}\u{301}\u{663}\u{6f22}\u{1c5}\u{2b0}]){0,12}",
        ) {
            for cut in [Cut::o200k(), Cut::cl100k()] {
                let cut = cut.expect("it is built in");
                for (at, _) in text.char_indices() {
                    let rest = &text[at..];
                    if let Some(end) = cut.plain(rest.as_bytes()) {
                        prop_assert_eq!(Some(end), cut.matched(rest), "{:?}", rest);
                    }
                }
            }
        }
    }

    #[test]
    fn words_and_numbers_are_plain() {
        let cut = Cut::o200k().expect("it is built in");
        for (text, end) in [
            ("Weir holds", 4),
            (" water", 6),
            ("12345", 3),
            ("WEIRs back", 5),
            ("tOp", 1),
        ] {
            assert_eq!(cut.plain(text.as_bytes()), Some(end), "{text}");
        }
        for text in ["", " ", "it's", "caf\u{e9}", "12\u{663}", "- a", "  a"] {
            assert_eq!(cut.plain(text.as_bytes()), None, "{text}");
        }
    }
}
