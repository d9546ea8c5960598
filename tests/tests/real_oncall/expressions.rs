//! Every expression of the dashboards and rules, asked of a real Prometheus again and again until each has
//! had an answer: what is drawn is drawn of something, and what alerts rest on is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_tests::prometheus::Prometheus;

/// It takes a bug of the gateway's own, and none is known.
const NOT_TO_BE_SEEN: [&str; 1] = ["WeirInternalError"];

/// Expressions without an answer so far, by where they stand.
pub(crate) struct Unanswered {
    left: BTreeMap<String, String>,
    all: usize,
}

fn dashboards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards")
}

impl Unanswered {
    /// Those of all panels, and of the rules in these files.
    pub(crate) fn all(rules: &[&Path]) -> Self {
        let mut left = BTreeMap::new();
        for entry in std::fs::read_dir(dashboards()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "json") {
                let board: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                panels(&name, &board["panels"], &mut left);
            }
        }
        for path in rules {
            let text = std::fs::read_to_string(path).unwrap();
            let read: Value = serde_saphyr::from_str(&text).unwrap();
            let groups = read["groups"].as_array().into_iter().flatten();
            for rule in groups.flat_map(|group| group["rules"].as_array().unwrap()) {
                let expression = rule["expr"].as_str().unwrap();
                match rule["alert"].as_str() {
                    Some(alert) if NOT_TO_BE_SEEN.contains(&alert) => None,
                    Some(alert) => left.insert(format!("alert {alert}"), unbounded(expression)),
                    None => left.insert(
                        format!("record {}: {expression}", rule["record"]),
                        expression.to_owned(),
                    ),
                };
            }
        }
        let all = left.len();
        Self { left, all }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all
    }

    /// Asks those that are left once.
    pub(crate) async fn ask(&mut self, prometheus: &Prometheus) -> usize {
        let mut answered = Vec::new();
        for (place, expression) in &self.left {
            if prometheus.has_a_number(expression).await {
                answered.push(place.clone());
            }
        }
        for place in answered {
            self.left.remove(&place);
        }
        self.left.len()
    }

    /// How many have had no answer.
    pub(crate) fn left(&self) -> usize {
        self.left.len()
    }

    /// Those that are left, a line each.
    pub(crate) fn told(&self) -> String {
        let lines = self.left.iter();
        lines
            .map(|(place, expression)| format!("{place}\n    {expression}\n"))
            .collect()
    }
}

/// Panels, and those within rows.
fn panels(board: &str, list: &Value, found: &mut BTreeMap<String, String>) {
    for panel in list.as_array().into_iter().flatten() {
        panels(board, &panel["panels"], found);
        for target in panel["targets"].as_array().into_iter().flatten() {
            // Loki's are not Prometheus' to answer.
            let is_loki = panel["datasource"]["uid"].as_str() == Some("${loki}")
                || target["datasource"]["type"] == "loki";
            let Some(expression) = target["expr"].as_str().filter(|_| !is_loki) else {
                continue;
            };
            let place = format!("{board}, {}: {}", panel["title"], expression);
            found.insert(place, filled_in(expression));
        }
    }
}

/// With what a reader would have chosen: everything.
fn filled_in(expression: &str) -> String {
    let mut expression = expression
        .replace("$__rate_interval", "15s")
        // Steps of an hour, of a Prometheus that has been there for a minute.
        .replace(":1h]", ":1s]");
    for variable in [
        "instance", "route", "team", "upstream", "model", "provider", "quota", "cluster",
    ] {
        expression = expression.replace(&format!("${variable}"), ".*");
    }
    assert!(!expression.contains('$'), "{expression}");
    expression
}

/// An alert's expression without its bounds: it has an answer where what it looks at is there.
fn unbounded(expression: &str) -> String {
    let mut words = expression.split_whitespace().peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if [">", "<", ">=", "<=", "==", "!="].contains(&word) {
            words.next();
            // As in `> 14.4 * 0.001`.
            while words.peek().is_some_and(|next| ["*", "/"].contains(next)) {
                words.next();
                words.next();
            }
            continue;
        }
        kept.push(word);
    }
    kept.join(" ").replace("absent(", "(")
}
