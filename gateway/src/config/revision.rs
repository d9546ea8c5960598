//! A digest of everything a configuration says, whatever the order of its keys.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::snapshot::Tree;

/// The SHA-256 of `tree`, in hexadecimal.
pub(super) fn of(tree: &Tree) -> String {
    let mut hasher = Sha256::new();
    feed(&mut hasher, tree.value());
    super::units::Sha256(hasher.finalize().into()).to_string()
}

/// Feeds `value` so that no two different values feed the same bytes: each
/// begins with its type, and its length where it has one.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Array(items) => {
            hasher.update(format!("[{}:", items.len()));
            items.iter().for_each(|item| feed(hasher, item));
        }
        Value::Object(entries) => {
            hasher.update(format!("{{{}:", entries.len()));
            for (key, entry) in entries.iter().collect::<BTreeMap<_, _>>() {
                text(hasher, key);
                feed(hasher, entry);
            }
        }
        Value::String(value) => text(hasher, value),
        scalar => text(hasher, &format!("{scalar};")),
    }
}

fn text(hasher: &mut Sha256, text: &str) {
    hasher.update(format!("\"{}:", text.len()));
    hasher.update(text);
}
