//! `consumers` as written: who calls, and how they prove it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::{Date, Sha256};

/// Who calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// The name; told to upstreams as `Weir-Consumer`.
    pub name: Name,
    /// The team it belongs to; told to upstreams as `Weir-Team`.
    #[serde(default)]
    pub team: Option<Name>,
    /// Groups, for policies that let only some in.
    #[serde(default)]
    pub groups: Vec<Name>,
    /// How it proves who it is; several, so that one can be replaced.
    #[serde(default)]
    pub credentials: Vec<Credential>,
}

/// How a consumer proves who it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Credential {
    /// An API key. `weir key new` makes one.
    Key {
        /// Tells the keys of one consumer apart, in logs too.
        id: Name,
        /// SHA-256 of the key, 64 hexadecimal digits. The key itself is not kept.
        sha256: Sha256,
        /// The day (UTC) from which it is refused, as `2027-01-01`.
        #[serde(default)]
        expires: Option<Date>,
    },
}
