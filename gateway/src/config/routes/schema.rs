//! What the values of a route's records are, checked: schemas of files are compiled, those of a
//! registry are asked for when a record comes.

use std::sync::Arc;

use crate::config::check::{At, Checker, Noun};
use crate::config::raw::schema as raw;
use crate::schema::Codec;

/// What the values of records are.
#[derive(Debug, Clone)]
pub enum Schema {
    /// What a file says.
    File(Arc<Codec>),
    /// What a registry says.
    Registry(Subject),
}

/// A subject of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The registry's name; it exists.
    pub registry: Arc<str>,
    /// The subject's, unless the topic says.
    pub name: Option<Arc<str>>,
    /// Which version; the latest, if `None`.
    pub version: Option<u32>,
    /// The type of the message, if the schema is Protobuf's; the first of its file, if `None`.
    pub message: Option<Arc<str>>,
}

/// Checks what `schema` says of values that are read, and never written: a record says itself by which schema
/// of a registry it was written. `owner` is the team whose registries may be named.
pub(in crate::config) fn check_read(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Schema,
    owner: Option<&Arc<str>>,
) -> Option<Schema> {
    if let raw::Schema::Registry {
        subject,
        version,
        message,
        ..
    } = raw
    {
        let said = [
            ("subject", subject.is_some()),
            ("version", version.is_some()),
            ("message", message.is_some()),
        ];
        for (name, _) in said.into_iter().filter(|(_, said)| *said) {
            let message = "each record says itself by which schema of the registry it was written";
            cx.fault(&at.key(name), message, "leave it out");
        }
    }
    check(cx, at, raw, owner)
}

/// Checks what `schema` says. `owner` is the team whose registries may be named.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Schema,
    owner: Option<&Arc<str>>,
) -> Option<Schema> {
    match raw {
        raw::Schema::Json { file } => {
            let hint = "see json-schema.org; a schema refers to nothing beyond itself";
            of_text(cx, &at.key("file"), file, hint, |text| {
                Codec::json(text, &[])
            })
        }
        raw::Schema::Avro { file } => {
            let hint = "see avro.apache.org; a schema defines every type that it names";
            of_text(cx, &at.key("file"), file, hint, |text| {
                Codec::avro(text, &[])
            })
        }
        raw::Schema::Protobuf {
            descriptors,
            message,
        } => {
            let at = at.key("descriptors");
            let set = cx.read(&at, descriptors)?;
            let hint =
                "write it with `protoc --include_imports --descriptor_set_out` or `buf build`";
            built(
                cx,
                &at,
                descriptors,
                hint,
                Codec::descriptors(&set, message),
            )
        }
        raw::Schema::Registry {
            registry,
            subject,
            version,
            message,
        } => {
            let at = at.key("registry");
            let registry = cx.resolve(&at, Noun::SchemaRegistry, &registry.0, owner)?;
            Some(Schema::Registry(Subject {
                registry,
                name: subject.as_deref().map(Into::into),
                version: *version,
                message: message.as_deref().map(Into::into),
            }))
        }
    }
}

fn of_text(
    cx: &mut Checker<'_>,
    at: &At,
    file: &str,
    hint: &str,
    compile: impl FnOnce(&str) -> Result<Codec, String>,
) -> Option<Schema> {
    let bytes = cx.read(at, file)?;
    let codec = match std::str::from_utf8(&bytes) {
        Ok(text) => compile(text),
        Err(_) => Err("it is no text".to_owned()),
    };
    built(cx, at, file, hint, codec)
}

fn built(
    cx: &mut Checker<'_>,
    at: &At,
    file: &str,
    hint: &str,
    codec: Result<Codec, String>,
) -> Option<Schema> {
    match codec {
        Ok(codec) => Some(Schema::File(Arc::new(codec))),
        Err(why) => {
            cx.fault(at, format!("\"{file}\" cannot be used: {why}"), hint);
            None
        }
    }
}
