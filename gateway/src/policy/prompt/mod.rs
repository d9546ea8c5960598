//! `prompt`: adds messages to prompts, and fills in templates that callers ask for.
//!
//! Values are inserted as text once and never read again, so that none becomes a template or a
//! message of its own.

mod fill;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use weir_protocols::texts::Dialect;
use weir_protocols::texts::insert::{At, insert, take};
use weir_telemetry::Code;

use super::Policy;
use super::speech::{self, Answers, Guard};
use crate::config::policies::prompt::{Config, Message};
use crate::config::template::{Template, Variable};
use crate::error::GatewayError;
use fill::Filled;

/// The policy.
pub(crate) struct Prompt(pub(crate) Config);

/// The member of a body by which callers ask for a template.
const MEMBER: &str = "prompt_template";

impl Policy for Prompt {
    fn guard(&self) -> Option<&dyn Guard> {
        Some(self)
    }
}

#[async_trait]
impl Guard for Prompt {
    async fn on_prompt(
        &self,
        prompt: &mut speech::Prompt<'_>,
    ) -> Result<Option<Arc<dyn Answers>>, GatewayError> {
        let Config {
            prepend,
            append,
            templates,
        } = &self.0;
        if !templates.is_empty()
            && let Some((asked, body)) = take(&prompt.body, MEMBER)
        {
            let filled = Filled::read(&asked, templates)?;
            prompt.body = body;
            add(prompt, At::Start, &filled.template.messages, Some(&filled))?;
        }
        add(prompt, At::Start, prepend, None)?;
        add(prompt, At::End, append, None)?;
        Ok(None)
    }
}

/// Adds messages, in order.
fn add(
    prompt: &mut speech::Prompt<'_>,
    at: At,
    messages: &[Message],
    filled: Option<&Filled<'_>>,
) -> Result<(), GatewayError> {
    let dialect: Dialect = prompt.dialect;
    let mut one = |message: &Message| {
        let text = write(&message.text, prompt, filled)?;
        prompt.body = insert(&prompt.body, dialect, at, message.role, &text);
        Ok(())
    };
    match at {
        At::Start => messages.iter().rev().try_for_each(&mut one),
        At::End => messages.iter().try_for_each(&mut one),
    }
}

/// The text of a message. Who is nobody, or of no team, has no name; a header that is not there is
/// missed.
fn write(
    template: &Template,
    prompt: &speech::Prompt<'_>,
    filled: Option<&Filled<'_>>,
) -> Result<String, GatewayError> {
    let request = &prompt.request;
    let head = prompt.down.head();
    let written = template.render(|variable| match variable {
        Variable::Consumer => {
            let name = request.consumer.as_ref().map(|consumer| &*consumer.name);
            Some(Cow::Borrowed(name.unwrap_or_default()))
        }
        Variable::Team => Some(request.record.team.as_deref().unwrap_or_default().into()),
        Variable::Header(name) => {
            let value = head.headers.get(name)?;
            value.to_str().ok().map(Cow::Borrowed)
        }
        Variable::Argument(name) => filled?.value(name).map(Cow::Borrowed),
        Variable::Path(_) | Variable::Query(_) | Variable::Body(_) => None,
    });
    written.map_err(|missing| match missing {
        Variable::Argument(name) => GatewayError::public(
            Code::RequestBodyInvalid,
            format!("The template needs a value of \"{name}\"; send it under `variables`."),
        )
        .param(format!("{MEMBER}.variables.{name}")),
        missing => GatewayError::public(
            Code::RequestBodyInvalid,
            format!("The prompt of this route needs {missing}, and the request has none."),
        ),
    })
}
