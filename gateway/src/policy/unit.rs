//! What a body is made of, as filters see it.

use bytes::{Bytes, BytesMut};

/// One piece of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes of a plain body, cut where the network cut them.
    Bytes(Bytes),
    /// One whole server-sent event, its terminator included.
    Event(Bytes),
}

impl Unit {
    /// The bytes it holds.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Unit::Bytes(bytes) | Unit::Event(bytes) => bytes,
        }
    }
}

/// Units in order.
#[derive(Debug, Default)]
pub(crate) struct Units(Vec<Unit>);

impl Units {
    /// Adds one.
    pub(crate) fn push(&mut self, unit: Unit) {
        self.0.push(unit);
    }

    /// Joins them; one alone is not copied.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        match self.0.len() {
            0 => Bytes::new(),
            1 => self.0.remove(0).into_bytes(),
            _ => {
                let mut joined = BytesMut::new();
                for unit in self.0 {
                    joined.extend_from_slice(&unit.into_bytes());
                }
                joined.freeze()
            }
        }
    }
}

impl IntoIterator for Units {
    type Item = Unit;
    type IntoIter = std::vec::IntoIter<Unit>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
