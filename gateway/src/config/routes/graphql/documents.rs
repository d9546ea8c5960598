//! Documents that go by a name: read once, when the configuration is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use weir_protocols::graphql::document::Document;
use weir_protocols::graphql::manifest;

use crate::config::check::{At, Checker};
use crate::config::raw::graphql as raw;

/// Which documents go by a name, and whether others run.
#[derive(Debug, Clone)]
pub enum Documents {
    /// Any document runs, and none has a name.
    Any,
    /// Only these run.
    AllowList(Arc<Trusted>),
    /// Any runs, and goes by its hash afterwards; they may take so many bytes.
    Automatic(u64),
}

/// A document and its text.
pub struct Known {
    /// As it was written.
    pub text: Box<str>,
    /// What it says.
    pub document: Document,
}

/// Without the text: its values may be somebody's.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}

/// The documents that a route trusts.
#[derive(Debug, Default)]
pub struct Trusted {
    /// By what its manifest calls it, and by its SHA-256 in small hexadecimal digits.
    by_name: HashMap<String, Arc<Known>>,
    /// The type and name of each operation that has one, in order, each once.
    operations: Vec<(&'static str, Box<str>)>,
}

impl Trusted {
    /// The document of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Known>> {
        self.by_name.get(name)
    }

    /// The operations that have a name: their type and that.
    pub fn operations(&self) -> Vec<(&str, &str)> {
        let each = self.operations.iter();
        each.map(|(ty, name)| (*ty, &**name)).collect()
    }

    fn add(&mut self, id: String, known: Known) -> Result<(), &'static str> {
        let hash = format!("{:x}", Sha256::digest(known.text.as_bytes()));
        let known = Arc::new(known);
        for name in [id, hash] {
            let before = self.by_name.insert(name, known.clone());
            if before.is_some_and(|before| before.text != known.text) {
                return Err("two documents go by this name");
            }
        }
        for name in known.document.operation_names() {
            if let Ok(operation) = known.document.operation(Some(name)) {
                self.operations.push((operation.ty().name(), name.into()));
            }
        }
        Ok(())
    }
}

/// Checks which documents go by a name.
pub(super) fn check(cx: &mut Checker<'_>, at: &At, raw: &raw::Graphql) -> Option<Documents> {
    match &raw.documents {
        None => Some(Documents::Any),
        Some(raw::Documents::AllowList { manifests }) => {
            let at = at.key("manifests");
            let trusted = trusted(cx, &at, manifests, raw.max_tokens);
            trusted.map(|trusted| Documents::AllowList(Arc::new(trusted)))
        }
        Some(raw::Documents::Automatic { store }) => {
            let raw::DocumentStore::Memory { max_size } = store;
            if !(1 << 20..=64 << 30).contains(&max_size.0) {
                let at = at.key("store").key("max_size");
                cx.fault(&at, "this is out of range", "give 1MiB to 64GiB");
            }
            Some(Documents::Automatic(max_size.0))
        }
    }
}

fn trusted(
    cx: &mut Checker<'_>,
    at: &At,
    manifests: &[String],
    max_tokens: u64,
) -> Option<Trusted> {
    let mut trusted = Trusted::default();
    let mut sound = true;
    for (index, text) in manifests.iter().enumerate() {
        let at = at.index(index);
        let mut fault = |message: String, hint: &str| {
            cx.fault(&at, message, hint);
            sound = false;
        };
        let entries = match manifest::parse(text) {
            Ok(entries) => entries,
            Err(why) => {
                fault(
                    format!("this is no manifest: {why}"),
                    "give the file that your client's tool writes, as \"${file:manifest.json}\"",
                );
                continue;
            }
        };
        for entry in entries {
            let id = shown(&entry.id);
            let added = Document::parse(&entry.document, max_tokens)
                .map_err(|fault| fault.to_string())
                .and_then(|document| {
                    let text = entry.document.into_boxed_str();
                    let added = trusted.add(entry.id, Known { text, document });
                    added.map_err(str::to_owned)
                });
            if let Err(why) = added {
                let message = format!("the document \"{id}\" cannot be used: {why}");
                fault(message, "mend the manifest, or raise `max_tokens`");
            }
        }
    }
    trusted.operations.sort_unstable();
    trusted.operations.dedup();
    sound.then_some(trusted)
}

/// A name, in a line.
fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(80).collect()
}
