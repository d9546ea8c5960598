//! `prompt`, checked.

use std::sync::Arc;

use weir_protocols::texts::Role;

use crate::config::check::{At, Checker};
use crate::config::raw::guardrails as raw;
use crate::config::template::{Template, Variable};

/// Adds messages to prompts.
#[derive(Debug, Clone)]
pub struct Config {
    /// Before the conversation, in order.
    pub prepend: Vec<Message>,
    /// After it, in order.
    pub append: Vec<Message>,
    /// What callers may ask for by name, before their own messages.
    pub templates: Vec<Named>,
}

/// A message to be.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who says it: not a tool.
    pub role: Role,
    /// What.
    pub text: Template,
}

/// Messages callers may ask for.
#[derive(Debug, Clone)]
pub struct Named {
    /// By this name.
    pub name: Arc<str>,
    /// The messages; at least one.
    pub messages: Vec<Message>,
}

impl Named {
    /// What a caller has to fill in.
    pub fn arguments(&self) -> impl Iterator<Item = &Arc<str>> {
        let variables = self
            .messages
            .iter()
            .flat_map(|message| message.text.variables());
        variables.filter_map(|variable| match variable {
            Variable::Argument(name) => Some(name),
            _ => None,
        })
    }
}

/// Checks `prompt`.
pub(in crate::config) fn check(cx: &mut Checker<'_>, at: &At, raw: &raw::Prompt) -> Option<Config> {
    if raw.prepend.is_empty() && raw.append.is_empty() && raw.templates.is_empty() {
        cx.fault(
            at,
            "this changes nothing",
            "say what to prepend or append, or give a template, or leave the policy out",
        );
        return None;
    }
    let prepend = messages(cx, &at.key("prepend"), &raw.prepend, false);
    let append = messages(cx, &at.key("append"), &raw.append, false);
    let mut templates: Vec<Named> = Vec::new();
    for (index, raw) in raw.templates.iter().enumerate() {
        let at = at.key("templates").index(index);
        if templates.iter().any(|other| *other.name == *raw.name.0) {
            cx.fault(
                &at.key("name"),
                "this name is given twice",
                "give it another",
            );
        }
        templates.push(Named {
            name: raw.name.0.as_str().into(),
            messages: messages(cx, &at.key("messages"), &raw.messages, true),
        });
    }
    Some(Config {
        prepend,
        append,
        templates,
    })
}

fn messages(cx: &mut Checker<'_>, at: &At, raw: &[raw::Message], filled: bool) -> Vec<Message> {
    let mut messages = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let at = at.index(index).key("text");
        let text = match Template::parse_prompt(&raw.text, filled) {
            Ok(text) => text,
            Err(malformed) => {
                cx.fault(&at, malformed.message, malformed.hint);
                continue;
            }
        };
        if raw.text.trim().is_empty() {
            cx.fault(
                &at,
                "this says nothing",
                "say something, or leave the message out",
            );
        }
        let role = match raw.role {
            raw::Speaker::System => Role::System,
            raw::Speaker::User => Role::User,
            raw::Speaker::Assistant => Role::Assistant,
        };
        messages.push(Message { role, text });
    }
    messages
}
