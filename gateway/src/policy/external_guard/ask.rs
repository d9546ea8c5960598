//! What a guard is asked, and what it says: JSON, as docs/guardrails.md describes it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use weir_protocols::texts::{Role, Texts};

use crate::policy::speech::Prompt;

/// The longest reason that is written down, in characters.
const LONGEST_REASON: usize = 128;

#[derive(Serialize)]
struct Question<'a> {
    direction: &'static str,
    request_id: &'a str,
    route: &'a str,
    model: Option<Cow<'a, str>>,
    consumer: Option<&'a str>,
    team: Option<&'a str>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    text: &'a str,
}

/// A body, as far as it names its model.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
}

/// The question about a prompt.
pub(super) fn question(prompt: &Prompt<'_>, texts: &Texts<'_>) -> Vec<u8> {
    let request = &prompt.request;
    let named = || {
        serde_json::from_slice::<Named<'_>>(&prompt.body)
            .ok()?
            .model
    };
    let question = Question {
        direction: "request",
        request_id: request.record.request_id.as_str(),
        route: request.route.as_ref().map_or("", |route| &*route.name),
        model: prompt.model.map(Cow::Borrowed).or_else(named),
        consumer: request.consumer.as_ref().map(|consumer| &*consumer.name),
        team: request.record.team.as_deref(),
        messages: texts
            .iter()
            .map(|(role, text)| Message {
                role: match role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                    Role::Tool => "tool",
                },
                text,
            })
            .collect(),
    };
    serde_json::to_vec(&question).expect("texts and names always serialise")
}

/// What a guard says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The prompt may pass.
    Allow,
    /// It may not, for this reason.
    Deny(String),
    /// It may with these texts, each for the one it was asked about; `None` keeps that.
    Replace(Vec<Option<String>>),
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Written {
    Allow,
    Deny { reason: Option<String> },
    Replace { texts: Vec<Option<String>> },
}

impl Said {
    /// Reads an answer about so many texts.
    pub(super) fn read(answer: &[u8], asked: usize) -> Result<Self, &'static str> {
        match serde_json::from_slice(answer) {
            Ok(Written::Allow) => Ok(Self::Allow),
            Ok(Written::Deny { reason }) => {
                let visible = |c: &char| !c.is_control();
                let reason = reason.unwrap_or_default();
                Ok(Self::Deny(
                    reason
                        .chars()
                        .filter(visible)
                        .take(LONGEST_REASON)
                        .collect(),
                ))
            }
            Ok(Written::Replace { texts }) if texts.len() == asked => Ok(Self::Replace(texts)),
            Ok(Written::Replace { .. }) => {
                Err("the guard replaced other texts than it was asked about")
            }
            Err(_) => Err("the guard's answer is none that docs/guardrails.md describes"),
        }
    }
}
