//! Texts that were answered before, as vectors: those that are asked in the same way stand together,
//! and each is compared with one that comes. Knows no text, and not what was answered.
//!
//! What is kept here is bounded twice: so many texts stand together, the latest; and all vectors take
//! no more than so many bytes, those used last. Every vector has the length 1.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;

use super::key::Key;
use crate::large;

/// What a text takes beside its vector, roughly, in bytes.
const AROUND: usize = 128;

/// All texts of a route.
pub(super) struct Index {
    groups: Mutex<Groups>,
}

struct Groups {
    all: HashMap<Key, Group, RandomState>,
    /// Groups by when they were last used.
    order: BTreeMap<u64, Key>,
    /// Counts uses.
    turn: u64,
    /// What all texts take, and what they may, in bytes.
    size: usize,
    most_bytes: usize,
    /// So many stand together at most.
    most_texts: usize,
}

/// Texts that are asked in the same way, the oldest first.
#[derive(Default)]
struct Group {
    /// Shared with whoever compares, who holds no lock.
    texts: Arc<Vec<Text>>,
    used: u64,
    /// Up to where the list that a fleet shares was read.
    read: Option<Arc<str>>,
}

/// A text that was answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    /// The name of its answer.
    pub(super) key: Key,
    /// What it means.
    pub(super) vector: Arc<[f32]>,
}

impl Text {
    fn size(&self) -> usize {
        self.vector.len() * size_of::<f32>() + AROUND
    }
}

/// A text that means the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Alike {
    pub(super) key: Key,
    /// The cosine of the angle between both vectors.
    pub(super) similarity: f32,
}

impl Index {
    /// Nothing yet.
    pub(super) fn new(most_texts: usize, most_bytes: usize) -> Self {
        Self {
            groups: Mutex::new(Groups {
                all: HashMap::default(),
                order: BTreeMap::new(),
                turn: 0,
                size: 0,
                most_bytes,
                most_texts,
            }),
        }
    }

    /// The texts of a group that are at least so much like `vector`, the likest first.
    pub(super) fn alike(&self, group: &Key, vector: &[f32], threshold: f32) -> Vec<Alike> {
        let texts = self.groups.lock().texts(group);
        let bytes = texts.len() * size_of_val(vector);
        let mut alike: Vec<Alike> = large::work(bytes, || {
            let each = texts.iter().filter_map(|text| {
                let similarity = cosine(&text.vector, vector)?;
                (similarity >= threshold).then_some(Alike {
                    key: text.key,
                    similarity,
                })
            });
            each.collect()
        });
        alike.sort_by(|one, other| other.similarity.total_cmp(&one.similarity));
        alike
    }

    /// Adds texts to a group, in the place of those with the same answers.
    pub(super) fn add(&self, group: &Key, texts: Vec<Text>) {
        self.groups.lock().add(group, texts);
    }

    /// The answer of that name is gone.
    pub(super) fn forget(&self, group: &Key, key: &Key) {
        self.groups.lock().forget(group, key);
    }

    /// Up to where the list of a group was read that a fleet shares.
    pub(super) fn read_to(&self, group: &Key) -> Option<Arc<str>> {
        self.groups.lock().all.get(group)?.read.clone()
    }

    /// Adds what was read of that list, up to `id`.
    pub(super) fn read(&self, group: &Key, texts: Vec<Text>, id: Arc<str>) {
        let mut groups = self.groups.lock();
        groups.add(group, texts);
        if let Some(group) = groups.all.get_mut(group) {
            group.read = Some(id);
        }
    }
}

impl Groups {
    fn texts(&mut self, group: &Key) -> Arc<Vec<Text>> {
        if self.all.contains_key(group) {
            self.touch(group);
        }
        let known = self.all.get(group);
        known.map(|group| group.texts.clone()).unwrap_or_default()
    }

    fn touch(&mut self, key: &Key) {
        self.turn += 1;
        let group = self.all.entry(*key).or_default();
        self.order.remove(&group.used);
        group.used = self.turn;
        self.order.insert(self.turn, *key);
    }

    fn add(&mut self, key: &Key, new: Vec<Text>) {
        self.touch(key);
        let most = self.most_texts;
        let group = self.all.entry(*key).or_default();
        let texts = Arc::make_mut(&mut group.texts);
        let before: usize = texts.iter().map(Text::size).sum();
        texts.retain(|text| new.iter().all(|other| other.key != text.key));
        texts.extend(new);
        texts.drain(..texts.len().saturating_sub(most));
        let after: usize = texts.iter().map(Text::size).sum();
        self.size = self.size - before + after;
        self.make_room();
    }

    fn forget(&mut self, group: &Key, key: &Key) {
        if let Some(group) = self.all.get_mut(group)
            && let Some(at) = group.texts.iter().position(|text| text.key == *key)
        {
            let gone = Arc::make_mut(&mut group.texts).remove(at);
            self.size -= gone.size();
        }
    }

    /// Lets go of the groups that were not used longest.
    fn make_room(&mut self) {
        while self.size > self.most_bytes
            && let Some((_, oldest)) = self.order.pop_first()
        {
            if let Some(group) = self.all.remove(&oldest) {
                self.size -= group.texts.iter().map(Text::size).sum::<usize>();
            }
        }
    }
}

/// The cosine of the angle between two vectors of length 1; `None` if they are not of one kind.
fn cosine(one: &[f32], other: &[f32]) -> Option<f32> {
    let product = one.iter().zip(other).map(|(a, b)| a * b).sum();
    (one.len() == other.len()).then_some(product)
}

/// A vector with the length 1; `None` if it points nowhere.
pub(super) fn unit(vector: &[f32]) -> Option<Arc<[f32]>> {
    let length = vector
        .iter()
        .map(|x| f64::from(*x).powi(2))
        .sum::<f64>()
        .sqrt();
    let points = length.is_finite() && length > 0.0;
    points.then(|| {
        vector
            .iter()
            .map(|x| (f64::from(*x) / length) as f32)
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Key {
        Key([n; 32])
    }

    fn text(n: u8, vector: &[f32]) -> Text {
        Text {
            key: key(n),
            vector: unit(vector).expect("it points somewhere"),
        }
    }

    #[test]
    fn the_likest_come_first_and_others_not_at_all() {
        let index = Index::new(8, 1 << 20);
        let group = key(200);
        index.add(&group, vec![text(1, &[1.0, 0.0]), text(2, &[3.0, 4.0])]);
        index.add(
            &group,
            vec![text(3, &[0.0, 2.0]), text(4, &[1.0, 0.0, 0.0])],
        );
        index.add(&key(201), vec![text(5, &[1.0, 0.0])]);
        let found = |threshold| -> Vec<(Key, i32)> {
            let alike = index.alike(&group, &[1.0, 0.0], threshold);
            let rounded = |x: f32| (x * 100.0).round() as i32;
            alike
                .iter()
                .map(|a| (a.key, rounded(a.similarity)))
                .collect()
        };
        assert_eq!(found(0.5), [(key(1), 100), (key(2), 60)]);
        assert_eq!(found(0.99), [(key(1), 100)]);
        index.forget(&group, &key(1));
        assert_eq!(found(0.5), [(key(2), 60)]);
        assert!(index.alike(&key(9), &[1.0, 0.0], 0.0).is_empty());
    }

    #[test]
    fn what_points_nowhere_is_compared_with_nothing() {
        for vector in [&[0.0, 0.0][..], &[f32::NAN], &[f32::INFINITY, 1.0], &[]] {
            assert!(unit(vector).is_none(), "{vector:?}");
        }
        let tiny = unit(&[f32::MIN_POSITIVE, 0.0]).expect("it points somewhere");
        assert_eq!(&*tiny, [1.0, 0.0]);
    }

    #[test]
    fn the_latest_stand_together_and_an_answer_stands_once() {
        let index = Index::new(2, 1 << 20);
        for n in [1, 2, 3, 2] {
            index.add(&key(0), vec![text(n, &[1.0])]);
        }
        let alike = index.alike(&key(0), &[1.0], 0.0);
        let mut keys: Vec<Key> = alike.iter().map(|alike| alike.key).collect();
        keys.sort();
        assert_eq!(keys, [key(2), key(3)]);
    }

    proptest! {
        #[test]
        fn vectors_never_take_more_than_they_may(
            adds in proptest::collection::vec((0_u8..6, any::<u8>(), 1_usize..64), 1..200),
        ) {
            let index = Index::new(8, 4096);
            for (group, n, length) in adds {
                index.add(&key(group), vec![text(n, &vec![1.0; length])]);
                let groups = index.groups.lock();
                let sizes = groups.all.values().flat_map(|group| group.texts.iter());
                prop_assert_eq!(groups.size, sizes.map(Text::size).sum::<usize>());
                prop_assert!(groups.size <= groups.most_bytes);
                prop_assert!(groups.all.values().all(|group| group.texts.len() <= 8));
                prop_assert_eq!(groups.order.len(), groups.all.len());
            }
        }
    }
}
