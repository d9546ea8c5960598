//! A record as it was read.

use std::time::{Duration, SystemTime};

use rdkafka::Message;
use rdkafka::message::Headers as _;

/// A record of a topic.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The partition it is in.
    pub(crate) partition: i32,
    /// Its offset there.
    pub(crate) offset: i64,
    /// When it was made or written, in milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
    /// Its key.
    pub(crate) key: Option<Box<[u8]>>,
    /// Its headers in their order; names may repeat.
    pub(crate) headers: Box<[Header]>,
    /// Its value; none, where it says that a key is no more.
    pub(crate) value: Option<Box<[u8]>>,
}

/// A header of a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its name.
    pub(crate) name: Box<str>,
    /// Its value.
    pub(crate) value: Option<Box<[u8]>>,
}

impl Record {
    /// Takes over what a client read.
    pub(super) fn of(message: &impl Message) -> Self {
        let headers = message.headers().into_iter().flat_map(|all| all.iter());
        let headers = headers.map(|header| Header {
            name: header.key.into(),
            value: header.value.map(Into::into),
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(Into::into),
            headers: headers.collect(),
            value: message.payload().map(Into::into),
        }
    }

    /// What it takes up, in bytes.
    pub(crate) fn size(&self) -> usize {
        let length = |bytes: &Option<Box<[u8]>>| bytes.as_deref().map_or(0, <[u8]>::len);
        let headers = self.headers.iter();
        let headers = headers.map(|h| size_of::<Header>() + h.name.len() + length(&h.value));
        size_of::<Self>() + length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }

    /// The last value of the headers of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers.iter().rev();
        headers.find(|h| &*h.name == name)?.value.as_deref()
    }

    /// How long ago it was made or written, as far as the two clocks agree.
    pub(crate) fn age(&self, now: SystemTime) -> Option<Duration> {
        let since = u64::try_from(self.timestamp?).ok()?;
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since))?;
        Some(now.duration_since(at).unwrap_or_default())
    }
}
