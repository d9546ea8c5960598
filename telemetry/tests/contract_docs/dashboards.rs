//! The dashboards: every panel explains itself, asks only for what exists and
//! leads to pages that exist.

use crate::{files, none, promql, root, rules, text};
use serde_json::Value;

/// The overview.
pub fn overview() -> Value {
    read(&root("dashboards/overview.json"))
}

fn read(path: &std::path::Path) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every text in a document, with the key it stands under.
fn walk<'v>(value: &'v Value, key: &'v str, see: &mut impl FnMut(&'v str, &'v str)) {
    match value {
        Value::String(text) => see(key, text),
        Value::Array(items) => items.iter().for_each(|item| walk(item, key, see)),
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(key, member)| walk(member, key, see));
        }
        _ => {}
    }
}

#[test]
fn dashboards_name_only_metrics_and_pages_that_exist() {
    let known = rules::known();
    let mut wrong = Vec::new();
    let mut expressions = 0;
    for path in files("dashboards", "json") {
        let document = read(&path);
        walk(&document, "", &mut |key, text| {
            if key == "expr" {
                expressions += 1;
                wrong.extend(promql::complaints(text, &known));
            }
            if let Some(asked) = text.strip_prefix("label_values(") {
                let (metric, label) = asked.trim_end_matches(')').split_once(", ").expect("two");
                if known
                    .get(metric)
                    .is_none_or(|labels| !labels.contains(label))
                {
                    wrong.push(format!("{metric} has no label {label}"));
                }
            }
            if let Some(page) = text.strip_prefix("${runbooks}/")
                && !page.contains("${")
                && !root("runbooks").join(page).is_file()
            {
                wrong.push(format!("no page {page}"));
            }
        });
    }
    assert!(
        expressions > 30,
        "only {expressions} expressions were found"
    );
    none(&wrong);
}

#[test]
fn every_panel_explains_itself() {
    let mut wrong = Vec::new();
    for path in files("dashboards", "json") {
        let document = read(&path);
        assert!(
            document["schemaVersion"].as_u64() >= Some(39),
            "{}",
            path.display()
        );
        let mut ids = std::collections::BTreeSet::new();
        for panel in document["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().unwrap_or_default();
            if !ids.insert(panel["id"].as_u64().expect("an id")) {
                wrong.push(format!("{title}: its id is taken"));
            }
            if panel["type"] == "row" {
                continue;
            }
            let defaults = &panel["fieldConfig"]["defaults"];
            let described = panel["description"].as_str().is_some_and(|d| d.len() > 10);
            let asks = panel["targets"].as_array().is_some_and(|t| !t.is_empty());
            let measured = defaults["unit"].is_string() && defaults["thresholds"].is_object();
            if title.is_empty() || !described || !asks || !measured {
                wrong.push(format!(
                    "{title:?}: title, description, targets, unit, thresholds"
                ));
            }
        }
    }
    none(&wrong);
}
