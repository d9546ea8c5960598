//! What a server's methods are called, take and answer: read from a set of compiled `.proto` files
//! (google.protobuf.FileDescriptorSet), with their `google.api.http` rules. Does not know where the
//! set comes from, nor who calls.
//!
//! A [`Pool`] is made once and shared; everything that is looked up by name is looked up then.

pub(in crate::grpc) mod builtin;
mod fault;
mod read;
mod rule;
pub mod shape;

use std::fmt;
use std::sync::Arc;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use super::transcode::Message;

pub use fault::Fault;
pub use rule::{Body, Rule};

/// How much a set may be. Messages nest at most a hundred levels deep, whatever is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The length of the set, in bytes.
    pub bytes: usize,
    /// How many files it may have.
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            files: 4096,
        }
    }
}

/// Services and the types of their messages.
#[derive(Clone, Debug)]
pub struct Pool {
    types: DescriptorPool,
    services: Arc<[Service]>,
}

/// A service and its methods, in the order of its file.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name with its package, as in `helloworld.Greeter`.
    pub name: String,
    /// What can be called.
    pub methods: Vec<Arc<Method>>,
}

/// A method of a service.
#[derive(Clone)]
pub struct Method {
    /// The service with its package.
    pub service: String,
    /// Its own name.
    pub name: String,
    /// What a call is sent to: `/package.Service/Method`.
    pub path: String,
    /// Whether it takes any number of messages.
    pub client_streaming: bool,
    /// Whether it answers with any number of messages.
    pub server_streaming: bool,
    /// Whether it says that it changes nothing (`idempotency_level = NO_SIDE_EFFECTS`).
    pub only_reads: bool,
    /// Its `google.api.http` rule, and those in its `additional_bindings`.
    pub rules: Vec<Rule>,
    pub(in crate::grpc) input: MessageDescriptor,
    pub(in crate::grpc) output: MessageDescriptor,
}

impl Pool {
    /// Reads a FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` writes it.
    ///
    /// Files of `google.protobuf`, and those of `google.api` and `google.rpc` that are about HTTP and
    /// errors, need not be in it. Rules are read whether or not it has their definition.
    ///
    /// ```
    /// # use weir_protocols::grpc::descriptor::{Fault, Limits, Pool};
    /// let pool = Pool::read(b"", Limits::default())?;
    /// assert!(pool.services().is_empty());
    /// # Ok::<(), Fault>(())
    /// ```
    ///
    /// # Errors
    /// If it is none, is too much, lacks a file that another imports, or does not hold together.
    pub fn read(set: &[u8], limits: Limits) -> Result<Self, Fault> {
        let types = read::types(set, limits)?;
        let services = types.services().map(|service| read::service(&service));
        let services = services.collect::<Result<Arc<[_]>, _>>()?;
        Ok(Self { types, services })
    }

    /// All services, in the order of the files.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// All methods of all services.
    pub fn methods(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.services.iter().flat_map(|service| &service.methods)
    }

    /// The type of message of this name, with its package.
    pub fn message(&self, name: &str) -> Option<Message> {
        self.types.get_message_by_name(name).map(Message::new)
    }

    /// The type of message at a place in a file, as [`Message::indexes`] tells it.
    pub fn message_at(&self, file: &str, indexes: &[usize]) -> Option<Message> {
        let file = self.types.get_file_by_name(file)?;
        let (first, within) = indexes.split_first()?;
        let outermost = file.messages().nth(*first)?;
        let found = within.iter().try_fold(outermost, |message, index| {
            message.child_messages().nth(*index)
        });
        found.map(Message::new)
    }

    /// The names of all types of messages.
    pub fn messages(&self) -> impl Iterator<Item = String> {
        let names = self.types.all_messages();
        names.map(|message| message.full_name().to_owned())
    }

    /// The method that calls to `path` reach.
    pub fn method(&self, path: &str) -> Option<&Arc<Method>> {
        self.methods().find(|method| method.path == path)
    }
}

impl Method {
    /// The name of the type of its requests, with its package.
    pub fn input(&self) -> &str {
        self.input.full_name()
    }

    /// The name of the type of its answers, with its package.
    pub fn output(&self) -> &str {
        self.output.full_name()
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method")
            .field("path", &self.path)
            .field("client_streaming", &self.client_streaming)
            .field("server_streaming", &self.server_streaming)
            .field("input", &self.input())
            .field("output", &self.output())
            .field("rules", &self.rules)
            .finish()
    }
}
