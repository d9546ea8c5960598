//! `pii`: finds what identifies people in prompts and answers, and masks, blocks or counts it.
//!
//! | Module | Knows |
//! |---|---|
//! | `detect` | what e-mail addresses, numbers of cards and the like look like |
//! | `mapping` | which placeholder stands for what in one call |
//! | `answer` | the way back: what the model says of it masked, placeholders turned back |
//!
//! A placeholder is `[EMAIL_1]`, the same for the same text throughout a call. Brackets come
//! unharmed through JSON and HTML. What was found is kept as long as its request, and told to nobody.

mod answer;
pub(crate) mod detect;
mod mapping;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use weir_protocols::texts::Texts;
use weir_telemetry::Code;
use weir_telemetry::metrics::Findings;

use super::Policy;
use super::speech::find::{self, Rule};
use super::speech::window::Reach;
use super::speech::{self, Answers, Guard, Prompt};
use crate::config::policies::pii::{Action, Config, Detector};
use crate::error::GatewayError;
use crate::large;
use answer::Spoken;
use mapping::Mapping;

/// The policy.
pub(crate) struct Pii(Arc<Looking>);

/// What is looked for, and what is done about it.
struct Looking {
    rules: Vec<Rule>,
    kinds: Vec<Kind>,
    reach: Reach,
    action: Action,
    request: bool,
    response: bool,
}

/// A kind of data.
struct Kind {
    /// As configured.
    name: Arc<str>,
    /// As placeholders say it.
    label: String,
    /// How often it was found in prompts and in answers.
    found: [Findings; 2],
}

impl Pii {
    /// Counts findings where `findings` says, told the kind and the direction.
    pub(crate) fn new(config: &Config, findings: &dyn Fn(&str, &str) -> Findings) -> Self {
        let longest = config.detectors.iter().map(detect::longest);
        let kinds = config.detectors.iter().map(|detector| {
            let name = detector.name();
            Kind {
                name: name.into(),
                label: name.to_ascii_uppercase().replace(['-', '.'], "_"),
                found: ["request", "response"].map(|direction| findings(name, direction)),
            }
        });
        Self(Arc::new(Looking {
            rules: config.detectors.iter().map(detect::rule).collect(),
            kinds: kinds.collect(),
            reach: Reach {
                longest: longest.max().unwrap_or_default(),
                words: config
                    .detectors
                    .iter()
                    .all(|detector| matches!(detector, Detector::BuiltIn(_))),
            },
            action: config.action,
            request: config.request,
            response: config.response,
        }))
    }
}

impl Looking {
    /// Looks through a prompt; what was masked in it, and by what.
    fn prompt(&self, texts: &mut Texts<'_>) -> Result<Mapping, GatewayError> {
        let mut mapping = Mapping::beside(texts.iter().map(|(_, text)| text));
        let mut masked = Vec::new();
        for (index, (_, text)) in texts.iter().enumerate() {
            let (mut out, mut copied, mut blocked) = (String::new(), 0, None);
            find::all(&self.rules, text, |found| {
                let kind = &self.kinds[found.rule];
                kind.found[0].add(1);
                blocked.get_or_insert(found.rule);
                if matches!(self.action, Action::Mask { .. }) {
                    out.push_str(&text[copied..found.at.start]);
                    out.push_str(mapping.placeholder(&kind.label, &text[found.at.clone()]));
                    copied = found.at.end;
                }
            });
            if let Some(rule) = blocked.filter(|_| self.action == Action::Block) {
                let public = self.refusal(rule, "prompt");
                return Err(GatewayError::public(Code::PromptDenied, public));
            }
            if copied > 0 {
                out.push_str(&text[copied..]);
                masked.push((index, out));
            }
        }
        for (index, text) in masked {
            texts.change(index, text);
        }
        Ok(mapping)
    }

    fn refusal(&self, rule: usize, what: &str) -> String {
        let name = &self.kinds[rule].name;
        format!("This route lets no {what} pass with data of the kind \"{name}\".")
    }
}

impl Policy for Pii {
    fn guard(&self) -> Option<&dyn Guard> {
        Some(self)
    }
}

#[async_trait]
impl Guard for Pii {
    async fn on_prompt(
        &self,
        prompt: &mut Prompt<'_>,
    ) -> Result<Option<Arc<dyn Answers>>, GatewayError> {
        let looking = &self.0;
        let mut mapping = Mapping::default();
        if looking.request {
            let changed = large::work(prompt.body.len(), || {
                let mut texts = speech::texts(prompt.dialect, &prompt.body)?;
                mapping = looking.prompt(&mut texts)?;
                Ok::<_, GatewayError>(texts.finish())
            })?;
            if let Some(body) = changed {
                prompt.body = body.into();
            }
        }
        let reversible = looking.action == Action::Mask { reversible: true };
        let back = (reversible && !mapping.is_empty()).then_some(mapping);
        let minded = looking.response || back.is_some();
        Ok(minded.then(|| Arc::new(Spoken::new(looking.clone(), back)) as Arc<dyn Answers>))
    }
}
