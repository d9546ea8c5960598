//! One event and its fields. Knows nothing of the stream it was cut from.

use std::borrow::Cow;

use bytes::Bytes;

/// The byte order mark, tolerated once at the start of a stream.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event, as it stood in the stream.
///
/// It may be less than an event in the eyes of a browser: a lone comment, a
/// stray empty line. Those have neither data nor name, and pass unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Every byte of it, the empty line that ends it included.
    pub raw: Bytes,
    /// Whether the stream began here, where a BOM is not part of a line.
    first: bool,
}

impl Event {
    pub(super) fn new(raw: Bytes, first: bool) -> Self {
        Self { raw, first }
    }

    /// The payload: the values of all `data` fields, joined by LF. Borrowed
    /// unless there is more than one. Empty if there is none.
    pub fn data(&self) -> Cow<'_, [u8]> {
        let mut values = self.values(b"data");
        let first = values.next().unwrap_or_default();
        let Some(second) = values.next() else {
            return Cow::Borrowed(first);
        };
        let mut joined = Vec::with_capacity(self.raw.len());
        joined.extend_from_slice(first);
        for value in std::iter::once(second).chain(values) {
            joined.push(b'\n');
            joined.extend_from_slice(value);
        }
        Cow::Owned(joined)
    }

    /// Whether there is a `data` field. Without one no browser dispatches the
    /// event: it is a comment, a heartbeat, or sets only `id` or `retry`.
    pub fn has_data(&self) -> bool {
        self.values(b"data").next().is_some()
    }

    /// The event's type, from the last `event` field. `None` if there is none
    /// or it is empty, both of which mean `message`.
    pub fn name(&self) -> Option<&[u8]> {
        self.values(b"event").last().filter(|name| !name.is_empty())
    }

    /// The last `id` field without NUL, which resets the id if empty.
    pub fn id(&self) -> Option<&[u8]> {
        self.values(b"id")
            .filter(|id| memchr::memchr(0, id).is_none())
            .last()
    }

    /// The fields in their order, comments and empty lines left out.
    pub fn fields(&self) -> Fields<'_> {
        let without_bom = self.raw.strip_prefix(BOM).filter(|_| self.first);
        Fields {
            rest: without_bom.unwrap_or(&self.raw),
        }
    }

    fn values<'a>(&'a self, wanted: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(move |(name, _)| *name == wanted)
            .map(|(_, value)| value)
    }
}

/// The fields of an [`Event`] as name and value.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            // CR LF gives an empty line in between here, which is skipped
            // like any other.
            let (line, rest) = match memchr::memchr2(b'\n', b'\r', self.rest) {
                Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
                None => (self.rest, &self.rest[self.rest.len()..]),
            };
            self.rest = rest;
            match memchr::memchr(b':', line) {
                _ if line.is_empty() => {}
                Some(0) => {}
                Some(colon) => {
                    let value = &line[colon + 1..];
                    return Some((&line[..colon], value.strip_prefix(b" ").unwrap_or(value)));
                }
                None => return Some((line, b"")),
            }
        }
        None
    }
}
