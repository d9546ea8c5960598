//! Documents that came of late, with their parse, within a number of bytes: those that were not asked for
//! longest make room. In parts with a lock each, held for a look-up only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::routes::graphql::Known;

/// The SHA-256 of a document's text.
pub(super) type Hash = [u8; 32];

/// All that is kept.
pub(super) struct Shelf {
    parts: Box<[Mutex<Part>]>,
    /// What a part may take, in bytes.
    most: usize,
}

#[derive(Default)]
struct Part {
    documents: HashMap<Hash, Held, ahash::RandomState>,
    /// Hashes by when they were last asked for.
    order: BTreeMap<u64, Hash>,
    /// Counts uses.
    turn: u64,
    /// What all take.
    size: usize,
}

struct Held {
    known: Arc<Known>,
    used: u64,
}

const PARTS: usize = 16;

impl Shelf {
    /// Nothing yet, and never more than so many bytes.
    pub(super) fn new(max_size: u64) -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            most: usize::try_from(max_size).unwrap_or(usize::MAX) / PARTS,
        }
    }

    /// The document of that hash.
    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<Known>> {
        let mut part = self.part(hash).lock();
        let part = &mut *part;
        let held = part.documents.get_mut(hash)?;
        part.turn += 1;
        part.order.remove(&held.used);
        held.used = part.turn;
        part.order.insert(part.turn, *hash);
        Some(held.known.clone())
    }

    /// Keeps a document, unless it is larger than a part.
    pub(super) fn put(&self, hash: Hash, known: Arc<Known>) {
        let size = size(&known);
        if size > self.most {
            return;
        }
        let mut part = self.part(&hash).lock();
        part.remove(&hash);
        while part.size + size > self.most
            && let Some((_, oldest)) = part.order.first_key_value()
        {
            let oldest = *oldest;
            part.remove(&oldest);
        }
        part.turn += 1;
        part.size += size;
        let used = part.turn;
        part.order.insert(used, hash);
        part.documents.insert(hash, Held { known, used });
    }

    fn part(&self, hash: &Hash) -> &Mutex<Part> {
        &self.parts[usize::from(hash[0]) % PARTS]
    }
}

impl Part {
    fn remove(&mut self, hash: &Hash) {
        if let Some(held) = self.documents.remove(hash) {
            self.order.remove(&held.used);
            self.size -= size(&held.known);
        }
    }
}

/// What a document takes, at most: its text, and a parse in which a token takes as much as a whole field
/// or fragment.
fn size(known: &Known) -> usize {
    let tokens = usize::try_from(known.document.tokens()).unwrap_or(usize::MAX);
    let parse = tokens.saturating_mul(PER_TOKEN).saturating_add(OF_EACH);
    known.text.len().saturating_mul(2).saturating_add(parse)
}

const PER_TOKEN: usize = 384;
const OF_EACH: usize = 1024;

#[cfg(test)]
mod tests {
    use weir_protocols::graphql::document::Document;

    use super::*;

    fn known(text: &str) -> Arc<Known> {
        let document = Document::parse(text, 1000).expect("a document");
        let text = text.into();
        Arc::new(Known { text, document })
    }

    fn hash(n: u8) -> Hash {
        let mut hash = [n; 32];
        hash[0] = 0;
        hash
    }

    #[test]
    fn what_was_not_asked_for_longest_makes_room() {
        let one = known("{a}");
        let shelf = Shelf::new((PARTS * size(&one) * 2) as u64);
        shelf.put(hash(1), one.clone());
        shelf.put(hash(2), one.clone());
        assert!(shelf.get(&hash(1)).is_some());
        shelf.put(hash(3), one.clone());
        shelf.put(hash(3), one);
        let kept: Vec<bool> = (1..=3).map(|n| shelf.get(&hash(n)).is_some()).collect();
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn what_is_larger_than_a_part_is_not_kept() {
        let small = known("{a}");
        let shelf = Shelf::new((PARTS * size(&small)) as u64);
        shelf.put(hash(1), small);
        shelf.put(hash(2), known("{a b c d e f}"));
        assert!(shelf.get(&hash(1)).is_some() && shelf.get(&hash(2)).is_none());
    }
}
