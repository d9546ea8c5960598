//! What is said to language models and by them, as policies see it.
//!
//! The `llm` action shows each call to the [`Guard`]s of its route before anything is counted or
//! reserved, in the order of the chain. What a guard returns filters the answer, last to first:
//! whole or as it streams, each choice and each kind of text by itself. Nothing here knows a socket
//! or a provider.
//!
//! | Module | Knows |
//! |---|---|
//! | `find` | rules that look for something in a text |
//! | `window` | the same in a text that comes in pieces |

pub(crate) mod find;
pub(crate) mod window;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use weir_protocols::texts::{Dialect, Texts};
use weir_telemetry::Code;

use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};

/// A call of a model that nobody was asked yet.
pub(crate) struct Prompt<'a> {
    /// The request's context.
    pub(crate) request: &'a mut Request,
    /// The caller.
    pub(crate) down: &'a mut Downstream,
    /// In whose words it is written.
    pub(crate) dialect: Dialect,
    /// The model, where the path names it.
    pub(crate) model: Option<&'a str>,
    /// The body: what is changed here is what is counted and sent.
    pub(crate) body: Bytes,
}

/// The texts of a body.
///
/// # Errors
/// If it is no body of a call.
pub(crate) fn texts(dialect: Dialect, body: &Bytes) -> Result<Texts<'_>, GatewayError> {
    Texts::read(dialect, body).map_err(|fault| {
        GatewayError::public(Code::RequestBodyInvalid, fault.to_string()).param(&*fault.path)
    })
}

/// A policy that minds what is said.
#[async_trait]
pub(crate) trait Guard: Send + Sync {
    /// Sees a call and may change it; what it has to do with the answer, if anything.
    async fn on_prompt(
        &self,
        prompt: &mut Prompt<'_>,
    ) -> Result<Option<Arc<dyn Answers>>, GatewayError>;
}

/// What is done to the answers to one call, whoever gives them.
pub(crate) trait Answers: Send + Sync {
    /// What is done to one text of one choice; `None` leaves it as it is.
    fn filter(self: Arc<Self>, kind: Kind) -> Option<Box<dyn Filter>>;
}

/// A kind of text in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the model answers.
    Answer,
    /// Why it declines.
    Refusal,
    /// What it thinks.
    Reasoning,
    /// What it calls a tool with: JSON.
    Arguments,
}

/// Sees one text pass, piece by piece, however it was cut.
pub(crate) trait Filter: Send {
    /// A piece comes; what may go on is appended. What is held back is bounded.
    fn text(&mut self, text: &str, out: &mut String) -> Result<(), GatewayError>;

    /// The text is over; what was held back goes out.
    fn end(&mut self, out: &mut String) -> Result<(), GatewayError>;
}
