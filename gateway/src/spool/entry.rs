//! What a frame holds: a record, by which id it is known, and since when it waits. It knows no file.
//!
//! | bytes | what |
//! |---|---|
//! | 8, 4 | the id: the segment's, and which of its entries this is |
//! | 8 | milliseconds since 1970 when it came |
//! | text | why brokers refused it; empty while none did |
//! | text | the topic |
//! | 4 | the partition, or -1 |
//! | 8 | the timestamp, or the least number there is |
//! | bytes | the key |
//! | bytes | the value |
//! | 4 | how many headers follow, each a text and bytes |
//!
//! Texts and bytes are their length in four bytes and what they are; a length of 2³² - 1 is nothing at
//! all, which is not the same as an empty one.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use crate::kafka::Outgoing;

const NONE: u32 = u32::MAX;

/// By which an entry is known wherever it turns up: in the answer to its caller, in the header of its
/// record and in an export. It is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(super) segment: u64,
    pub(super) index: u32,
}

impl Id {
    /// How long it is in writing.
    pub(crate) const LENGTH: usize = 24;
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:08x}", self.segment, self.index)
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    /// When it came, in milliseconds since 1970.
    pub(crate) time: i64,
    /// Why brokers refused it, if they did.
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) record: Outgoing,
}

impl Entry {
    /// Adds it to the end of `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.id.segment.to_le_bytes());
        out.extend(self.id.index.to_le_bytes());
        out.extend(self.time.to_le_bytes());
        let record = &self.record;
        write(out, Some(self.reason.as_deref().unwrap_or("").as_bytes()));
        write(out, Some(record.topic.as_bytes()));
        out.extend(record.partition.unwrap_or(-1).to_le_bytes());
        out.extend(record.timestamp.unwrap_or(i64::MIN).to_le_bytes());
        write(out, record.key.as_deref());
        write(out, record.value.as_deref());
        let headers = u32::try_from(record.headers.len()).unwrap_or(u32::MAX);
        out.extend(headers.to_le_bytes());
        for (name, value) in record.headers.iter().take(headers as usize) {
            write(out, Some(name.as_bytes()));
            write(out, value.as_deref());
        }
    }

    /// Reads one that was written whole; nothing of it is copied. `None` for whatever is none.
    pub(super) fn read(mut body: Bytes) -> Option<Self> {
        let from = &mut body;
        let id = Id {
            segment: from.try_get_u64_le().ok()?,
            index: from.try_get_u32_le().ok()?,
        };
        let time = from.try_get_i64_le().ok()?;
        let reason = Some(text(from)?).filter(|reason| !reason.is_empty());
        let topic = text(from)?;
        let partition = from.try_get_i32_le().ok()?;
        let timestamp = from.try_get_i64_le().ok()?;
        let (key, value) = (bytes(from)?, bytes(from)?);
        let count = from.try_get_u32_le().ok()?;
        let mut headers = Vec::new();
        for _ in 0..count {
            headers.push((text(from)?, bytes(from)?));
        }
        from.is_empty().then_some(Self {
            id,
            time,
            reason,
            record: Outgoing {
                topic,
                partition: (partition >= 0).then_some(partition),
                key,
                value,
                headers,
                timestamp: (timestamp != i64::MIN).then_some(timestamp),
            },
        })
    }
}

fn write(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        return out.extend(NONE.to_le_bytes());
    };
    // What is longer does not fit into a frame either, which is refused as a whole.
    let length = u32::try_from(bytes.len()).unwrap_or(NONE);
    out.extend(length.to_le_bytes());
    out.extend(bytes);
}

/// `None` if there are not as many as it says; `Some(None)` if it says that there is nothing.
fn bytes(from: &mut Bytes) -> Option<Option<Bytes>> {
    let length = from.try_get_u32_le().ok()?;
    if length == NONE {
        return Some(None);
    }
    let length = length as usize;
    (length <= from.len()).then(|| Some(from.split_to(length)))
}

fn text(from: &mut Bytes) -> Option<Arc<str>> {
    let bytes = bytes(from)??;
    std::str::from_utf8(&bytes).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Option<Bytes>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from))
    }

    prop_compose! {
        fn record()(
            topic in "[a-z]{1,9}",
            partition in prop::option::of(0..i32::MAX),
            key in bytes(),
            value in bytes(),
            headers in prop::collection::vec((".{0,9}", bytes()), 0..4),
            timestamp in prop::option::of(0..i64::MAX),
        ) -> Outgoing {
            let headers = headers.into_iter().map(|(name, value)| (name.as_str().into(), value));
            let (topic, headers) = (topic.as_str().into(), headers.collect());
            Outgoing { topic, partition, key, value, headers, timestamp }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            record in record(),
            time in any::<i64>(),
            reason in prop::option::of(".{1,20}"),
            segment in any::<u64>(),
            index in any::<u32>(),
        ) {
            let reason = reason.map(Into::into);
            let entry = Entry { id: Id { segment, index }, time, reason, record };
            let mut written = Vec::new();
            entry.write(&mut written);
            let whole = Bytes::from(written);
            prop_assert_eq!(Entry::read(whole.clone()), Some(entry));
            // No part of it is taken for the whole.
            for end in 0..whole.len() {
                prop_assert_eq!(Entry::read(whole.slice(..end)), None);
            }
        }

        #[test]
        fn anything_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entry::read(bytes.into());
        }
    }

    #[test]
    fn an_id_is_as_long_as_it_says() {
        let id = Id {
            segment: 1,
            index: 2,
        };
        assert_eq!(id.to_string(), "000000000000000100000002");
        assert_eq!(id.to_string().len(), Id::LENGTH);
    }
}
