//! `pii`, checked.

use super::pattern::{self, Pattern};
use crate::config::check::{At, Checker};
use crate::config::raw::guardrails as raw;

/// Finds what identifies people.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is looked for: at least one, none twice.
    pub detectors: Vec<Detector>,
    /// What is done about it.
    pub action: Action,
    /// Whether prompts are looked through.
    pub request: bool,
    /// Whether answers are.
    pub response: bool,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub enum Detector {
    /// What Weir knows.
    BuiltIn(BuiltIn),
    /// What a pattern says; it is bounded.
    Pattern(Pattern),
}

/// What Weir knows to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// Addresses of e-mail.
    Email,
    /// Telephone numbers.
    Phone,
    /// Numbers of cards.
    CreditCard,
    /// Numbers of bank accounts.
    Iban,
    /// IPv4 and IPv6.
    IpAddress,
    /// Social security numbers of the USA.
    UsSsn,
}

/// What is done about what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A placeholder takes its place.
    Mask {
        /// Whether the caller gets back what its placeholders stand for.
        reversible: bool,
    },
    /// The call, or its answer, is refused.
    Block,
    /// It is counted.
    Report,
}

impl BuiltIn {
    /// All, in the order in which one is preferred to another.
    pub const ALL: [Self; 6] = [
        Self::Email,
        Self::Iban,
        Self::CreditCard,
        Self::UsSsn,
        Self::IpAddress,
        Self::Phone,
    ];
}

impl Detector {
    /// What callers and metrics are told.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(BuiltIn::Email) => "email",
            Self::BuiltIn(BuiltIn::Phone) => "phone",
            Self::BuiltIn(BuiltIn::CreditCard) => "credit_card",
            Self::BuiltIn(BuiltIn::Iban) => "iban",
            Self::BuiltIn(BuiltIn::IpAddress) => "ip_address",
            Self::BuiltIn(BuiltIn::UsSsn) => "us_ssn",
            Self::Pattern(pattern) => &pattern.name,
        }
    }
}

/// Checks `pii`.
pub(in crate::config) fn check(cx: &mut Checker<'_>, at: &At, raw: &raw::Pii) -> Option<Config> {
    let (request, response) = match raw.direction {
        raw::Direction::Request => (true, false),
        raw::Direction::Response => (false, true),
        raw::Direction::Both => (true, true),
    };
    let action = match raw.action {
        raw::PiiAction::Mask { reversible } => Action::Mask { reversible },
        raw::PiiAction::Block => Action::Block,
        raw::PiiAction::Report => Action::Report,
    };
    if action == (Action::Mask { reversible: true }) && !request {
        cx.fault(
            &at.key("action").key("reversible"),
            "nothing is masked in prompts, so there is nothing to turn back",
            "use direction request or both, or leave `reversible` out",
        );
    }
    let mut detectors: Vec<Detector> = Vec::new();
    for (index, raw) in raw.detect.iter().enumerate() {
        let at = at.key("detect").index(index);
        let Some(detector) = detector(cx, &at, raw) else {
            continue;
        };
        if detectors
            .iter()
            .any(|other| other.name() == detector.name())
        {
            let message = format!("\"{}\" is given twice", detector.name());
            cx.fault(&at, message, "leave one out, or give it another name");
        }
        detectors.push(detector);
    }
    if raw.detect.is_empty() {
        detectors.extend(BuiltIn::ALL.map(Detector::BuiltIn));
    }
    (!detectors.is_empty()).then_some(Config {
        detectors,
        action,
        request,
        response,
    })
}

fn detector(cx: &mut Checker<'_>, at: &At, raw: &raw::Detector) -> Option<Detector> {
    Some(Detector::BuiltIn(match raw {
        raw::Detector::Email => BuiltIn::Email,
        raw::Detector::Phone => BuiltIn::Phone,
        raw::Detector::CreditCard => BuiltIn::CreditCard,
        raw::Detector::Iban => BuiltIn::Iban,
        raw::Detector::IpAddress => BuiltIn::IpAddress,
        raw::Detector::UsSsn => BuiltIn::UsSsn,
        raw::Detector::Pattern { name, pattern } => {
            let checked = pattern::check(cx, at, &name.0, pattern, true)?;
            return Some(Detector::Pattern(checked));
        }
    }))
}
