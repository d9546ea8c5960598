//! Which metrics and labels an expression names, and whether they exist.
//!
//! A scanner, no parser: whether the expression is well formed is for
//! `promtool` to say.

use std::collections::{BTreeMap, BTreeSet};
use weir_telemetry::catalogue::{self, Kind};
use weir_telemetry::{Code, Fault};

/// Labels that Prometheus itself puts on every series.
const SCRAPED: [&str; 2] = ["instance", "job"];

const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

const FUNCTIONS: [&str; 20] = [
    "absent",
    "changes",
    "count",
    "deriv",
    "histogram_quantile",
    "label_replace",
    "sum_over_time",
    "increase",
    "label_values",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "rate",
    "sum",
    "time",
    "topk",
    "vector",
    "avg",
    "floor",
];

/// Names and their labels.
pub type Known = BTreeMap<String, BTreeSet<String>>;

/// A matcher in braces: label, operator, value.
type Matcher = (String, String, String);

/// What an expression names.
#[derive(Default, Debug)]
pub struct Used {
    /// Metrics, each with its matchers.
    pub metrics: Vec<(String, Vec<Matcher>)>,
    /// Labels it groups or joins by.
    pub grouping: Vec<String>,
    /// What is followed by `(` and is no function of ours.
    pub unknown: Vec<String>,
}

/// What may come of a record that is worked on.
const OF_WORKERS: [&str; 5] = ["delivered", "refused", "failed", "held", "dead_letter"];
/// What becomes of writes to tables.
const OF_TABLES: [&str; 5] = ["written", "conflict", "absent", "failed", "unknown"];
/// What becomes of requests that are replied to in a topic.
const OF_REPLIES: [&str; 6] = [
    "answered",
    "accepted",
    "pending",
    "timed_out",
    "gone",
    "failed",
];

/// Every series of the catalogue and the process collector, and `up`.
pub fn catalogue() -> Known {
    let mut known = Known::new();
    let set = |labels: &[&str]| {
        labels
            .iter()
            .map(|l| (*l).to_owned())
            .collect::<BTreeSet<_>>()
    };
    for metric in catalogue::ALL {
        if metric.kind == Kind::Histogram {
            for suffix in ["_bucket", "_sum", "_count"] {
                let mut labels = set(metric.labels);
                if suffix == "_bucket" {
                    labels.insert("le".into());
                }
                known.insert(format!("{}{suffix}", metric.name), labels);
            }
        } else {
            known.insert(metric.name.into(), set(metric.labels));
        }
    }
    for name in catalogue::PROCESS.iter().chain(&["up"]) {
        known.insert((*name).into(), BTreeSet::new());
    }
    known
}

/// What is wrong with an expression's names.
pub fn complaints(expression: &str, known: &Known) -> Vec<String> {
    let used = Used::of(expression);
    let mut wrong: Vec<String> = Vec::new();
    let mut labels: BTreeSet<&str> = SCRAPED.into();
    if used.metrics.is_empty() {
        wrong.push("names no metric".into());
    }
    wrong.extend(
        used.unknown
            .iter()
            .map(|name| format!("no function {name}")),
    );
    for (metric, matchers) in &used.metrics {
        let Some(own) = known.get(metric) else {
            wrong.push(format!("no metric {metric}"));
            continue;
        };
        labels.extend(own.iter().map(String::as_str));
        for (label, operator, value) in matchers {
            if !own.contains(label) && !SCRAPED.contains(&&**label) {
                wrong.push(format!("{metric} has no label {label}"));
            }
            wrong.extend(value_complaint(label, operator, value));
        }
    }
    for label in &used.grouping {
        if !labels.contains(&**label) {
            wrong.push(format!("nothing in it has the label {label}"));
        }
    }
    wrong
        .iter()
        .map(|wrong| format!("{wrong} in {expression}"))
        .collect()
}

/// Codes and faults that are asked for must exist, else a query is empty for ever.
fn value_complaint(label: &str, operator: &str, value: &str) -> Option<String> {
    let plain = value
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'|');
    if !plain || value.is_empty() || (value.contains('|') && !operator.contains('~')) {
        return None;
    }
    let exists = |word: &str| match label {
        "error_type" => word.parse::<Code>().is_ok(),
        "outcome" => {
            let said = [&OF_WORKERS[..], &OF_REPLIES, &OF_TABLES];
            word.parse::<Code>().is_ok() || said.concat().contains(&word)
        }
        "fault" => {
            let all = [
                Fault::Client,
                Fault::Policy,
                Fault::Gateway,
                Fault::Upstream,
            ];
            all.iter().any(|fault| fault.as_str() == word)
        }
        _ => true,
    };
    let wrong = value.split('|').find(|word| !exists(word))?;
    Some(format!("{label} is never {wrong:?}"))
}

impl Used {
    pub fn of(expression: &str) -> Self {
        let mut used = Self::default();
        let mut rest = expression.trim_start();
        while let Some(first) = rest.chars().next() {
            rest = match first {
                'a'..='z' | 'A'..='Z' | '_' | ':' => used.word(rest),
                '[' => after(rest, ']'),
                '"' => after(&rest[1..], '"'),
                '0'..='9' => skip(rest, |c| c.is_ascii_alphanumeric() || c == '.'),
                _ => &rest[first.len_utf8()..],
            };
        }
        used
    }

    fn word<'e>(&mut self, rest: &'e str) -> &'e str {
        let end = skip(rest, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        let word = &rest[..rest.len() - end.len()];
        let next = end.trim_start();
        if GROUPING.contains(&word) {
            // `group_left` may stand without a list, before an operand in parentheses.
            let Some(list) = next.strip_prefix('(') else {
                return next;
            };
            let (inside, after) = list.split_once(')').unwrap_or((list, ""));
            let labels = inside
                .split(',')
                .map(str::trim)
                .filter(|label| !label.is_empty());
            self.grouping.extend(labels.map(str::to_owned));
            return after;
        }
        if OPERATORS.contains(&word) {
            return next;
        }
        if next.starts_with('(') || (FUNCTIONS.contains(&word) && next.starts_with("by")) {
            if !FUNCTIONS.contains(&word) {
                self.unknown.push(word.into());
            }
            return next;
        }
        let (matchers, after) = match next.strip_prefix('{') {
            Some(inside) => matchers(inside),
            None => (Vec::new(), next),
        };
        self.metrics.push((word.into(), matchers));
        after
    }
}

/// Matchers up to the closing brace, and what follows it.
fn matchers(mut rest: &str) -> (Vec<Matcher>, &str) {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n']);
        if let Some(after) = rest.strip_prefix('}') {
            return (found, after);
        }
        let end = skip(rest, |c| c.is_ascii_alphanumeric() || c == '_');
        let label = &rest[..rest.len() - end.len()];
        let Some((operator, value)) = end.split_once('"') else {
            return (found, "");
        };
        let (value, after) = value.split_once('"').unwrap_or((value, ""));
        found.push((label.into(), operator.trim().into(), value.into()));
        rest = after;
    }
}

fn skip(text: &str, part: impl Fn(char) -> bool) -> &str {
    text.trim_start_matches(part)
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, after)| after)
}

#[test]
fn the_scanner_finds_what_is_wrong() {
    let known = catalogue();
    let fine = "topk(5, sum by (weir_route, le) (rate(weir_gateway_duration_seconds_bucket{job=\"weir\"}[5m] offset 1h))) > 0.5";
    assert_eq!(complaints(fine, &known), Vec::<String>::new());
    for (expression, complaint) in [
        ("rate(weir_error_total[5m])", "no metric weir_error_total"),
        (
            "weir_gateway_duration_seconds",
            "no metric weir_gateway_duration_seconds",
        ),
        ("weir_draining{route=\"x\"}", "no label route"),
        (
            "sum by (weir_team) (weir_draining)",
            "nothing in it has the label weir_team",
        ),
        (
            "weir_errors_total{error_type=\"dns\"}",
            "error_type is never \"dns\"",
        ),
        (
            "weir_errors_total{fault=~\"gateway|caller\"}",
            "fault is never \"caller\"",
        ),
        ("ratio(weir_draining)", "no function ratio"),
        ("1 + 2", "names no metric"),
    ] {
        let said = complaints(expression, &known).join("\n");
        assert!(said.contains(complaint), "{expression}: {said}");
    }
}
