//! Which placeholder stands for what in one call. Forgotten with it.

use std::collections::HashMap;

/// The placeholders of one call.
#[derive(Default)]
pub(super) struct Mapping {
    /// Each placeholder, with what it stands for.
    pairs: Vec<(String, String)>,
    /// Where a text stands in `pairs`, by its label and itself.
    known: HashMap<(String, String), usize>,
    /// The number given last, by label.
    last: HashMap<String, u64>,
}

/// More digits than a placeholder of ours ever has.
const DIGITS: usize = 18;

impl Mapping {
    /// A mapping whose placeholders stand in none of these texts, so that none is taken for one.
    pub(super) fn beside<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut mapping = Self::default();
        for text in texts {
            for (at, _) in text.match_indices('[') {
                mapping.avoid(&text[at + 1..]);
            }
        }
        mapping
    }

    /// Gives no number that stands here in brackets already: `rest` follows the first of them.
    fn avoid(&mut self, rest: &str) {
        let longest = rest.len().min(64 + DIGITS);
        let Some(end) = rest.as_bytes()[..longest].iter().position(|b| *b == b']') else {
            return;
        };
        let Some((label, number)) = rest[..end].rsplit_once('_') else {
            return;
        };
        let is_number = (1..=DIGITS).contains(&number.len());
        if let Some(number) = number.parse::<u64>().ok().filter(|_| is_number) {
            let last = self.last.entry(label.to_owned()).or_default();
            *last = number.max(*last);
        }
    }

    /// What stands for `text`: the same for the same.
    pub(super) fn placeholder(&mut self, label: &str, text: &str) -> &str {
        let key = (label.to_owned(), text.to_owned());
        let index = *self.known.entry(key).or_insert_with(|| {
            let last = self.last.entry(label.to_owned()).or_default();
            *last += 1;
            let placeholder = format!("[{label}_{last}]");
            self.pairs.push((placeholder, text.to_owned()));
            self.pairs.len() - 1
        });
        &self.pairs[index].0
    }

    /// Whether nothing was masked.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// What each placeholder stands for.
    pub(super) fn into_pairs(self) -> HashMap<String, String> {
        self.pairs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_has_one_placeholder_and_none_that_was_there() {
        let said = [
            "a [EMAIL_7] [EMAIL_x] [_3] [é_1]",
            "[PHONE_99999999999999999999]",
        ];
        let mut mapping = Mapping::beside(said.into_iter());
        assert_eq!(mapping.placeholder("EMAIL", "a@example.com"), "[EMAIL_8]");
        assert_eq!(mapping.placeholder("EMAIL", "b@example.com"), "[EMAIL_9]");
        assert_eq!(mapping.placeholder("EMAIL", "a@example.com"), "[EMAIL_8]");
        assert_eq!(mapping.placeholder("PHONE", "+1"), "[PHONE_1]");
        assert_eq!(mapping.into_pairs().len(), 3);
    }
}
