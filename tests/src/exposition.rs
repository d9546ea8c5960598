//! The Prometheus text format, read back: enough of it to ask for a sample by name and labels.
//!
//! It knows no metric of the gateway.

use std::collections::BTreeMap;

/// One scrape.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    /// Every sample, in the order written.
    pub samples: Vec<Sample>,
}

/// One line of a scrape.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name, with a histogram's `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// The labels with their values, unescaped.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Exposition {
    /// Reads a scrape.
    ///
    /// # Panics
    /// On a line that is not of the format: what the gateway exposes must be well-formed.
    pub fn parse(text: &str) -> Exposition {
        let samples = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| sample(line).unwrap_or_else(|| panic!("not an exposition line: {line}")))
            .collect();
        Exposition { samples }
    }

    /// The samples of that name which carry all of these labels (and perhaps more).
    pub fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let carries = |sample: &Sample| {
            labels
                .iter()
                .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        };
        self.samples
            .iter()
            .filter(move |sample| sample.name == name && carries(sample))
    }

    /// The sum over [`Exposition::matching`]; `None` if nothing matches.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut matching = self.matching(name, labels).peekable();
        matching.peek()?;
        Some(matching.map(|sample| sample.value).sum())
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (name, mut rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(key.trim().to_owned(), value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    // A timestamp may follow the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// A label's value up to its closing quote, unescaped, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: &str = "# HELP hits Hits.\n# TYPE hits counter\n\
        hits{route=\"a\",code=\"200\"} 3\nhits{route=\"b\",code=\"200\"} 4\n\
        odd{path=\"C:\\\\x\\\"y\\nz,}\"} +Inf\nup 1 1700000000000\n";

    #[test]
    fn sums_what_carries_the_labels() {
        let scrape = Exposition::parse(SCRAPE);
        assert_eq!(scrape.sum("hits", &[]), Some(7.0));
        assert_eq!(scrape.sum("hits", &[("route", "b")]), Some(4.0));
        assert_eq!(scrape.sum("hits", &[("route", "c")]), None);
        assert_eq!(scrape.sum("up", &[]), Some(1.0));
    }

    #[test]
    fn unescapes_label_values() {
        let scrape = Exposition::parse(SCRAPE);
        let odd = scrape.matching("odd", &[]).next().unwrap();
        assert_eq!(odd.labels["path"], "C:\\x\"y\nz,}");
        assert!(odd.value.is_infinite());
    }

    #[test]
    #[should_panic(expected = "not an exposition line")]
    fn refuses_what_is_not_the_format() {
        Exposition::parse("half a line{");
    }
}
