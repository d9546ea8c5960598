//! What a compacted topic says now: for each key its latest value, within bounds. Fed with records in the
//! order of each partition, from several readers; what it has had it passes over. It knows no broker.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::kafka::{Positions, Record};

/// What an entry takes up besides its key and value, in bytes.
const OVERHEAD: usize = 128;

/// The record that holds a value: compaction keeps it, so that it names the value's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl FromStr for Tag {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (partition, offset) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self {
            partition: partition.parse()?,
            offset: offset.parse()?,
        })
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) tag: Tag,
    pub(crate) value: Bytes,
    /// When it was written, in milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
}

/// How much it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) keys: usize,
    pub(crate) bytes: usize,
}

impl Bounds {
    /// What holds as much as either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            keys: self.keys.max(other.keys),
            bytes: self.bytes.max(other.bytes),
        }
    }
}

/// It would hold more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The latest values.
#[derive(Debug, Default)]
pub(super) struct View {
    entries: BTreeMap<Box<str>, Entry>,
    bytes: usize,
    at: Positions,
}

impl View {
    /// Takes a record, unless it has had it. Only keys that are text name a resource.
    pub(super) fn apply(&mut self, record: &Record, bounds: Bounds) -> Result<(), Full> {
        if !self.at.are_before(record) {
            return Ok(());
        }
        self.at.pass(record);
        let key = record.key.as_deref().map(std::str::from_utf8);
        let Some(Ok(key)) = key else {
            return Ok(());
        };
        let before = match &record.value {
            Some(value) => {
                self.bytes += size(key, value);
                let entry = Entry {
                    tag: Tag {
                        partition: record.partition,
                        offset: record.offset,
                    },
                    value: Bytes::copy_from_slice(value),
                    timestamp: record.timestamp,
                };
                self.entries.insert(key.into(), entry)
            }
            None => self.entries.remove(key),
        };
        self.bytes -= before.map_or(0, |before| size(key, &before.value));
        match self.entries.len() > bounds.keys || self.bytes > bounds.bytes {
            true => Err(Full),
            false => Ok(()),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The entries after a key, in the order of their keys.
    pub(super) fn after(&self, key: Option<&str>) -> impl Iterator<Item = (&str, &Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = key.map_or(Unbounded, Excluded);
        let range = self.entries.range::<str, _>((from, Unbounded));
        range.map(|(key, entry)| (&**key, entry))
    }

    /// What comes after all it was told.
    pub(super) const fn at(&self) -> &Positions {
        &self.at
    }

    /// Learns of partitions that have no record: to these it was read.
    pub(super) fn know(&mut self, at: &Positions) {
        for (partition, &offset) in (0..).zip(at.offsets()) {
            let at = self.at.of(partition).max(offset);
            self.at.set(partition, at);
        }
    }

    /// How many keys have a value.
    pub(super) fn keys(&self) -> usize {
        self.entries.len()
    }

    /// What its keys and values take up.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

fn size(key: &str, value: &[u8]) -> usize {
    OVERHEAD + key.len() + value.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const WIDE: Bounds = Bounds {
        keys: 100,
        bytes: 100_000,
    };

    fn record(partition: i32, offset: i64, key: &str, value: Option<u8>) -> Record {
        Record {
            partition,
            offset,
            timestamp: None,
            key: Some(key.as_bytes().into()),
            headers: Box::default(),
            value: value.map(|byte| vec![byte; usize::from(byte)].into()),
        }
    }

    proptest! {
        /// Two readers tell it the same log, each in pieces and one behind the other: it says what a map
        /// says that was told once.
        #[test]
        fn it_says_what_a_map_says(
            log in prop::collection::vec((0..6_u8, prop::option::of(any::<u8>())), 0..60),
            again in prop::collection::vec(0..60_usize, 0..20),
        ) {
            let records: Vec<_> = (0..).zip(&log).map(|(offset, (key, value))| {
                // A key is always in the same partition.
                record(i32::from(key % 3), offset, &key.to_string(), *value)
            }).collect();
            let (mut view, mut model) = (View::default(), BTreeMap::new());
            for (index, record) in records.iter().enumerate() {
                view.apply(record, WIDE).expect("it is wide");
                for old in again.iter().filter(|again| **again <= index) {
                    view.apply(&records[*old], WIDE).expect("it is wide");
                }
                let (key, value) = log[index];
                match value {
                    Some(_) => model.insert(key.to_string(), record),
                    None => model.remove(&key.to_string()),
                };
            }
            let found: Vec<_> = view.after(None).map(|(k, e)| (k.to_owned(), e.tag.offset, &*e.value)).collect();
            let wanted: Vec<_> = model.iter().map(|(k, r)| (k.clone(), r.offset, r.value.as_deref().unwrap_or_default())).collect();
            prop_assert_eq!(&found, &wanted);
            let bytes: usize = wanted.iter().map(|(key, _, value)| size(key, value)).sum();
            prop_assert_eq!((view.keys(), view.bytes()), (model.len(), bytes));
        }
    }

    #[test]
    fn it_is_full_beyond_its_bounds() {
        let bounds = Bounds {
            keys: 2,
            bytes: 400,
        };
        let mut view = View::default();
        let mut apply = |offset, key, value| view.apply(&record(0, offset, key, value), bounds);
        assert_eq!(apply(0, "a", Some(1)), Ok(()));
        assert_eq!(apply(1, "b", Some(1)), Ok(()));
        assert_eq!(apply(2, "c", Some(1)), Err(Full), "three keys");
        assert_eq!(apply(3, "c", None), Ok(()));
        assert_eq!(apply(4, "a", Some(200)), Err(Full), "too many bytes");
    }

    #[test]
    fn a_tag_is_read_as_it_is_written() {
        let tag = Tag {
            partition: 3,
            offset: 42,
        };
        assert_eq!(tag.to_string().parse(), Ok(tag));
        for wrong in ["", "3", "3-", "a-1", "-"] {
            assert!(wrong.parse::<Tag>().is_err(), "{wrong}");
        }
    }
}
