//! Messages of Protobuf: JSON is read as ProtoJSON, as gRPC's transcoding does, and written so.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message as _;
use prost_types::FileDescriptorProto;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use weir_protocols::grpc::descriptor::{Limits, Pool};
use weir_protocols::grpc::transcode::Message;
use weir_protocols::grpc::transcode::request::{Part, What};
use weir_protocols::grpc::transcode::response::{self, Options};

use super::{Fault, Reference};
use crate::large;

/// The name of a file that a registry gives out, which tells none; nobody imports it.
const FILE: &str = "registered.proto";

/// A message of a file, and those beside it.
pub struct Protobuf {
    pool: Pool,
    message: Message,
    indexes: Vec<usize>,
}

impl Protobuf {
    /// The message of this name in a set of descriptors.
    pub(super) fn of_set(set: &[u8], name: &str) -> Result<Self, String> {
        let pool = Pool::read(set, Limits::default()).map_err(|fault| fault.to_string())?;
        let message = named(&pool, name)?;
        Ok(Self::new(pool, message))
    }

    /// A message of a `.proto` file, the first unless named; `references` are what it imports.
    pub(super) fn of_source(
        text: &str,
        references: &[Reference],
        name: Option<&str>,
    ) -> Result<Self, String> {
        let set = compile(text, references).map_err(|error| told(&error))?;
        let pool = Pool::read(&set, Limits::default()).map_err(|fault| fault.to_string())?;
        let message = match name {
            Some(name) => named(&pool, name)?,
            None => pool.message_at(FILE, &[0]).ok_or("it defines no message")?,
        };
        Ok(Self::new(pool, message))
    }

    fn new(pool: Pool, message: Message) -> Self {
        let indexes = message.indexes();
        Self {
            pool,
            message,
            indexes,
        }
    }

    /// Where the message is in its file.
    pub(super) fn indexes(&self) -> &[usize] {
        &self.indexes
    }

    /// The message of a JSON text.
    pub(super) fn encode(&self, json: &[u8]) -> Result<Vec<u8>, Fault> {
        if json.trim_ascii().is_empty() {
            return Err(Fault::new("is empty, and no JSON"));
        }
        let read = large::work(json.len(), || self.message.read(json));
        read.map_err(|fault| Fault {
            place: fault.field.unwrap_or_default(),
            what: match (&fault.what, fault.part) {
                (What::Json { .. }, Part::Body { line, column, .. }) => {
                    format!("is no JSON: see line {line}, column {column}")
                }
                (what, _) => what.to_string(),
            },
        })
    }

    /// The JSON of a message.
    pub(super) fn decode(&self, record: Bytes) -> Result<Bytes, Fault> {
        write(&self.message, record)
    }

    /// As [`Protobuf::decode`], of the message at this place in a registered file.
    pub(super) fn decode_at(&self, indexes: &[usize], record: Bytes) -> Result<Bytes, Fault> {
        if indexes == self.indexes {
            return self.decode(record);
        }
        match self.pool.message_at(FILE, indexes) {
            Some(message) => write(&message, record),
            None => Err(Fault::new("is of a message that its schema does not have")),
        }
    }
}

fn write(message: &Message, record: Bytes) -> Result<Bytes, Fault> {
    // Whoever reads JSON expects names as the schema has them, as in Avro's and in what was sent.
    let options = Options {
        preserve_field_names: true,
        ..Options::default()
    };
    let written = large::work(record.len(), || message.write(record, options));
    written.map(Into::into).map_err(|fault| {
        Fault::new(match fault {
            response::Fault::Json { .. } => "holds what JSON cannot say",
            response::Fault::Nested => "packs messages in each other too deep",
            _ => "is no message of its schema",
        })
    })
}

fn named(pool: &Pool, name: &str) -> Result<Message, String> {
    pool.message(name).ok_or_else(|| {
        let names: Vec<String> = pool.messages().collect();
        let own = names
            .iter()
            .filter(|name| !name.starts_with("google.protobuf."));
        let own: Vec<&str> = own.take(8).map(String::as_str).collect();
        format!("it has no message \"{name}\"; it has {}", own.join(", "))
    })
}

fn compile(text: &str, references: &[Reference]) -> Result<Vec<u8>, protox::Error> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Given {
        text: text.to_owned(),
        references: references.to_vec(),
    });
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file(FILE)?;
    Ok(compiler.encode_file_descriptor_set())
}

/// What is wrong with a file, and where.
fn told(error: &protox::Error) -> String {
    match error.file() {
        Some(FILE) | None => error.to_string(),
        Some(file) => format!("of \"{file}\", {error}"),
    }
}

/// A file as registries give it out: its text, or as some of Confluent's clients register it and not every
/// registry rewrites it, its descriptor in base64. No text is both.
fn file(name: &str, text: &str) -> Result<File, protox::Error> {
    let bytes = STANDARD.decode(text.trim_ascii()).ok();
    let descriptor = bytes.and_then(|bytes| FileDescriptorProto::decode(&*bytes).ok());
    match descriptor {
        Some(mut descriptor) => {
            descriptor.name = Some(name.to_owned());
            Ok(File::from_file_descriptor_proto(descriptor))
        }
        None => File::from_source(name, text),
    }
}

/// Files that are here already: nothing is looked for on disk.
struct Given {
    text: String,
    references: Vec<Reference>,
}

impl FileResolver for Given {
    fn resolve_path(&self, _: &Path) -> Option<String> {
        None
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == FILE {
            return file(name, &self.text);
        }
        let found = self.references.iter().find(|other| other.name == name);
        match found {
            Some(found) => file(name, &found.text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

impl fmt::Debug for Protobuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Protobuf")
            .field(&self.message.name())
            .finish()
    }
}

#[cfg(test)]
mod tests;
