//! Writes the conversation as turns that alternate.
//!
//! Messages of one role become one turn. Turns without content are left out: Anthropic refuses them.
//! Results of tools come first in their turn.

use serde::Serialize;

use super::blocks::{self, Block};
use crate::llm::loss::{Dropped, Refused};
use crate::llm::{Request, Role};

/// One turn.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'r> {
    role: &'static str,
    content: Vec<Block<'r>>,
}

/// The turns of a conversation.
#[derive(Debug, Default)]
pub(super) struct Turns<'r>(Vec<Turn<'r>>);

impl<'r> Turns<'r> {
    /// The conversation of `request`.
    ///
    /// # Errors
    /// If a part cannot be written, or nothing is left to answer.
    pub(super) fn of(request: &'r Request<'_>, dropped: &mut Dropped) -> Result<Self, Refused> {
        let mut turns = Self::default();
        for (at, message) in request.messages.iter().enumerate() {
            dropped.note("name", message.name.is_some());
            let path = format!("messages[{at}]");
            turns.push(
                message.role,
                blocks::content(message.role, &message.parts, &path, dropped)?,
            );
        }
        if turns.0.is_empty() {
            return Err(nothing());
        }
        // By then all results of a turn are in it.
        for turn in &mut turns.0 {
            turn.content.sort_by_key(|block| !block.is_result());
        }
        Ok(turns)
    }

    /// The same without thoughts, for a model that is not to think: it would pass over them, and
    /// refuse them in the last turn.
    pub(super) fn without_thoughts(self) -> Self {
        let mut turns = Self::default();
        for mut turn in self.0 {
            turn.content.retain(|block| !block.is_thought());
            turns.add(turn);
        }
        turns
    }

    /// Whether the conversation ends amid calls of tools that began without a thought.
    pub(super) fn calls_without_thought(&self) -> bool {
        let mut calls = false;
        for turn in self.0.iter().rev() {
            let is_user = turn.role == role_word(Role::User);
            if is_user && calls && !turn.content.iter().any(Block::is_result) {
                break;
            }
            if is_user {
                continue;
            }
            if turn.content.first().is_some_and(Block::is_thought) {
                return false;
            }
            if !turn.content.iter().any(Block::is_call) {
                break;
            }
            calls = true;
        }
        calls
    }

    /// All of them.
    pub(super) fn into_inner(self) -> Vec<Turn<'r>> {
        self.0
    }

    fn push(&mut self, role: Role, content: Vec<Block<'r>>) {
        let role = role_word(role);
        self.add(Turn { role, content });
    }

    fn add(&mut self, turn: Turn<'r>) {
        match self.0.last_mut() {
            _ if turn.content.is_empty() => {}
            Some(last) if last.role == turn.role => last.content.extend(turn.content),
            _ => self.0.push(turn),
        }
    }
}

/// Nothing of the conversation can be written.
pub(super) fn nothing() -> Refused {
    Refused::new("messages", "needs a turn with content to answer")
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}
