//! Writes the events a gateway sends of its own accord: errors once headers
//! are out, heartbeats, records. Knows nothing of when they are sent.

use std::fmt;

use bytes::BufMut;

/// An event to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing<'a> {
    /// The type; `None` leaves it at `message`.
    pub name: Option<&'a str>,
    /// What a client repeats as `Last-Event-ID` when it reconnects.
    pub id: Option<&'a str>,
    /// After how many milliseconds to reconnect.
    pub retry: Option<u64>,
    /// The payload. CR LF and CR inside it arrive as LF: the format has no
    /// way to tell them apart.
    pub data: &'a [u8],
}

/// A name or id contains a line break or NUL, which would let it forge other
/// fields. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineBreak {
    /// Which field: `event` or `id`.
    pub field: &'static str,
}

impl fmt::Display for LineBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} field of an event may not contain a line break or NUL",
            self.field
        )
    }
}

impl std::error::Error for LineBreak {}

/// Appends `event`, its ending empty line included, to `out`.
///
/// # Errors
/// [`LineBreak`], with `out` unchanged.
pub fn write_event(out: &mut impl BufMut, event: &Outgoing<'_>) -> Result<(), LineBreak> {
    for (field, value) in [("event", event.name), ("id", event.id)] {
        if value.is_some_and(|value| memchr::memchr3(b'\n', b'\r', 0, value.as_bytes()).is_some()) {
            return Err(LineBreak { field });
        }
    }
    if let Some(name) = event.name {
        write_line(out, b"event: ", name.as_bytes());
    }
    if let Some(id) = event.id {
        write_line(out, b"id: ", id.as_bytes());
    }
    if let Some(retry) = event.retry {
        write_line(out, b"retry: ", retry.to_string().as_bytes());
    }
    write_lines(out, b"data: ", event.data);
    out.put_u8(b'\n');
    Ok(())
}

/// Appends a comment to `out`, one comment line per line of `text`. Clients
/// ignore it, middleboxes see traffic.
pub fn write_comment(out: &mut impl BufMut, text: &str) {
    write_lines(out, b": ", text.as_bytes());
    out.put_u8(b'\n');
}

/// One prefixed line per line of `text`, at least one.
fn write_lines(out: &mut impl BufMut, prefix: &[u8], mut text: &[u8]) {
    while let Some(end) = memchr::memchr2(b'\n', b'\r', text) {
        write_line(out, prefix, &text[..end]);
        let ended_by_both = text[end..].starts_with(b"\r\n");
        text = &text[end + 1 + usize::from(ended_by_both)..];
    }
    write_line(out, prefix, text);
}

fn write_line(out: &mut impl BufMut, prefix: &[u8], text: &[u8]) {
    out.put_slice(prefix);
    out.put_slice(text);
    out.put_u8(b'\n');
}
