//! What can be wrong with an answer: always the server's doing. Holds names of types, no value.

use std::fmt;

use crate::grpc::frame;

/// Why an answer cannot be sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no stream of messages.
    Frame(frame::Fault),
    /// A message is compressed, and nothing is decompressed here: ask the server for `identity`.
    Compressed,
    /// A message is not of its type.
    Message {
        /// The type.
        name: String,
        /// What the decoder says.
        why: String,
    },
    /// A message cannot be written as JSON.
    Json {
        /// Its type.
        name: String,
        /// What the writer says.
        why: String,
    },
    /// Messages are packed in each other too deep.
    Nested,
    /// There is another number of messages than one where there is to be one.
    Messages,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(fault) => write!(f, "in the server's answer, {fault}"),
            Self::Compressed => f.write_str(
                "the server's answer is compressed although nobody asked for it: have it honour \
                 grpc-accept-encoding",
            ),
            Self::Message { name, why } => write!(
                f,
                "the server's answer is no {name} ({why}): the descriptor set is of another version \
                 than the server"
            ),
            Self::Json { name, why } => write!(
                f,
                "the server's {name} cannot be written as JSON ({why}): where a type is missing, add \
                 it to the descriptor set"
            ),
            Self::Nested => f.write_str(
                "the server's answer has messages packed in google.protobuf.Any in each other, \
                 deeper than anybody reads",
            ),
            Self::Messages => f.write_str(
                "the server's answer is not just one message, although it ended well: the method \
                 streams on one side only, or the descriptor set is of another version",
            ),
        }
    }
}

impl std::error::Error for Fault {}
