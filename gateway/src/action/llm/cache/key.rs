//! What tells one call from another: SHA-256 over everything that changes its answer, and over who
//! may be given it. From a key nobody learns what was asked.

use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use weir_protocols::llm::{Part, Role};
use weir_protocols::texts::{self, Dialect, Texts};

use super::canonical::canonical;
use crate::action::llm::api::Inbound;
use crate::action::llm::ask::Asked;
use crate::action::llm::model::Model;
use crate::config::routes::cache::Scope;
use crate::runtime::Consumer;

/// The name of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(pub(super) [u8; 32]);

/// Changes with what goes into keys, so that answers kept by another version are not found.
const VERSION: &[u8] = b"weir answers 1";

/// Header fields that change an answer where the provider speaks as the caller does.
const FIELDS: [&str; 5] = [
    "anthropic-beta",
    "anthropic-version",
    "openai-beta",
    "openai-organization",
    "openai-project",
];

/// Who may be given an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// One consumer.
    Consumer(Arc<str>),
    /// All of one team.
    Team(Arc<str>),
    /// Everybody.
    Everybody,
}

impl Whose {
    /// Whose answers a caller gets; `None` if nobody can say.
    pub(super) fn of(scope: Scope, consumer: Option<&Consumer>) -> Option<Self> {
        Some(match scope {
            Scope::Consumer => Self::Consumer(consumer?.name.clone()),
            Scope::Team => Self::Team(consumer?.team.clone()?),
            Scope::Shared => Self::Everybody,
        })
    }
}

/// A call that is looked up.
pub(super) struct Question<'q> {
    pub(super) route: &'q str,
    pub(super) model: &'q Model,
    pub(super) whose: Whose,
    pub(super) headers: &'q HeaderMap,
    pub(super) asked: &'q Asked<'q>,
}

impl Question<'_> {
    /// Its key. `None` if it has none: what it says is known to its provider alone, or could be read
    /// in two ways.
    pub(super) fn key(&self) -> Option<Key> {
        let asked = self.asked;
        let form = match asked.embed() {
            Some(_) => Form::Vectors,
            None => self.form()?,
        };
        let body = canonical(asked.body(), passing(asked))?;
        let mut parts = Parts::new();
        self.about(form, &mut parts);
        parts.part(&body);
        Some(parts.key())
    }

    /// What it has to share with another that may mean the same, all but the text of its last turn,
    /// and that text; `maker` is who says what texts mean. `None` if nothing else will do but the same
    /// call.
    pub(super) fn group(&self, maker: &[&[u8]]) -> Option<(Key, String)> {
        let asked = self.asked;
        let form = self.form()?;
        let (body, text) = without_last(asked)?;
        let body = canonical(&body, passing(asked))?;
        let mut parts = Parts::new();
        parts.part(b"means the same as");
        maker.iter().for_each(|of| parts.part(of));
        self.about(form, &mut parts);
        parts.part(&body);
        Some((parts.key(), text))
    }

    /// All but the request itself.
    fn about(&self, form: Form, parts: &mut Parts) {
        parts.part(self.route.as_bytes());
        self.whose(parts);
        self.model(parts);
        parts.part(dialect(self.asked.api).as_bytes());
        parts.part(form.word().as_bytes());
        for name in FIELDS {
            let values: Vec<_> = self.headers.get_all(name).iter().collect();
            parts.part(&values.len().to_le_bytes());
            values.iter().for_each(|value| parts.part(value.as_bytes()));
        }
    }

    /// Whether a stream can be told as a document and a document as a stream: what only the
    /// provider's own dialect has words for would be lost.
    fn form(&self) -> Option<Form> {
        let all = self.asked.in_full()?;
        let passing = passing(self.asked);
        let known = all.unknown.iter().all(|name| passing.contains(&&**name));
        Some(match (known && all.logprobs.is_none(), all.stream) {
            (true, _) => Form::Either,
            (false, true) => Form::Stream,
            (false, false) => Form::Whole,
        })
    }

    fn whose(&self, parts: &mut Parts) {
        let (word, name): (&str, &str) = match &self.whose {
            Whose::Consumer(name) => ("consumer", name),
            Whose::Team(name) => ("team", name),
            Whose::Everybody => ("everybody", ""),
        };
        parts.part(word.as_bytes());
        parts.part(name.as_bytes());
    }

    /// The model, and who answers for it: another configuration is another model.
    fn model(&self, parts: &mut Parts) {
        parts.part(self.model.name.as_bytes());
        parts.part(&self.model.targets.len().to_le_bytes());
        for target in &self.model.targets {
            let provider = &target.provider;
            parts.part(provider.name.as_bytes());
            parts.part(provider.authority.as_bytes());
            parts.part(provider.base.as_bytes());
            parts.part(target.model.as_bytes());
        }
    }
}

/// How an answer may be told.
#[derive(Clone, Copy)]
enum Form {
    Either,
    Stream,
    Whole,
    Vectors,
}

impl Form {
    const fn word(self) -> &'static str {
        match self {
            Self::Either => "either",
            Self::Stream => "stream",
            Self::Whole => "whole",
            Self::Vectors => "vectors",
        }
    }
}

const fn dialect(api: Inbound) -> &'static str {
    match api {
        Inbound::Chat => "chat",
        Inbound::Responses => "responses",
        Inbound::Messages => "messages",
        Inbound::Gemini => "gemini",
        Inbound::Prompt => "prompt",
    }
}

/// The longest text that is compared with others, in bytes: embeddings of longer ones say little, and
/// most models make none.
const LONGEST: usize = 24 << 10;

/// A call without the text of its last turn, and that text; `None` if it is not one text of the
/// caller's, and nothing else.
fn without_last(asked: &Asked<'_>) -> Option<(Vec<u8>, String)> {
    let all = asked.in_full()?;
    let last = all.messages.last().filter(|turn| turn.role == Role::User)?;
    let mut parts = last.parts.iter().filter(|part| **part != Part::CachePoint);
    let (Some(Part::Text(text)), None) = (parts.next(), parts.next()) else {
        return None;
    };
    if text.trim().is_empty() || text.len() > LONGEST {
        return None;
    }
    let dialect = match asked.api {
        Inbound::Chat => Dialect::Chat,
        Inbound::Responses => Dialect::Responses,
        Inbound::Messages => Dialect::Messages,
        Inbound::Gemini => Dialect::Gemini,
        Inbound::Prompt => return None,
    };
    let mut texts = Texts::read(dialect, asked.body()).ok()?;
    let is_last = |(role, said): (texts::Role, &str)| role == texts::Role::User && *said == **text;
    let at = texts
        .iter()
        .collect::<Vec<_>>()
        .into_iter()
        .rposition(is_last)?;
    texts.change(at, String::new());
    Some((texts.finish()?, text.to_string()))
}

/// Members that change no answer, but how it is sent, or whom it is accounted to.
const fn passing(asked: &Asked<'_>) -> &'static [&'static str] {
    match asked.api {
        Inbound::Chat | Inbound::Responses => &[
            "stream",
            "stream_options",
            "user",
            "safety_identifier",
            "metadata",
            "prompt_cache_key",
            "prompt_cache_retention",
        ],
        Inbound::Messages => &["stream", "metadata"],
        Inbound::Gemini => &["labels"],
        Inbound::Prompt => &[],
    }
}

/// What a key is made of, part by part; no two lists of parts run together.
struct Parts(Sha256);

impl Parts {
    fn new() -> Self {
        let mut parts = Self(Sha256::new());
        parts.part(VERSION);
        parts
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn key(self) -> Key {
        Key(self.0.finalize().into())
    }
}

impl Key {
    /// In hexadecimal, as other processes find it.
    pub(super) fn hex(&self) -> String {
        crate::config::units::Sha256(self.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let key = |texts: &[&str]| {
            let mut parts = Parts::new();
            texts.iter().for_each(|text| parts.part(text.as_bytes()));
            parts.key().hex()
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab", ""]), key(&["ab"]));
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        assert_eq!(key(&[]).len(), 64);
    }

    #[test]
    fn nobody_unknown_is_given_what_is_somebodys() {
        let consumer = |team: Option<&str>| Consumer {
            name: "ci".into(),
            team: team.map(Into::into),
            groups: Vec::new(),
            keys: Vec::new(),
        };
        let (alone, member) = (consumer(None), consumer(Some("shop")));
        assert_eq!(Whose::of(Scope::Consumer, None), None);
        assert_eq!(Whose::of(Scope::Team, None), None);
        assert_eq!(Whose::of(Scope::Team, Some(&alone)), None);
        let own = Some(Whose::Consumer("ci".into()));
        assert_eq!(Whose::of(Scope::Consumer, Some(&alone)), own);
        let team = Some(Whose::Team("shop".into()));
        assert_eq!(Whose::of(Scope::Team, Some(&member)), team);
        assert_eq!(Whose::of(Scope::Shared, None), Some(Whose::Everybody));
    }
}
