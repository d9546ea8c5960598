//! What definitions of tools cost in tokens, by the sum which OpenAI's cookbook publishes in "How
//! to count tokens with tiktoken", section 7.
//!
//! It covers functions whose parameters are flat: a name, a description, and properties with a
//! type, a description and choices. It says nothing of anything else a schema may hold (nesting,
//! ranges, `strict`), which is counted here by its bytes, the most it can be. A key that stands
//! twice is counted twice. Knows no message.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::Members;
use super::model;
use super::sum::Sum;

/// After the last function.
const END: u64 = 12;
/// Before the first property of a function, and before each one.
const PROPERTIES: u64 = 3;
const PROPERTY: u64 = 3;
/// Before each choice. The list of choices itself gives back what its property cost.
const CHOICE: u64 = 3;
/// JSON around a member that is counted by its bytes: quotes, a colon and a comma.
const AROUND: u64 = 4;

/// What is published of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Published {
    /// Before each function.
    function: u64,
    /// Whether the sum is published for this very model. For others the largest is taken, or the
    /// definitions' JSON as text, which no known template surpasses, whichever is more.
    pub(super) sure: bool,
}

impl Published {
    /// By the provider's name for a model.
    pub(super) fn of(model: &str) -> Self {
        let (function, sure) = match model::base(model) {
            "gpt-4o" | "gpt-4o-mini" => (7, true),
            "gpt-3.5-turbo" | "gpt-4" => (10, true),
            _ => (10, false),
        };
        Self { function, sure }
    }

    /// What the array `tools` costs, of objects with a `function` each; with `bare`, the array
    /// `functions`, of functions.
    pub(super) fn count(self, array: &str, bare: bool) -> Sum {
        let mut sum = Sum::default();
        let Ok(tools) = serde_json::from_str::<Vec<&RawValue>>(array) else {
            sum.fixed = array.len() as u64;
            return sum;
        };
        for tool in &tools {
            if bare {
                self.function(tool, &mut sum);
            } else {
                self.tool(tool, &mut sum);
            }
        }
        if !tools.is_empty() {
            sum.fixed += END;
        }
        sum
    }

    fn tool(self, tool: &RawValue, sum: &mut Sum) {
        let Some(members) = members(tool, sum) else {
            return;
        };
        for (key, value) in &members.0 {
            match (key.as_str(), value.get()) {
                ("type", "\"function\"") => {}
                ("function", _) => self.function(value, sum),
                _ => sum.fixed += unread(key, value),
            }
        }
    }

    fn function(self, function: &RawValue, sum: &mut Sum) {
        let Some(members) = members(function, sum) else {
            return;
        };
        sum.fixed += self.function;
        let mut name: Option<String> = None;
        let mut description: Option<String> = None;
        for (key, value) in &members.0 {
            match key.as_str() {
                "name" if take(&mut name, value) => {}
                "description" if take(&mut description, value) => {}
                "parameters" => parameters(value, sum),
                _ => sum.fixed += unread(key, value),
            }
        }
        let description = description.unwrap_or_default();
        sum.texts.push(format!(
            "{}:{}",
            name.unwrap_or_default(),
            unstopped(&description)
        ));
    }
}

fn parameters(schema: &RawValue, sum: &mut Sum) {
    let Some(members) = members(schema, sum) else {
        return;
    };
    for (key, value) in &members.0 {
        match (key.as_str(), value.get()) {
            ("type", "\"object\"") => {}
            // The published sum has it, and counts nothing for it.
            ("required", list) if list.starts_with('[') => {}
            ("properties", _) => properties(value, sum),
            _ => sum.fixed += unread(key, value),
        }
    }
}

fn properties(object: &RawValue, sum: &mut Sum) {
    let Some(members) = members(object, sum) else {
        return;
    };
    if !members.0.is_empty() {
        sum.fixed += PROPERTIES;
    }
    for (name, schema) in &members.0 {
        property(name, schema, sum);
    }
}

fn property(name: &str, schema: &RawValue, sum: &mut Sum) {
    sum.fixed += PROPERTY;
    let Some(members) = members(schema, sum) else {
        sum.texts.push(name.to_owned());
        return;
    };
    let mut sort: Option<String> = None;
    let mut description: Option<String> = None;
    let mut choices: Option<Vec<String>> = None;
    for (key, value) in &members.0 {
        match key.as_str() {
            "type" if take(&mut sort, value) => {}
            "description" if take(&mut description, value) => {}
            "enum" if take(&mut choices, value) => {}
            _ => sum.fixed += unread(key, value),
        }
    }
    if let Some(choices) = choices {
        sum.fixed -= PROPERTY;
        sum.fixed += CHOICE * choices.len() as u64;
        sum.texts.extend(choices);
    }
    let sort = sort.unwrap_or_default();
    let description = description.unwrap_or_default();
    sum.texts
        .push(format!("{name}:{sort}:{}", unstopped(&description)));
}

/// Reads an object; what is none is counted by its bytes.
fn members<'a>(value: &'a RawValue, sum: &mut Sum) -> Option<Members<'a>> {
    let members = Members::read(value);
    if members.is_none() {
        sum.fixed += value.get().len() as u64;
    }
    members
}

/// Fills `slot` with a value of its type, if it is empty.
fn take<'a, T: Deserialize<'a>>(slot: &mut Option<T>, value: &'a RawValue) -> bool {
    if slot.is_none() {
        *slot = serde_json::from_str(value.get()).ok();
        return slot.is_some();
    }
    false
}

fn unread(key: &str, value: &RawValue) -> u64 {
    key.len() as u64 + value.get().len() as u64 + AROUND
}

/// One full stop at the end is not shown to the model.
fn unstopped(description: &str) -> &str {
    description.strip_suffix('.').unwrap_or(description)
}
