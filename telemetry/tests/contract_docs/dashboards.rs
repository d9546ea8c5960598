//! The dashboards: every panel explains itself, asks only for what exists and
//! leads to pages that exist.

use crate::{files, none, promql, root, rules, text};
use serde_json::Value;
use weir_telemetry::catalogue;

/// The uids of all dashboards.
pub fn uids() -> Vec<String> {
    let uid = |path: &std::path::PathBuf| read(path)["uid"].as_str().expect("a uid").to_owned();
    files("dashboards", "json").iter().map(uid).collect()
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
            // What Loki is asked is not PromQL.
            if key == "expr" && !text.starts_with("{service_name") {
                expressions += 1;
                wrong.extend(promql::complaints(text, &known));
            }
            if let Some(asked) = text.strip_prefix("label_values(") {
                let (metric, label) = asked.trim_end_matches(')').split_once(", ").expect("two");
                if known
                    .get(metric)
                    .is_none_or(|labels| label != "instance" && !labels.contains(label))
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

/// What dashboards are made from; `WEIR_UPDATE=1` writes it anew.
#[test]
fn the_catalogue_that_dashboards_are_made_from_is_current() {
    let metrics: Vec<_> = catalogue::ALL
        .iter()
        .map(|metric| {
            serde_json::json!({
                "name": metric.name,
                "kind": format!("{:?}", metric.kind).to_lowercase(),
                "unit": metric.unit,
                "labels": metric.labels,
                "help": metric.help,
            })
        })
        .collect();
    let current = serde_json::to_string_pretty(&metrics).expect("JSON") + "\n";
    let path = root("dashboards/generator/catalogue.json");
    if std::env::var_os("WEIR_UPDATE").is_some() {
        std::fs::write(&path, &current).expect("it can be written");
    }
    assert!(
        text(&path) == current,
        "dashboards/generator/catalogue.json is stale: run this test with WEIR_UPDATE=1, then `make dashboards`"
    );
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
