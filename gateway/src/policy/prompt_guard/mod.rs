//! `prompt_guard`: lets prompts and answers pass by what they say and how long they are.
//!
//! Callers are told the name of the rule that refused, never what it found.

mod answer;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use weir_protocols::texts::{Role, Texts};
use weir_telemetry::Code;
use weir_telemetry::metrics::Findings;

use super::Policy;
use super::speech::{self, Answers, Guard, Prompt};
use crate::config::policies::pattern::Pattern;
use crate::config::policies::prompt_guard::Config;
use crate::error::GatewayError;
use crate::large;
use answer::Denied;

/// The policy.
pub(crate) struct PromptGuard {
    config: Config,
    found: Vec<Named>,
    answers: Option<Arc<Denied>>,
}

/// A rule's name, and how often it refused.
#[derive(Clone)]
struct Named {
    name: Arc<str>,
    refused: Findings,
}

/// The names of the rules that are no patterns.
const ALLOW: &str = "allow";
const CHARACTERS: &str = "max_characters";
const MESSAGES: &str = "max_messages";

impl PromptGuard {
    /// Counts refusals where `findings` says, told the rule and the direction.
    pub(crate) fn new(config: Config, findings: &dyn Fn(&str, &str) -> Findings) -> Self {
        let named = |name: &str, direction| Named {
            name: name.into(),
            refused: findings(name, direction),
        };
        let rules = config.deny.iter().map(|pattern| &*pattern.name);
        let found = rules.chain([ALLOW, CHARACTERS, MESSAGES]);
        let found = found.map(|name| named(name, "request")).collect();
        let refused = |name: &str| named(name, "response");
        let answers = Denied::new(&config.answer_deny, &refused).map(Arc::new);
        Self {
            config,
            found,
            answers,
        }
    }

    /// The name of the rule that does not let a call pass.
    fn refusing(&self, texts: &Texts<'_>) -> Option<&str> {
        let config = &self.config;
        if config
            .max_messages
            .is_some_and(|most| texts.messages() as u64 > most)
        {
            return Some(MESSAGES);
        }
        let of_roles = || {
            let roles = &config.roles;
            let mine = move |role: &Role| roles.is_empty() || roles.contains(role);
            texts
                .iter()
                .filter(move |(role, _)| mine(role))
                .map(|(_, text)| text)
        };
        if let Some(most) = config.max_characters {
            let characters: u64 = of_roles().map(|text| text.chars().count() as u64).sum();
            if characters > most {
                return Some(CHARACTERS);
            }
        }
        let denies = |pattern: &&Pattern| of_roles().any(|text| pattern.regex.is_match(text));
        if let Some(pattern) = config.deny.iter().find(denies) {
            return Some(&pattern.name);
        }
        let allowed = |text: &str| {
            config
                .allow
                .iter()
                .any(|pattern| pattern.regex.is_match(text))
        };
        let strange = |text: &str| !text.trim().is_empty() && !allowed(text);
        (!config.allow.is_empty() && of_roles().any(strange)).then_some(ALLOW)
    }
}

impl Policy for PromptGuard {
    fn guard(&self) -> Option<&dyn Guard> {
        Some(self)
    }
}

#[async_trait]
impl Guard for PromptGuard {
    async fn on_prompt(
        &self,
        prompt: &mut Prompt<'_>,
    ) -> Result<Option<Arc<dyn Answers>>, GatewayError> {
        let refusing = large::work(prompt.body.len(), || {
            let texts = speech::texts(prompt.dialect, &prompt.body)?;
            Ok::<_, GatewayError>(self.refusing(&texts).map(str::to_owned))
        })?;
        if let Some(rule) = refusing {
            if let Some(named) = self.found.iter().find(|named| *named.name == *rule) {
                named.refused.add(1);
            }
            let public =
                format!("The rule \"{rule}\" of this route does not let this prompt pass.");
            return Err(GatewayError::public(Code::PromptDenied, public));
        }
        let answers = self.answers.clone();
        Ok(answers.map(|denied| denied as Arc<dyn Answers>))
    }
}
