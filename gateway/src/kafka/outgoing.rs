//! A record to send. It knows nobody who sends it.

use std::sync::Arc;

use bytes::Bytes;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::util::IntoOpaque;

/// Headers of a record, in their order; names may repeat.
pub(crate) type Headers = Vec<(Arc<str>, Option<Bytes>)>;

/// A record to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) topic: Arc<str>,
    /// Chosen by the key, if it is not said.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Bytes>,
    /// A tombstone, if there is none.
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Headers,
    /// In milliseconds since 1970; when it is sent, if it is not said.
    pub(crate) timestamp: Option<i64>,
}

impl Outgoing {
    /// Its key, its value, and the names and values of its headers, in bytes.
    pub(crate) fn size(&self) -> u64 {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + length(value));
        (self.content() + headers.sum::<usize>()) as u64
    }

    /// Its key and its value, in bytes.
    pub(crate) fn content(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        length(&self.key) + length(&self.value)
    }

    /// As the client takes it, with whom to tell what becomes of it; it copies what it keeps.
    pub(super) fn as_record<O: IntoOpaque>(&self, opaque: O) -> BaseRecord<'_, [u8], [u8], O> {
        BaseRecord {
            topic: &self.topic,
            partition: self.partition,
            payload: self.value.as_deref(),
            key: self.key.as_deref(),
            timestamp: self.timestamp,
            headers: Some(self.owned_headers()),
            delivery_opaque: opaque,
        }
    }

    fn owned_headers(&self) -> OwnedHeaders {
        let mut headers = OwnedHeaders::new_with_capacity(self.headers.len());
        for (key, value) in &self.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_deref(),
            });
        }
        headers
    }
}
