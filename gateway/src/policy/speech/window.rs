//! A text that comes in pieces, searched as if it had come at once.
//!
//! What is held back is no longer than the longest thing looked for: whatever begins before that is
//! decided. Where no finding can hold white space as it stands there, everything up to the last word
//! is.

use super::find::{Cursor, Rule};

/// More than a rule looks at on either side of what it finds, in bytes: a character.
const AROUND: usize = 4;

/// How long a finding can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// In bytes.
    pub(crate) longest: usize,
    /// Whether findings hold no white space but single spaces between groups of digits and capitals,
    /// and no line ends.
    pub(crate) words: bool,
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Nothing was found in it.
    Plain(&'t str),
    /// This rule found it.
    Found(usize, &'t str),
}

/// What is not yet decided of a text.
#[derive(Default)]
pub(crate) struct Window {
    held: String,
    /// Where that begins: what stands before it was decided, and is only looked at.
    from: usize,
}

impl Window {
    /// Takes in a piece, and tells what is decided by it; everything, if it is the `last`.
    pub(crate) fn push<E>(
        &mut self,
        (rules, reach): (&[Rule], Reach),
        text: &str,
        last: bool,
        each: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.held.push_str(text);
        let decided = match last {
            true => self.held.len(),
            false => decided(&self.held, reach),
        };
        let (mut cursor, mut from) = (Cursor::default(), self.from);
        while from < decided {
            let found = cursor.next(rules, &self.held, from);
            let found = found.filter(|found| found.at.start < decided);
            let until = found.as_ref().map_or(decided, |found| found.at.start);
            if until > from {
                each(Piece::Plain(&self.held[from..until]))?;
            }
            from = until;
            if let Some(found) = found {
                each(Piece::Found(found.rule, &self.held[found.at.clone()]))?;
                from = found.at.end;
            }
        }
        // The character before what is left is looked at once more.
        let before = self.held[..from].chars().next_back();
        let kept = from - before.map_or(0, char::len_utf8);
        self.held.drain(..kept);
        self.from = from - kept;
        Ok(())
    }
}

/// Before which place it is decided what begins there, whatever follows.
fn decided(held: &str, reach: Reach) -> usize {
    let mut least = held.len().saturating_sub(reach.longest + AROUND);
    while !held.is_char_boundary(least) {
        least -= 1;
    }
    if !reach.words {
        return least;
    }
    let bytes = held.as_bytes();
    let parts_words = |at: &usize| match (bytes[*at], bytes.get(at + 1)) {
        (b'\n' | b'\r' | b'\t', Some(_)) => true,
        (b' ', Some(next)) => {
            let before = at.checked_sub(1).map(|at| bytes[at]);
            !(before.is_none_or(may_group) && may_group(*next))
        }
        _ => false,
    };
    let last = (least..bytes.len()).rev().find(parts_words);
    last.map_or(least, |at| at + 1)
}

/// Whether a space beside this may stand within a number.
fn may_group(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase() || b" ()./+-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::policy::speech::find::anything;

    fn rule(pattern: &str) -> Rule {
        Rule {
            regex: Regex::new(pattern).expect("a pattern"),
            accept: anything,
        }
    }

    /// The pieces, plain ones joined.
    fn searched(rules: (&[Rule], Reach), pieces: &[&str]) -> Vec<(Option<usize>, String)> {
        let mut seen: Vec<(Option<usize>, String)> = Vec::new();
        let mut window = Window::default();
        for (index, piece) in pieces.iter().chain(&[""]).enumerate() {
            let last = index == pieces.len();
            let pushed = window.push::<()>(rules, piece, last, &mut |piece| {
                match (piece, seen.last_mut()) {
                    (Piece::Plain(text), Some((None, before))) => before.push_str(text),
                    (Piece::Plain(text), _) => seen.push((None, text.to_owned())),
                    (Piece::Found(rule, text), _) => seen.push((Some(rule), text.to_owned())),
                }
                Ok(())
            });
            assert_eq!(pushed, Ok(()));
            assert!(last || window.held.len() <= rules.1.longest + 2 * AROUND + 4);
        }
        seen
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same(text in "[ab 1é-]{0,60}", cuts in proptest::collection::vec(0usize..80, 0..6)) {
            let rules = [rule(r"\ba[b1]{1,6}\b"), rule("b 1?b"), rule("(?:1[ -]?){3,5}")];
            let reach = Reach { longest: 10, words: false };
            let whole = searched((&rules, reach), &[&text]);
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| text.is_char_boundary(*at)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(searched((&rules, reach), &pieces), whole);
        }
    }

    #[test]
    fn words_go_on_as_soon_as_the_next_begins() {
        let rules = [rule("[a-z]{1,64}@[a-z]{1,64}")];
        let reach = Reach {
            longest: 129,
            words: true,
        };
        let mut window = Window::default();
        let mut out = String::new();
        let pushed = window.push::<()>((&rules, reach), "the weir holds", false, &mut |piece| {
            if let Piece::Plain(text) = piece {
                out.push_str(text);
            }
            Ok(())
        });
        assert_eq!((pushed, &*out), (Ok(()), "the weir "));
    }
}
