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
    /// Compresses answers for callers who accept that.
    Compression(Compression),
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

/// `compression`: compresses answers of upstreams for callers who accept that (RFC 9110, 8.4).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compression {
    /// The encodings offered. Which one is used is the caller's to say; among those it likes
    /// alike, the first one here.
    #[schemars(length(min = 1))]
    pub encodings: Vec<Encoding>,
    /// Answers that are known to be shorter stay as they are.
    pub min_length: Size,
    /// The media types that are compressed: `application/json`, `text/*`, `*/*`, or `+json` for
    /// all whose name ends like that.
    #[schemars(length(min = 1))]
    pub types: Vec<String>,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            encodings: vec![
                Encoding::Zstd { level: 3 },
                Encoding::Br { level: 4 },
                Encoding::Gzip { level: 6 },
            ],
            min_length: Size(1 << 10),
            types: TYPES.map(str::to_owned).to_vec(),
        }
    }
}

/// What is usually text, and is not compressed already.
const TYPES: [&str; 13] = [
    "text/*",
    "+json",
    "+xml",
    "+yaml",
    "application/json",
    "application/x-ndjson",
    "application/jsonl",
    "application/xml",
    "application/yaml",
    "application/javascript",
    "application/wasm",
    "font/ttf",
    "font/otf",
];

/// An encoding, and how hard it tries.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Encoding {
    /// Zstandard (RFC 8878), in a window of 128 KiB.
    Zstd {
        /// From 1, the fastest, to 6; 3, if not said.
        #[serde(default = "Encoding::zstd")]
        #[schemars(range(min = 1, max = 6))]
        level: u32,
    },
    /// Brotli (RFC 7932), in a window of 128 KiB.
    Br {
        /// From 0, the fastest, to 6; 4, if not said.
        #[serde(default = "Encoding::br")]
        #[schemars(range(min = 0, max = 6))]
        level: u32,
    },
    /// Gzip (RFC 1952).
    Gzip {
        /// From 1, the fastest, to 9; 6, if not said.
        #[serde(default = "Encoding::gzip")]
        #[schemars(range(min = 1, max = 9))]
        level: u32,
    },
}

impl Encoding {
    const fn zstd() -> u32 {
        3
    }

    const fn br() -> u32 {
        4
    }

    const fn gzip() -> u32 {
        6
    }
}
