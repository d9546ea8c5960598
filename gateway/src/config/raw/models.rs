//! `models` as written: the names callers use, and what stands behind each.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::ModelName;

/// A model name callers use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What callers write in `model`.
    pub name: ModelName,
    /// What answers: one target.
    #[schemars(length(min = 1))]
    pub targets: Vec<Target>,
}

/// A provider's model.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name of an entry of `providers`.
    pub provider: Name,
    /// What the provider calls the model.
    pub model: ModelName,
}
