//! The recording and alert rules: names that exist, pages that exist, and a
//! test for each alert, firing and not.

use crate::promql::{self, Known};
use crate::{files, none, root, text};
use serde_json::Value;

/// One rule.
pub struct Rule {
    /// The alert's or the record's name.
    pub name: String,
    pub alert: bool,
    pub expr: String,
    /// Empty, if it is no alert.
    pub severity: String,
    pub annotations: Value,
}

fn yaml(path: &std::path::Path) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

/// Every rule, in the order of the files.
pub fn all() -> Vec<Rule> {
    let documents: Vec<Value> = files("dashboards/rules", "yaml")
        .iter()
        .map(|f| yaml(f))
        .collect();
    let rules = documents
        .iter()
        .flat_map(|document| list(document, "groups"));
    rules
        .flat_map(|group| list(group, "rules"))
        .map(|rule| Rule {
            name: rule["alert"]
                .as_str()
                .or(rule["record"].as_str())
                .expect("a name")
                .into(),
            alert: rule["alert"].is_string(),
            expr: rule["expr"].as_str().expect("an expression").into(),
            severity: rule["labels"]["severity"]
                .as_str()
                .unwrap_or_default()
                .into(),
            annotations: rule["annotations"].clone(),
        })
        .collect()
}

/// The catalogue and what is recorded from it.
pub fn known() -> Known {
    let mut known = promql::catalogue();
    for rule in all().iter().filter(|rule| !rule.alert) {
        let labels = promql::Used::of(&rule.expr).grouping.into_iter();
        known.insert(
            rule.name.clone(),
            labels.filter(|label| label != "le").collect(),
        );
    }
    known
}

#[test]
fn rules_name_only_what_exists() {
    let known = known();
    let wrong: Vec<String> = all()
        .iter()
        .flat_map(|rule| {
            let complaints = promql::complaints(&rule.expr, &known);
            complaints
                .into_iter()
                .map(|c| format!("{}: {c}", rule.name))
        })
        .collect();
    none(&wrong);
}

#[test]
fn every_alert_says_what_is_wrong_and_which_page_to_open() {
    let uids = crate::dashboards::uids();
    let mut wrong = Vec::new();
    for rule in all().iter().filter(|rule| rule.alert) {
        let said = |key: &str| rule.annotations[key].as_str().unwrap_or_default();
        if !["page", "ticket"].contains(&&*rule.severity) {
            wrong.push(format!("{}: severity {:?}", rule.name, rule.severity));
        }
        if said("summary").len() < 20 {
            wrong.push(format!("{}: no summary", rule.name));
        }
        if !said("runbook").starts_with("runbooks/") || !root(said("runbook")).is_file() {
            wrong.push(format!("{}: no page {:?}", rule.name, said("runbook")));
        }
        let board = said("dashboard").strip_prefix("/d/").unwrap_or_default();
        let board = board.split('?').next().unwrap_or_default();
        if !uids.iter().any(|uid| uid == board) {
            wrong.push(format!(
                "{}: no dashboard {:?}",
                rule.name,
                said("dashboard")
            ));
        }
        let page = text(&root(said("runbook")));
        if !page.contains(&rule.name) && !text(&root("runbooks/README.md")).contains(&rule.name) {
            wrong.push(format!(
                "{}: neither its page nor the index names it",
                rule.name
            ));
        }
    }
    none(&wrong);
}

#[test]
fn every_alert_is_tested_firing_and_not_firing() {
    let documents: Vec<Value> = files("dashboards/rules/tests", "yaml")
        .iter()
        .map(|f| yaml(f))
        .collect();
    let tests: Vec<&Value> = documents
        .iter()
        .flat_map(|document| list(document, "tests"))
        .flat_map(|test| list(test, "alert_rule_test"))
        .collect();
    let mut wrong = Vec::new();
    for rule in all().iter().filter(|rule| rule.alert) {
        let of_it = tests.iter().filter(|test| test["alertname"] == *rule.name);
        let (fires, silent): (Vec<&&Value>, Vec<&&Value>) =
            of_it.partition(|test| list(test, "exp_alerts").next().is_some());
        if fires.is_empty() || silent.is_empty() {
            let counts = (fires.len(), silent.len());
            wrong.push(format!(
                "{}: tests firing and silent: {counts:?}",
                rule.name
            ));
        }
    }
    for test in tests {
        if !all()
            .iter()
            .any(|rule| rule.alert && test["alertname"] == *rule.name)
        {
            wrong.push(format!("a test of no alert: {}", test["alertname"]));
        }
    }
    none(&wrong);
}
