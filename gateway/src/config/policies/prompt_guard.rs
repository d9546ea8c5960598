//! `prompt_guard`, checked.

use weir_protocols::texts::Role;

use super::pattern::{Pattern, check_all};
use crate::config::check::{At, Checker};
use crate::config::raw::guardrails as raw;

/// Lets prompts and answers pass by what they say and how long they are.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whose texts are looked at; all, if empty.
    pub roles: Vec<Role>,
    /// Each text matches one of these, if there are any.
    pub allow: Vec<Pattern>,
    /// No text matches any of these.
    pub deny: Vec<Pattern>,
    /// The most characters of all these texts together.
    pub max_characters: Option<u64>,
    /// The most messages of a conversation, instructions apart.
    pub max_messages: Option<u64>,
    /// No answer matches any of these. Each is bounded.
    pub answer_deny: Vec<Pattern>,
}

/// Checks `prompt_guard`.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::PromptGuard,
) -> Option<Config> {
    let answer = &raw.answer.deny;
    let limits = raw.max_characters.is_some() || raw.max_messages.is_some();
    if raw.allow.is_empty() && raw.deny.is_empty() && answer.is_empty() && !limits {
        cx.fault(
            at,
            "this lets everything pass",
            "say what to deny or to allow, or leave the policy out",
        );
        return None;
    }
    let allow = check_all(cx, &at.key("allow"), &raw.allow, false);
    let deny = check_all(cx, &at.key("deny"), &raw.deny, false);
    let answer_deny = check_all(cx, &at.key("answer").key("deny"), answer, true);
    Some(Config {
        roles: raw.roles.iter().map(role).collect(),
        allow: allow?,
        deny: deny?,
        max_characters: raw.max_characters.map(Into::into),
        max_messages: raw.max_messages.map(Into::into),
        answer_deny: answer_deny?,
    })
}

fn role(raw: &raw::Role) -> Role {
    match raw {
        raw::Role::System => Role::System,
        raw::Role::User => Role::User,
        raw::Role::Assistant => Role::Assistant,
        raw::Role::Tool => Role::Tool,
    }
}
