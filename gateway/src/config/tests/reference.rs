//! The generated documents: `docs/schema.json` and `docs/configuration.md`.
//!
//! Both are committed; a test compares them with what the types say, and
//! writes them anew when `WEIR_UPDATE=1`.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::config::schema;

#[test]
fn the_schema_is_current() {
    current("schema.json", &format!("{:#}\n", schema()));
}

#[test]
fn the_reference_is_current() {
    current("configuration.md", &reference(&schema()));
}

/// Compares a committed document with what was generated.
fn current(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if std::env::var_os("WEIR_UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, generated).expect("a document");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/{name} is not current: run the tests of `weir` with WEIR_UPDATE=1"
    );
}

const HEAD: &str = "# Configuration

Generated from the types; `weir schema` prints the same as JSON Schema.

A configuration is YAML: one file, or a directory whose `*.yaml` and `*.yml` files are read in the
order of their names. Sections that are lists are joined; others may be in one file only.

`${VAR}` and `${file:PATH}` inside a text value stand for an environment variable and for what a
file holds; `$${` stands for `${`. Paths are relative to the file they are written in.

A file with `team: NAME` belongs to that team: platform sections are refused in it, and it uses
only what the team owns and what the platform shares.

";

/// The reference as Markdown: each type once, in the order in which they are met.
fn reference(schema: &Value) -> String {
    let mut text = HEAD.to_owned();
    let mut waiting = VecDeque::new();
    text.push_str(&table(schema, &mut waiting));
    let mut written: Vec<String> = Vec::new();
    while let Some(name) = waiting.pop_front() {
        if written.contains(&name) {
            continue;
        }
        let definition = &schema["$defs"][&name];
        text.push_str(&format!("\n## {name}\n\n{}\n", description(definition)));
        if definition.get("properties").is_some() && definition["type"] == "object" {
            text.push('\n');
            text.push_str(&table(definition, &mut waiting));
        }
        for variant in definition["oneOf"].as_array().into_iter().flatten() {
            text.push_str(&self::variant(variant, &mut waiting));
        }
        written.push(name);
    }
    text
}

/// One alternative: a word, or settings with a `kind`.
fn variant(variant: &Value, waiting: &mut VecDeque<String>) -> String {
    if let Some(word) = variant["const"].as_str() {
        return format!("\n- `{word}`: {}", description(variant)) + "\n";
    }
    let kind = variant["properties"]["kind"]["const"]
        .as_str()
        .unwrap_or_default();
    let mut text = format!("\n### `kind: {kind}`\n\n{}\n", description(variant));
    if variant["properties"]
        .as_object()
        .is_some_and(|properties| properties.len() > 1)
    {
        text.push('\n');
        text.push_str(&table(variant, waiting));
    }
    text
}

/// The keys of an object.
fn table(object: &Value, waiting: &mut VecDeque<String>) -> String {
    let required: Vec<&str> = object["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut text = "| Key | Value | Default | Meaning |\n|---|---|---|---|\n".to_owned();
    for (key, property) in object["properties"].as_object().into_iter().flatten() {
        if key == "kind" && property.get("const").is_some() {
            continue;
        }
        let default = match property.get("default") {
            _ if required.contains(&key.as_str()) => "required".to_owned(),
            Some(Value::Object(map)) if !map.is_empty() && !map.contains_key("kind") => {
                "see there".to_owned()
            }
            Some(default)
                if default.as_array().is_none_or(|list| !list.is_empty())
                    && *default != serde_json::json!({}) =>
            {
                format!("`{default}`")
            }
            _ => String::new(),
        };
        let meaning = description(property).replace('\n', " ").replace('|', "\\|");
        text.push_str(&format!(
            "| `{key}` | {} | {default} | {meaning} |\n",
            value(property, waiting)
        ));
    }
    text
}

/// What kind of value is expected, in words.
fn value(property: &Value, waiting: &mut VecDeque<String>) -> String {
    if let Some(reference) = property["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default().to_owned();
        let link = format!("[{name}](#{})", name.to_lowercase());
        waiting.push_back(name);
        return link;
    }
    match property["type"].as_str() {
        Some("array") => format!("list of {}", value(&property["items"], waiting)),
        Some("object")
            if property
                .get("additionalProperties")
                .is_some_and(Value::is_object) =>
        {
            format!(
                "map to {}",
                value(&property["additionalProperties"], waiting)
            )
        }
        Some("object") => "map".to_owned(),
        Some("integer") => format!("whole number{}", range(property)),
        Some("number") => format!("number{}", range(property)),
        Some("boolean") => "`true` or `false`".to_owned(),
        _ => "text".to_owned(),
    }
}

fn range(property: &Value) -> String {
    match (property.get("minimum"), property.get("maximum")) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        _ => String::new(),
    }
}

fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}
