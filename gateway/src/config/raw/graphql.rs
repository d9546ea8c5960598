//! `routes[].graphql` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
use super::compose::Compose;
use super::routes::{Backend, Rewrite};
use crate::config::units::Size;

/// Passes GraphQL to an upstream, over HTTP and on WebSockets, once each operation is known to be
/// within the limits; or runs it on a graph composed of other APIs. Exactly one of `backends` and `compose`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// Upstreams, picked by weight.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// One graph from many sources, instead of `backends`.
    #[serde(default)]
    pub compose: Option<Compose>,
    /// What changes on the way.
    #[serde(default)]
    pub rewrite: Option<Rewrite>,
    /// The largest body.
    #[serde(default = "Graphql::default_max_body")]
    pub max_body: Size,
    /// The most tokens of a document, counted before it is parsed.
    #[serde(default = "Graphql::default_max_tokens")]
    #[schemars(range(min = 1, max = 1000000))]
    pub max_tokens: u64,
    /// The most fields within fields.
    #[serde(default = "Graphql::default_max_depth")]
    #[schemars(range(min = 1))]
    pub max_depth: u64,
    /// The most fields with a name of the caller's choice.
    #[serde(default = "Graphql::default_max_aliases")]
    pub max_aliases: u64,
    /// The most directives.
    #[serde(default = "Graphql::default_max_directives")]
    pub max_directives: u64,
    /// The most fields of the operation itself.
    #[serde(default = "Graphql::default_max_root_fields")]
    #[schemars(range(min = 1))]
    pub max_root_fields: u64,
    /// The most that an operation may cost, see `costs`.
    #[serde(default = "Graphql::default_max_cost")]
    pub max_cost: u64,
    /// What fields cost. Quotas of the unit `graphql_cost` count the same.
    #[serde(default)]
    pub costs: Costs,
    /// The upstream's schema in the definition language, as `${file:schema.graphql}`: with it, fields
    /// are told by their types. Without it, `Type.field` means every field of that name.
    #[serde(default)]
    pub schema: Option<String>,
    /// Who may ask for the schema, by `__schema` and `__type`.
    #[serde(default)]
    pub introspection: Introspection,
    /// Whether several operations may come in one request.
    #[serde(default)]
    pub batching: Batching,
    /// Whether callers may subscribe.
    #[serde(default)]
    pub subscriptions: Subscriptions,
    /// Documents that go by a name. Any document runs and none has a name, if not said.
    #[serde(default)]
    pub documents: Option<Documents>,
    /// Fields that only some may ask for. A request that asks for one without being in any of its
    /// groups is refused whole.
    #[serde(default)]
    pub authorization: Vec<Guarded>,
}

impl Graphql {
    const fn default_max_body() -> Size {
        Size::kib(1024)
    }

    const fn default_max_tokens() -> u64 {
        2_000
    }

    const fn default_max_depth() -> u64 {
        10
    }

    const fn default_max_aliases() -> u64 {
        30
    }

    const fn default_max_directives() -> u64 {
        50
    }

    const fn default_max_root_fields() -> u64 {
        20
    }

    const fn default_max_cost() -> u64 {
        1_000
    }
}

/// What fields cost: each its own figure and those of the fields within it, times the longest list
/// that one of its arguments asks for.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "GraphqlCosts")]
pub struct Costs {
    /// Of a field that is not in `fields`.
    pub default: u64,
    /// Of fields, as `{ Query.search: 10, "*.avatar": 5 }`. The most, where several may be meant.
    pub fields: BTreeMap<String, u64>,
    /// Arguments that say how long a list is asked for.
    pub lists: Vec<String>,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            default: 1,
            fields: BTreeMap::new(),
            lists: ["first", "last", "limit"].map(str::to_owned).into(),
        }
    }
}

/// Who may ask for the schema.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GraphqlIntrospection")]
pub enum Introspection {
    /// Nobody.
    #[default]
    Nobody,
    /// Everybody whom the route lets in.
    Everybody,
    /// Consumers in these groups. Needs `key_auth` on the route.
    Groups {
        /// The groups; one suffices.
        #[schemars(length(min = 1))]
        groups: Vec<Name>,
    },
}

/// Whether several operations may come in one request, as a JSON array.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GraphqlBatching")]
pub enum Batching {
    /// No.
    #[default]
    None,
    /// Yes. Each is held to the limits by itself, and quotas of the unit `graphql_cost` count all.
    Array {
        /// The most operations of a request.
        #[serde(default = "Batching::default_max")]
        #[schemars(range(min = 1, max = 1000))]
        max: usize,
    },
}

impl Batching {
    const fn default_max() -> usize {
        10
    }
}

/// Whether callers may subscribe.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GraphqlSubscriptions")]
pub enum Subscriptions {
    /// No: they are refused, and so are WebSocket connections.
    #[default]
    Refuse,
    /// Yes: over HTTP, as the upstream streams them (`text/event-stream`), and on WebSocket connections
    /// of the subprotocol `graphql-transport-ws`, on which each operation is held to the limits as over
    /// HTTP. The subscriptions of a composed graph are what its `feeds` tell.
    Pass {
        /// The most operations in flight on a connection; one more is refused.
        #[serde(default = "Subscriptions::default_max_in_flight")]
        #[schemars(range(min = 1, max = 10000))]
        max_in_flight: usize,
        /// The largest message on a connection, either way.
        #[serde(default = "Subscriptions::default_max_message")]
        max_message: Size,
        /// Origins whose pages may open connections: `https://shop.example.com`,
        /// `https://*.example.com` or `*`. If not said, those of the host that is asked for. Who is no
        /// browser sends none, and is let in.
        #[serde(default)]
        origins: Option<Vec<String>>,
    },
}

impl Subscriptions {
    const fn default_max_in_flight() -> usize {
        100
    }

    const fn default_max_message() -> Size {
        Size::kib(1024)
    }
}

/// Documents that go by a name: `extensions.persistedQuery.sha256Hash` or `documentId`. The upstream
/// is sent the whole document, by POST.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GraphqlDocuments")]
pub enum Documents {
    /// Trusted documents: only those of the manifests run, by name or in full.
    AllowList {
        /// Manifests, as `${file:persisted-query-manifest.json}`: Apollo's, or a JSON map from names
        /// to documents.
        #[schemars(length(min = 1))]
        manifests: Vec<String>,
    },
    /// Automatic persisted queries: a document that was sent once goes by its hash afterwards.
    Automatic {
        /// Where documents are kept.
        #[serde(default)]
        store: DocumentStore,
    },
}

/// Where documents are kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GraphqlDocumentStore")]
pub enum DocumentStore {
    /// In this process: those that were not asked for longest make room. Forgotten by a restart or
    /// a reload; clients then send them again by themselves.
    Memory {
        /// What the documents of the route may take, 1MiB to 64GiB.
        #[serde(default = "DocumentStore::default_max_size")]
        max_size: Size,
    },
}

impl DocumentStore {
    const fn default_max_size() -> Size {
        Size::kib(16 * 1024)
    }
}

impl Default for DocumentStore {
    fn default() -> Self {
        Self::Memory {
            max_size: Self::default_max_size(),
        }
    }
}

/// A field that only some may ask for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuardedField")]
pub struct Guarded {
    /// The field, as `Query.secrets`; `*.ssn` for one of any type.
    pub field: String,
    /// Groups whose consumers may ask for it; one suffices. Needs `key_auth` on the route.
    #[schemars(length(min = 1))]
    pub groups: Vec<Name>,
}
