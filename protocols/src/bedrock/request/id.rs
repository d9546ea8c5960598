//! Names that the API holds to an alphabet: of calls, and of documents.

use std::borrow::Cow;
use std::collections::HashSet;

use sha2::{Digest, Sha256};

/// What ids of calls and names of tools may be long.
const LONGEST: usize = 64;
/// What names of documents may be long.
const LONGEST_NAME: usize = 200;

/// Whether `name` is of the API's alphabet for ids and tools: `[a-zA-Z0-9_-]{1,64}`.
pub(super) fn fits(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The id of a call as the API takes it. The same for a call and its results, and another for
/// every other id: what does not fit is cut, its odd bytes made `_`, and told apart by a hash.
pub(super) fn fit(id: &str) -> Cow<'_, str> {
    const KEPT: usize = LONGEST - 17;
    if fits(id) {
        return Cow::Borrowed(id);
    }
    let kept = id.bytes().take(KEPT);
    let mut fitted: String = kept
        .map(|byte| {
            if is_plain(byte) {
                char::from(byte)
            } else {
                '_'
            }
        })
        .collect();
    fitted.push('_');
    for byte in Sha256::digest(id.as_bytes()).iter().take(8) {
        fitted.push_str(&format!("{byte:02x}"));
    }
    Cow::Owned(fitted)
}

/// The names of a request's documents, no two alike, whatever their case.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    count: usize,
}

impl Names {
    /// A name for the next document: its own, made to fit, or else a neutral one, since models may
    /// take a name for an instruction.
    pub(super) fn next(&mut self, own: Option<&str>) -> String {
        self.count += 1;
        let own = own.map(neutral).filter(|name| !name.is_empty());
        let name = own.unwrap_or_else(|| format!("document-{}", self.count));
        if self.take(&name) {
            return name;
        }
        // Each round passes a name that is taken, of which there are fewer than documents.
        loop {
            let numbered = format!("{name}-{}", self.count);
            if self.take(&numbered) {
                return numbered;
            }
            self.count += 1;
        }
    }

    fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_ascii_lowercase())
    }
}

/// `name` in letters, digits, hyphens, parentheses, brackets and single spaces; whatever else
/// stands in a row becomes one hyphen. Short enough for a number behind it.
fn neutral(name: &str) -> String {
    let mut out = String::new();
    for char in name.chars() {
        if out.len() + 20 >= LONGEST_NAME {
            break;
        }
        let last = out.chars().next_back();
        match char {
            _ if char.is_ascii_alphanumeric() || "()[]".contains(char) => out.push(char),
            _ if char.is_whitespace() && last.is_none_or(|last| last == ' ') => {}
            _ if char.is_whitespace() => out.push(' '),
            _ if last.is_none_or(|last| last == '-') => {}
            _ => out.push('-'),
        }
    }
    out.trim_end_matches([' ', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_and_stay_apart() {
        let long = "x".repeat(65);
        assert_eq!(fit("tooluse_Ab-9"), "tooluse_Ab-9");
        for odd in ["", "a.b", "call:1", "fc/\u{e4}", &long] {
            let fitted = fit(odd);
            assert!(fits(&fitted), "{odd}: {fitted}");
            assert_eq!(fitted, fit(odd));
        }
        assert_ne!(fit("a.b"), fit("a:b"));
        assert_ne!(fit(&long), fit(&"x".repeat(66)));
    }

    #[test]
    fn documents_have_names_of_their_own() {
        let mut names = Names::default();
        assert_eq!(
            names.next(Some("Q3  report (final).pdf")),
            "Q3 report (final)-pdf"
        );
        assert_eq!(names.next(None), "document-2");
        assert_eq!(names.next(Some("../\u{1F600}")), "document-3");
        assert_eq!(names.next(Some("DOCUMENT-2")), "DOCUMENT-2-4");
        assert_eq!(names.next(Some("Document-2")), "Document-2-5");
        let long = names.next(Some(&"n".repeat(500)));
        assert!((1..=LONGEST_NAME).contains(&long.len()));
        assert_ne!(names.next(Some(&"n".repeat(500))), long);
    }
}
