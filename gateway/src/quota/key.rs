//! The identity of one count: a quota's store, name, unit and window, and the subject's value in
//! each dimension the quota counts by. Knows nothing of what is counted.
//!
//! A key is looked up as a [`Sought`], which borrows everything and is hashed once; only a key
//! never seen before is copied. The hash is keyed at random per ledger, because client
//! addresses and model names are the caller's to choose.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use ahash::RandomState;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::definition::{By, Quota, Subject};
use super::unit::Unit;
use super::window::Window;

mod values;

pub(super) use values::Shelf;
pub use values::Values;

/// A subject's value in one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Value<'a> {
    /// The request has none; all such share a count.
    Absent,
    Text(&'a str),
    Address(IpAddr),
}

/// As it stands in names: `-` for none, and nothing that separates.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("-"),
            Self::Text("-") => f.write_str("%2D"),
            Self::Text(text) => f.write_str(&escape(text)),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What may stand in a name as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[derive(Debug, Clone)]
enum Owned {
    Absent,
    Text(Box<str>),
    Address(IpAddr),
}

impl Owned {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Absent => Self::Absent,
            Value::Text(text) => Self::Text(text.into()),
            Value::Address(address) => Self::Address(address),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Absent => Value::Absent,
            Self::Text(text) => Value::Text(text),
            Self::Address(address) => Value::Address(*address),
        }
    }
}

/// What a kept key and a sought one have in common; equality and hash are defined on it.
pub(super) trait Identity {
    fn hashed(&self) -> u64;
    fn count(&self) -> (u32, &str, Unit, Window);
    fn part(&self, index: usize) -> Option<(&By, Value<'_>)>;
}

impl Hash for dyn Identity + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hashed());
    }
}

impl PartialEq for dyn Identity + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.hashed() == other.hashed()
            && self.count() == other.count()
            && (0..)
                .map(|index| (self.part(index), other.part(index)))
                .take_while(|pair| *pair != (None, None))
                .all(|(ours, theirs)| ours == theirs)
    }
}

impl Eq for dyn Identity + '_ {}

/// A key as a claim brings it, borrowed.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    hash: u64,
    quota: &'a Quota,
    subject: &'a Subject<'a>,
}

impl<'a> Sought<'a> {
    pub(super) fn new(quota: &'a Quota, subject: &'a Subject<'a>, hashing: &RandomState) -> Self {
        let mut hasher = hashing.build_hasher();
        (quota.store.id(), &*quota.name, quota.unit, quota.window).hash(&mut hasher);
        for by in &quota.by {
            (by, subject.value(by)).hash(&mut hasher);
        }
        Self {
            hash: hasher.finish(),
            quota,
            subject,
        }
    }

    /// What its book is called where several processes keep theirs, and the root it is kept
    /// beside: counts of one tree of callers share one, so that they can be entered at once. All
    /// who share a count have the same one: those whom the quota does not tell apart, `-`.
    pub(super) fn name(&self) -> (Arc<str>, Arc<str>) {
        let Quota {
            name, unit, window, ..
        } = self.quota;
        let mut of_caller = self
            .quota
            .by
            .iter()
            .filter(|by| by.is_of_caller())
            .peekable();
        let root = if of_caller.peek().is_none() {
            format!("{}*", escape(name))
        } else if of_caller.all(|by| self.subject.value(by) == Value::Absent) {
            "-".to_owned()
        } else {
            self.subject.root().map_or_else(|| "-".to_owned(), escape)
        };
        let values: Vec<String> = self
            .quota
            .by
            .iter()
            .map(|by| self.subject.value(by).to_string())
            .collect();
        let key = format!(
            "{{{root}}}:{}:{unit}:{window}:{}",
            escape(name),
            values.join(",")
        );
        (key.into(), root.into())
    }

    /// The copy to keep.
    pub(super) fn to_key(self) -> Key {
        let parts = self
            .quota
            .by
            .iter()
            .map(|by| (by.clone(), Owned::of(self.subject.value(by))));
        Key {
            hash: self.hash,
            store: self.quota.store.id(),
            quota: Arc::clone(&self.quota.name),
            unit: self.quota.unit,
            window: self.quota.window,
            parts: parts.collect(),
        }
    }
}

impl Identity for Sought<'_> {
    fn hashed(&self) -> u64 {
        self.hash
    }

    fn count(&self) -> (u32, &str, Unit, Window) {
        let quota = self.quota;
        (quota.store.id(), &quota.name, quota.unit, quota.window)
    }

    fn part(&self, index: usize) -> Option<(&By, Value<'_>)> {
        self.quota
            .by
            .get(index)
            .map(|by| (by, self.subject.value(by)))
    }
}

/// A key as the ledger keeps it.
#[derive(Debug)]
pub(super) struct Key {
    hash: u64,
    store: u32,
    quota: Arc<str>,
    unit: Unit,
    window: Window,
    parts: Box<[(By, Owned)]>,
}

impl Identity for Key {
    fn hashed(&self) -> u64 {
        self.hash
    }

    fn count(&self) -> (u32, &str, Unit, Window) {
        (self.store, &self.quota, self.unit, self.window)
    }

    fn part(&self, index: usize) -> Option<(&By, Value<'_>)> {
        self.parts.get(index).map(|(by, owned)| (by, owned.value()))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs): (&dyn Identity, &dyn Identity) = (self, other);
        ours == theirs
    }
}

impl Eq for Key {}

impl<'a> Borrow<dyn Identity + 'a> for Key {
    fn borrow(&self) -> &(dyn Identity + 'a) {
        self
    }
}

/// Takes a key's hash as it is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct AsHashed(u64);

impl Hasher for AsHashed {
    fn write(&mut self, bytes: &[u8]) {
        // Keys write one u64 and nothing else; this keeps the trait whole all the same.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
