//! What answers may not say: an answer in which it comes ends there.

use std::sync::Arc;

use weir_telemetry::Code;

use super::Named;
use crate::config::policies::pattern::Pattern;
use crate::error::GatewayError;
use crate::policy::speech::find::{self, Rule};
use crate::policy::speech::window::{Piece, Reach, Window};
use crate::policy::speech::{Answers, Filter, Kind};

/// What answers may not say.
pub(super) struct Denied {
    rules: Vec<Rule>,
    names: Vec<Named>,
    reach: Reach,
}

impl Denied {
    /// `None` if there is nothing. Every pattern is bounded.
    pub(super) fn new(patterns: &[Pattern], named: &dyn Fn(&str) -> Named) -> Option<Self> {
        let longest = patterns
            .iter()
            .filter_map(|pattern| pattern.longest)
            .max()?;
        let rule = |pattern: &Pattern| Rule {
            regex: pattern.regex.clone(),
            accept: find::anything,
        };
        Some(Self {
            rules: patterns.iter().map(rule).collect(),
            names: patterns
                .iter()
                .map(|pattern| named(&pattern.name))
                .collect(),
            reach: Reach {
                longest,
                words: false,
            },
        })
    }
}

impl Answers for Denied {
    fn filter(self: Arc<Self>, _kind: Kind) -> Option<Box<dyn Filter>> {
        Some(Box::new(Denying {
            denied: self,
            window: Window::default(),
        }))
    }
}

/// One text.
struct Denying {
    denied: Arc<Denied>,
    window: Window,
}

impl Denying {
    fn push(&mut self, text: &str, last: bool, out: &mut String) -> Result<(), GatewayError> {
        let Self { denied, window } = self;
        let rules = (&*denied.rules, denied.reach);
        window.push(rules, text, last, &mut |piece| match piece {
            Piece::Plain(text) => {
                out.push_str(text);
                Ok(())
            }
            Piece::Found(rule, _) => {
                let Named { name, refused } = &denied.names[rule];
                refused.add(1);
                let public =
                    format!("The rule \"{name}\" of this route does not let this answer pass.");
                let met = format!("the answer meets the rule \"{name}\"");
                Err(GatewayError::public(Code::CompletionDenied, public).source(met))
            }
        })
    }
}

impl Filter for Denying {
    fn text(&mut self, text: &str, out: &mut String) -> Result<(), GatewayError> {
        self.push(text, false, out)
    }

    fn end(&mut self, out: &mut String) -> Result<(), GatewayError> {
        self.push("", true, out)
    }
}
