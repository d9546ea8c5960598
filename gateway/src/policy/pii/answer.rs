//! The way back: what the model says that identifies people is masked, and placeholders of the
//! prompt are turned back for the caller.
//!
//! What the model thinks is not turned back: it goes to the provider again as it was signed.

use std::collections::HashMap;
use std::sync::Arc;

use weir_telemetry::Code;

use super::Looking;
use super::mapping::Mapping;
use crate::config::policies::pii::Action;
use crate::error::GatewayError;
use crate::policy::speech::window::{Piece, Window};
use crate::policy::speech::{Answers, Filter, Kind};

/// What is done to the answers to one call.
pub(super) struct Spoken {
    looking: Arc<Looking>,
    back: Option<Placeholders>,
}

/// What placeholders stand for: as text, and as the inside of a JSON string.
struct Placeholders {
    texts: HashMap<String, String>,
    json: HashMap<String, String>,
    /// Of the longest, in bytes.
    longest: usize,
}

impl Spoken {
    /// Turns the placeholders of `back` back.
    pub(super) fn new(looking: Arc<Looking>, back: Option<Mapping>) -> Self {
        let back = back.map(|mapping| {
            let texts = mapping.into_pairs();
            let inside = |text: &String| {
                let quoted = serde_json::Value::from(text.as_str()).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            };
            let json = texts
                .iter()
                .map(|(name, text)| (name.clone(), inside(text)));
            Placeholders {
                json: json.collect(),
                longest: texts.keys().map(String::len).max().unwrap_or_default(),
                texts,
            }
        });
        Self { looking, back }
    }
}

impl Answers for Spoken {
    fn filter(self: Arc<Self>, kind: Kind) -> Option<Box<dyn Filter>> {
        let mask = self.looking.response.then(Window::default);
        let back = self.back.is_some() && kind != Kind::Reasoning;
        (mask.is_some() || back).then(|| {
            Box::new(Speaking {
                is_json: kind == Kind::Arguments,
                back: back.then(String::new),
                mask,
                spoken: self,
            }) as Box<dyn Filter>
        })
    }
}

/// One text.
struct Speaking {
    spoken: Arc<Spoken>,
    is_json: bool,
    /// What may be the beginning of something that is looked for.
    mask: Option<Window>,
    /// What may be the beginning of a placeholder.
    back: Option<String>,
}

impl Speaking {
    fn push(&mut self, text: &str, last: bool, out: &mut String) -> Result<(), GatewayError> {
        let mut masked = String::new();
        let text = match &mut self.mask {
            None => text,
            Some(window) => {
                self.spoken.looking.mask(window, text, last, &mut masked)?;
                &masked
            }
        };
        match (&mut self.back, &self.spoken.back) {
            (Some(held), Some(placeholders)) => {
                held.push_str(text);
                placeholders.turn_back(held, self.is_json, last, out);
            }
            _ => out.push_str(text),
        }
        Ok(())
    }
}

impl Filter for Speaking {
    fn text(&mut self, text: &str, out: &mut String) -> Result<(), GatewayError> {
        self.push(text, false, out)
    }

    fn end(&mut self, out: &mut String) -> Result<(), GatewayError> {
        self.push("", true, out)
    }
}

impl Looking {
    fn mask(
        &self,
        window: &mut Window,
        text: &str,
        last: bool,
        out: &mut String,
    ) -> Result<(), GatewayError> {
        window.push((&self.rules, self.reach), text, last, &mut |piece| {
            let (rule, text) = match piece {
                Piece::Plain(text) => {
                    out.push_str(text);
                    return Ok(());
                }
                Piece::Found(rule, text) => (rule, text),
            };
            let kind = &self.kinds[rule];
            kind.found[1].add(1);
            match self.action {
                // No number: there is nothing to turn back, and none of the prompt's is meant.
                Action::Mask { .. } => out.extend(["[", &kind.label, "]"]),
                Action::Report => out.push_str(text),
                Action::Block => {
                    let public = self.refusal(rule, "answer");
                    let found = format!("the answer has data of the kind \"{}\"", kind.name);
                    return Err(GatewayError::public(Code::CompletionDenied, public).source(found));
                }
            }
            Ok(())
        })
    }
}

impl Placeholders {
    /// Moves what is decided of `held` to `out`, placeholders turned back. What is left may be the
    /// beginning of one; nothing is, after the `last` piece.
    fn turn_back(&self, held: &mut String, is_json: bool, last: bool, out: &mut String) {
        let known = if is_json { &self.json } else { &self.texts };
        let mut from = 0;
        while let Some(at) = held[from..].find('[').map(|at| from + at) {
            out.push_str(&held[from..at]);
            from = at;
            let mut most = held.len().min(at + self.longest);
            while !held.is_char_boundary(most) {
                most -= 1;
            }
            let name = held[at..most].find(']').map(|end| at..at + end + 1);
            match name.and_then(|name| Some((known.get(&held[name.clone()])?, name))) {
                Some((text, name)) => {
                    out.push_str(text);
                    from = name.end;
                }
                None if !last && most == held.len() && self.may_begin(&held[at..]) => break,
                None => {
                    out.push('[');
                    from = at + 1;
                }
            }
        }
        if held[from..].starts_with('[') && !last {
            held.drain(..from);
        } else {
            out.push_str(&held[from..]);
            held.clear();
        }
    }

    /// Whether a placeholder may begin like this and go on.
    fn may_begin(&self, text: &str) -> bool {
        let inside = &text[1..];
        let part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        text.len() < self.longest && inside.bytes().all(part)
    }
}
