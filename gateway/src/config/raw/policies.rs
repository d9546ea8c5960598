//! Policies as written: the kinds, and the lists every route gets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
use super::guardrails::{ExternalGuard, Pii, Prompt, PromptGuard};
use crate::config::units::{Duration, Size};

/// Policies that every route gets.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// On every route; no route can remove them.
    pub enforced: Vec<Policy>,
    /// On every route that has none of the same kind itself.
    pub default: Vec<Policy>,
}

/// One policy.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Policy {
    /// Lets in who presents a key of a consumer.
    KeyAuth(KeyAuth),
    /// Counts requests or tokens and refuses what exceeds the limit.
    Quota(Quota),
    /// Answers browsers' preflights and marks answers as readable by other origins.
    Cors(Cors),
    /// Lets in by client address.
    IpRestriction(IpRestriction),
    /// Refuses bodies that are too large.
    RequestSize(RequestSize),
    /// Sets, adds and removes header fields.
    Headers(Headers),
    /// Adds messages to prompts.
    Prompt(Prompt),
    /// Lets prompts and answers pass by what they say and how long they are.
    PromptGuard(PromptGuard),
    /// Finds what identifies people in prompts and answers.
    Pii(Pii),
    /// Asks a service of yours whether a prompt may pass.
    ExternalGuard(ExternalGuard),
}

/// `key_auth`: lets in who presents a key of a consumer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyAuth {
    /// Where the key is looked for, in this order. `Authorization: Bearer`,
    /// the header `x-api-key` and, as Google's SDKs send it, `x-goog-api-key`,
    /// if not said.
    #[schemars(length(min = 1))]
    pub sources: Vec<KeySource>,
    /// Takes the key out of what upstreams see.
    pub hide: bool,
    /// Lets only these consumers in; together with `groups`, either suffices.
    pub consumers: Vec<Name>,
    /// Lets only consumers of these groups in.
    pub groups: Vec<Name>,
}

impl Default for KeyAuth {
    fn default() -> Self {
        Self {
            sources: vec![
                KeySource::Bearer,
                KeySource::Header {
                    name: "x-api-key".to_owned(),
                },
                KeySource::Header {
                    name: "x-goog-api-key".to_owned(),
                },
            ],
            hide: true,
            consumers: Vec::new(),
            groups: Vec::new(),
        }
    }
}

/// Where a key is looked for.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeySource {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header field that holds the key alone.
    Header {
        /// Its name.
        name: String,
    },
    /// A parameter of the query.
    Query {
        /// Its name.
        name: String,
    },
    /// A subprotocol `weir.key.KEY` that is offered for a WebSocket, where KEY is the key in
    /// Base64 for URLs (RFC 4648, 5) without padding: pages cannot say who they are in another way.
    /// It goes no further.
    Subprotocol,
}

/// `quota`: counts requests or tokens and refuses what exceeds the limit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "QuotaPolicy")]
pub struct Quota {
    /// Names of entries of `quotas`. A request needs room in all of them.
    #[schemars(length(min = 1))]
    pub quotas: Vec<Name>,
}

/// `cors`: lets browsers on other origins read answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins allowed, as `https://shop.example.com`, `https://*.example.com`, or `*`.
    #[schemars(length(min = 1))]
    pub origins: Vec<String>,
    /// Methods allowed.
    #[serde(default = "Cors::default_methods")]
    pub methods: Vec<String>,
    /// Request header fields allowed; those the preflight asks for, if empty.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Response header fields scripts may read.
    #[serde(default)]
    pub expose: Vec<String>,
    /// Allows cookies and `Authorization`; not together with the origin `*`.
    #[serde(default)]
    pub credentials: bool,
    /// How long browsers may remember a preflight's answer.
    #[serde(default = "Cors::default_max_age")]
    pub max_age: Duration,
}

impl Cors {
    fn default_methods() -> Vec<String> {
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
            .map(str::to_owned)
            .to_vec()
    }

    fn default_max_age() -> Duration {
        Duration::from_secs(600)
    }
}

/// `ip_restriction`: lets in by client address. `deny` wins over `allow`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IpRestriction {
    /// Addresses and networks let in; all, if empty.
    pub allow: Vec<String>,
    /// Addresses and networks refused.
    pub deny: Vec<String>,
}

/// `request_size`: refuses bodies that are too large.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestSize {
    /// The largest request body.
    pub max: Size,
}

/// `headers`: sets, adds and removes header fields.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Headers {
    /// On the request, before the action.
    pub request: HeaderEdits,
    /// On the answer, before it is sent.
    pub response: HeaderEdits,
}

/// Changes to header fields: removed, then set, then added.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderEdits {
    /// Fields replaced, or made if they are missing.
    pub set: BTreeMap<String, String>,
    /// Fields added beside those of the same name.
    pub add: BTreeMap<String, String>,
    /// Fields removed.
    pub remove: Vec<String>,
}
