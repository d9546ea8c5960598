//! What can be wrong with a set of files, and in which.

use std::fmt;

/// Why a set of files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than allowed, in bytes.
    TooLong {
        /// How long it is.
        length: usize,
        /// How long it may be.
        max: usize,
    },
    /// It has more files than allowed.
    TooManyFiles {
        /// How many it has.
        files: usize,
        /// How many it may have.
        max: usize,
    },
    /// Its bytes are no FileDescriptorSet.
    NotASet {
        /// What the decoder says.
        why: String,
    },
    /// It lacks a file.
    MissingImport {
        /// The file that imports it.
        file: String,
        /// The file that is missing.
        import: String,
    },
    /// A file is no valid one.
    File {
        /// Which, where that is known.
        file: Option<String>,
        /// What is wrong with it.
        why: String,
    },
    /// A method has an HTTP rule that is none.
    Rule {
        /// The method's path.
        method: String,
        /// What is wrong with its rule.
        why: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length, max } => write!(
                f,
                "the descriptor set is {length} bytes long, more than the {max} allowed: leave out \
                 files that no method needs, and source information"
            ),
            Self::TooManyFiles { files, max } => write!(
                f,
                "the descriptor set has {files} files, more than the {max} allowed: leave out those \
                 that no method needs"
            ),
            Self::NotASet { why } => write!(
                f,
                "these bytes are no descriptor set ({why}): make one with `protoc --include_imports \
                 --descriptor_set_out=FILE` or `buf build -o FILE`"
            ),
            Self::MissingImport { file, import } => write!(
                f,
                "{file} imports {import}, which is not in the descriptor set: make the set with \
                 --include_imports"
            ),
            Self::File { file, why } => {
                let file = file.as_deref().unwrap_or("a file");
                write!(f, "{file} of the descriptor set is not valid: {why}")
            }
            Self::Rule { method, why } => write!(f, "the google.api.http rule of {method} {why}"),
        }
    }
}

impl std::error::Error for Fault {}
