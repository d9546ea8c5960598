//! Providers: where each is called, what proves to it who calls, and what a call of it looks like.
//! Knows no model but by name.

pub(super) mod build;
mod send;
mod sign;
mod token;

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use weir_protocols::openai::chat::Profile;
use weir_protocols::{bedrock, gemini};

pub(super) use sign::Signer;
use token::Tokens;

use super::api::{Inbound, Outbound};
use crate::upstream::Upstream;

/// A provider.
pub(crate) struct Provider {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The same, as answers say it.
    pub(crate) field: HeaderValue,
    /// OpenTelemetry's word for who that is, where it has one.
    pub(crate) known: Option<&'static str>,
    /// What it speaks, to most.
    pub(crate) api: Outbound,
    /// Whether it speaks responses too, to those who call by them.
    pub(crate) responses: bool,
    /// How it wants chat requests written, if it speaks those.
    pub(crate) profile: Profile,
    /// The Host sent to it.
    pub(crate) authority: HeaderValue,
    /// What stands before the API's own paths.
    pub(crate) base: Arc<str>,
    /// For Azure: which version of its API, which has paths of its own.
    pub(crate) azure: Option<Arc<str>>,
    /// What proves who calls it.
    pub(crate) credential: Credential,
    /// The longest `Retry-After` that is waited for.
    pub(crate) longest_wait: Duration,
    /// How it is called.
    pub(crate) upstream: Arc<Upstream>,
}

/// What proves to a provider who calls.
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// A key in a header field, marked sensitive: one of several, at least one.
    Keys(HeaderName, Vec<HeaderValue>),
    /// A signature of each request.
    Signature(Signer),
    /// A token that lasts for a while: Vertex AI's.
    Token(Box<Tokens>),
}

const API_KEY: HeaderName = HeaderName::from_static("api-key");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The version of Anthropic's API that is written here.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

impl Credential {
    /// The keys, in the field where this API looks for one; each fits into a header.
    pub(crate) fn keys<'k>(
        api: Outbound,
        azure: bool,
        keys: impl Iterator<Item = &'k str>,
    ) -> Self {
        let (name, bearer) = match api {
            Outbound::Chat | Outbound::Responses if azure => (API_KEY, false),
            Outbound::Chat | Outbound::Responses | Outbound::Converse => (AUTHORIZATION, true),
            Outbound::Messages => (X_API_KEY, false),
            Outbound::Gemini => (X_GOOG_API_KEY, false),
        };
        let values: Vec<_> = keys
            .map(|key| {
                let scheme = if bearer { "Bearer " } else { "" };
                let value = HeaderValue::try_from(format!("{scheme}{key}"));
                let mut value = value.expect("`check` tried it");
                value.set_sensitive(true);
                value
            })
            .collect();
        match values.is_empty() {
            true => Self::None,
            false => Self::Keys(name, values),
        }
    }
}

impl Provider {
    /// What it speaks to who calls by `caller`.
    pub(in crate::action::llm) fn speaks(&self, caller: Inbound) -> Outbound {
        match self.responses && caller == Inbound::Responses {
            true => Outbound::Responses,
            false => self.api,
        }
    }

    /// The path and query at which `model` is asked for an answer by `api`.
    pub(in crate::action::llm) fn path(&self, api: Outbound, model: &str, stream: bool) -> String {
        let base = &self.base;
        match (api, &self.azure) {
            (Outbound::Chat, Some(version)) => {
                let model = escaped(model);
                format!("{base}/openai/deployments/{model}/chat/completions?api-version={version}")
            }
            (Outbound::Chat, None) => format!("{base}/chat/completions"),
            (Outbound::Responses, _) => format!("{base}/responses"),
            (Outbound::Messages, _) => format!("{base}/v1/messages"),
            (Outbound::Gemini, _) => {
                use gemini::path::Method;
                match stream {
                    true => format!("{}?alt=sse", self.gemini(model, Method::Stream)),
                    false => self.gemini(model, Method::Generate),
                }
            }
            (Outbound::Converse, _) => format!("{base}{}", bedrock::path(model, stream)),
        }
    }

    /// The path and query at which `model` is asked for vectors; `None` if it makes none.
    pub(in crate::action::llm) fn embeddings_path(&self, model: &str) -> Option<String> {
        let base = &self.base;
        match (self.api, &self.azure) {
            (Outbound::Chat | Outbound::Responses, Some(version)) => {
                let model = escaped(model);
                Some(format!(
                    "{base}/openai/deployments/{model}/embeddings?api-version={version}"
                ))
            }
            (Outbound::Chat | Outbound::Responses, None) => Some(format!("{base}/embeddings")),
            (Outbound::Gemini, _) if !self.is_vertex() => {
                Some(self.gemini(model, gemini::path::Method::BatchEmbed))
            }
            (Outbound::Gemini | Outbound::Messages | Outbound::Converse, _) => None,
        }
    }

    /// The path at which a provider counts what `model` would read, if it does.
    pub(in crate::action::llm) fn count_path(&self, model: &str) -> Option<String> {
        let base = &self.base;
        match self.api {
            Outbound::Messages => Some(format!("{base}/v1/messages/count_tokens")),
            Outbound::Gemini if !self.is_vertex() => {
                Some(self.gemini(model, gemini::path::Method::CountTokens))
            }
            Outbound::Gemini | Outbound::Chat | Outbound::Responses | Outbound::Converse => None,
        }
    }

    fn gemini(&self, model: &str, method: gemini::path::Method) -> String {
        let base = &self.base;
        format!("{base}{}", gemini::path::write(model, method))
    }

    /// Whether it is Vertex AI, which has other companions of `generateContent`.
    fn is_vertex(&self) -> bool {
        matches!(self.credential, Credential::Token(_))
    }

    /// Makes the fields of a caller's request those of a call to this provider: its own key instead
    /// of the caller's, and nothing that would make the answer unreadable to us. `alike` is whether
    /// it is spoken to as the caller speaks, `key` which of several is sent, and `token` what proves
    /// who calls where that is one.
    fn introduce(
        &self,
        fields: &mut HeaderMap,
        alike: bool,
        key: usize,
        token: Option<&HeaderValue>,
    ) {
        for name in [AUTHORIZATION, COOKIE, API_KEY, X_API_KEY, X_GOOG_API_KEY] {
            fields.remove(name);
        }
        if !alike {
            fields.remove(ANTHROPIC_VERSION);
            fields.remove(ANTHROPIC_BETA);
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if self.api == Outbound::Messages && !fields.contains_key(ANTHROPIC_VERSION) {
            fields.insert(ANTHROPIC_VERSION, VERSION);
        }
        if let Credential::Keys(name, values) = &self.credential {
            fields.insert(name.clone(), values[key].clone());
        }
        if let Some(token) = token {
            fields.insert(AUTHORIZATION, token.clone());
        }
        fields.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
}

/// A model's name as a segment of a path.
fn escaped(model: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    utf8_percent_encode(model, SEGMENT).to_string()
}
