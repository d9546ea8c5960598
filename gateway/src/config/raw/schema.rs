//! `schema` of a route whose records have one, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;

/// What the values of records are. Callers send and get JSON.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "RecordSchema")]
pub enum Schema {
    /// JSON that a JSON Schema describes, sent on as it is.
    Json {
        /// The file of the schema.
        file: String,
    },
    /// Avro's binary encoding.
    Avro {
        /// The file of the schema, in JSON.
        file: String,
    },
    /// A message of Protobuf.
    Protobuf {
        /// The compiled `.proto` files: a FileDescriptorSet, as
        /// `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` writes it.
        descriptors: String,
        /// The type of the message, with its package.
        message: String,
    },
    /// Whatever a schema registry says, with the schema's id before each value.
    Registry {
        /// The name of an entry of `schema_registries`.
        registry: Name,
        /// The subject. That of the topic's values, `TOPIC-value`, if not said.
        #[serde(default)]
        #[schemars(length(min = 1))]
        subject: Option<String>,
        /// The version of the subject. The latest, if not said.
        #[serde(default)]
        #[schemars(range(min = 1))]
        version: Option<u32>,
        /// The type of the message, with its package, if the schema is Protobuf's. The first one of
        /// its file, if not said.
        #[serde(default)]
        message: Option<String>,
    },
}
