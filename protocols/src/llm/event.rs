//! An answer, piece by piece.
//!
//! A stream is `Begin`, then pieces in any order of choices and parts, a `Finish` per choice, `Usage`
//! as often as the provider says (each replaces the last), and `End`. A provider may fail amid it.

use std::borrow::Cow;

use super::error::Error;
use super::finish::Finish;
use super::usage::Usage;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins.
    Begin {
        /// The provider's name for it, if it gives one.
        id: Option<Cow<'a, str>>,
        /// The model that answers, as the provider calls it.
        model: Option<Cow<'a, str>>,
        /// When it was begun, in seconds since the Unix epoch, if the provider says.
        created: Option<u64>,
    },
    /// More text.
    Text {
        /// Of which choice.
        choice: u64,
        /// The text.
        text: Cow<'a, str>,
    },
    /// More of what the model thinks.
    Reasoning {
        /// Of which choice.
        choice: u64,
        /// The text.
        text: Cow<'a, str>,
    },
    /// The thoughts so far are signed, which ends them.
    Signature {
        /// Of which choice.
        choice: u64,
        /// What proves that the provider wrote them.
        signature: Cow<'a, str>,
    },
    /// Thoughts that the provider encrypted.
    Redacted {
        /// Of which choice.
        choice: u64,
        /// The provider's own word for them.
        data: Cow<'a, str>,
    },
    /// More of the model's declining.
    Refusal {
        /// Of which choice.
        choice: u64,
        /// The text.
        text: Cow<'a, str>,
    },
    /// The model begins to call a tool.
    Call {
        /// Of which choice.
        choice: u64,
        /// The call's number within the choice, from 0 and without gaps.
        index: u64,
        /// What its result refers to.
        id: Cow<'a, str>,
        /// The tool.
        name: Cow<'a, str>,
        /// What proves that the provider wrote it, where one says so.
        signature: Option<Cow<'a, str>>,
    },
    /// More of what a tool is called with: a piece of JSON text.
    Arguments {
        /// Of which choice.
        choice: u64,
        /// The call's number.
        index: u64,
        /// The piece.
        json: Cow<'a, str>,
    },
    /// The model makes something that only the provider's own dialect has words for, as the call of
    /// a tool which the provider runs itself. Whoever speaks another is told nothing of it.
    Foreign {
        /// Of which choice.
        choice: u64,
    },
    /// A choice ends.
    Finish {
        /// Which.
        choice: u64,
        /// Why.
        reason: Finish,
        /// The text it ended at, if it ended at one and the provider says so.
        stopped_at: Option<Cow<'a, str>>,
    },
    /// What was used so far.
    Usage(Usage),
    /// The provider is still there.
    Ping,
    /// The provider failed; nothing follows.
    Failed(Error<'a>),
    /// The stream ended as it should; nothing follows.
    End,
}

impl Event<'_> {
    /// The same, borrowed from nothing.
    pub fn into_owned(self) -> Event<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Begin { id, model, created } => Event::Begin {
                id: id.map(own),
                model: model.map(own),
                created,
            },
            Self::Text { choice, text } => Event::Text {
                choice,
                text: own(text),
            },
            Self::Reasoning { choice, text } => Event::Reasoning {
                choice,
                text: own(text),
            },
            Self::Signature { choice, signature } => Event::Signature {
                choice,
                signature: own(signature),
            },
            Self::Redacted { choice, data } => Event::Redacted {
                choice,
                data: own(data),
            },
            Self::Refusal { choice, text } => Event::Refusal {
                choice,
                text: own(text),
            },
            Self::Call {
                choice,
                index,
                id,
                name,
                signature,
            } => Event::Call {
                choice,
                index,
                id: own(id),
                name: own(name),
                signature: signature.map(own),
            },
            Self::Arguments {
                choice,
                index,
                json,
            } => Event::Arguments {
                choice,
                index,
                json: own(json),
            },
            Self::Finish {
                choice,
                reason,
                stopped_at,
            } => Event::Finish {
                choice,
                reason,
                stopped_at: stopped_at.map(own),
            },
            Self::Foreign { choice } => Event::Foreign { choice },
            Self::Usage(usage) => Event::Usage(usage),
            Self::Ping => Event::Ping,
            Self::Failed(error) => Event::Failed(error.into_owned()),
            Self::End => Event::End,
        }
    }

    /// Whether it is something the model said: the first of these commits the gateway to the
    /// provider that sent it.
    pub const fn is_content(&self) -> bool {
        matches!(
            self,
            Self::Text { .. }
                | Self::Reasoning { .. }
                | Self::Signature { .. }
                | Self::Redacted { .. }
                | Self::Refusal { .. }
                | Self::Call { .. }
                | Self::Arguments { .. }
                | Self::Foreign { .. }
                | Self::Finish { .. }
        )
    }
}
