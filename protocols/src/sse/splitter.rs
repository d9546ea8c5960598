//! Cuts a byte stream into whole events, wherever its chunks were cut.
//! Never changes a byte: all events and the tail together are the stream.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::event::{BOM, Event};

/// Cuts a stream into events.
///
/// ```
/// # use bytes::Bytes;
/// # use weir_protocols::sse::Splitter;
/// let mut splitter = Splitter::new(64 * 1024);
/// splitter.feed(Bytes::from_static(b"data: one\n\ndata: t"));
/// assert_eq!(&*splitter.next_event()?.expect("whole").data(), b"one");
/// assert_eq!(splitter.next_event()?, None);
/// splitter.feed(Bytes::from_static(b"wo\n\n"));
/// assert_eq!(&*splitter.next_event()?.expect("whole").data(), b"two");
/// # Ok::<(), weir_protocols::sse::TooLong>(())
/// ```
#[derive(Debug)]
pub struct Splitter {
    max_event: usize,
    /// The start of an event from earlier chunks, all of it scanned.
    held: BytesMut,
    /// What was fed and is not yet given out.
    chunk: Bytes,
    /// How much of `chunk` is scanned, without finding the event's end.
    scanned: usize,
    /// Bytes of the line being scanned so far, over all chunks.
    line: usize,
    before: Before,
    /// Nothing was given out yet, so a BOM may come.
    first: bool,
    failed: bool,
}

/// What stands directly before the next byte to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Part of a line, or a line end that is complete.
    Settled,
    /// A CR which ended a line and may be the first half of CR LF.
    Cr,
    /// A CR which ended the event; a LF, if next, still belongs to it.
    FinalCr,
    /// A CR which ended the event for sure and was given out. A LF, if next,
    /// is its other half: not a line of its own.
    CutCr,
}

/// An event longer than allowed. The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The limit, in bytes.
    pub max_event: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an event of the stream is longer than {} bytes",
            self.max_event
        )
    }
}

impl std::error::Error for TooLong {}

/// What is left when a stream has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: the stream ended between events.
    Nothing,
    /// A whole event whose last CR might have become CR LF.
    Event(Event),
    /// The start of an event that never ended. A browser discards it.
    Unterminated(Bytes),
}

impl Splitter {
    /// A splitter at the start of a stream. No event, counted raw with its
    /// line ends, may be longer than `max_event` bytes; no more is buffered.
    pub fn new(max_event: usize) -> Self {
        Self {
            max_event,
            held: BytesMut::new(),
            chunk: Bytes::new(),
            scanned: 0,
            line: 0,
            before: Before::Settled,
            first: true,
            failed: false,
        }
    }

    /// Takes the next chunk of the stream. Events are then asked for with
    /// [`next_event`](Self::next_event) until there is none; a chunk fed
    /// before that is appended at the cost of a copy.
    /// After an error chunks are dropped: what cannot be read is not kept.
    pub fn feed(&mut self, chunk: Bytes) {
        if self.failed {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut both = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            both.extend_from_slice(&self.chunk);
            both.extend_from_slice(&chunk);
            self.chunk = both.freeze();
        }
    }

    /// The next whole event, or `None` until more is fed. An event inside
    /// one chunk is a slice of it; one across chunks is assembled.
    ///
    /// # Errors
    /// [`TooLong`], then and ever after, when an event exceeds the limit.
    /// Which events come before it does not depend on how chunks were cut.
    pub fn next_event(&mut self) -> Result<Option<Event>, TooLong> {
        if self.failed {
            return Err(self.too_long());
        }
        if let Some(end) = self.find_end() {
            if self.held.len() + end > self.max_event {
                self.failed = true;
                return Err(self.too_long());
            }
            return Ok(Some(self.cut(end)));
        }
        if self.held.len() + self.chunk.len() > self.max_event {
            self.failed = true;
            return Err(self.too_long());
        }
        self.held.extend_from_slice(&self.chunk);
        self.chunk.clear();
        self.scanned = 0;
        Ok(None)
    }

    /// Ends the stream and gives what is left of it once
    /// [`next_event`](Self::next_event) has nothing more.
    pub fn finish(mut self) -> Tail {
        let whole = self.before == Before::FinalCr;
        let first = self.first;
        let rest = if self.held.is_empty() {
            self.chunk
        } else {
            self.held.extend_from_slice(&self.chunk);
            self.held.freeze()
        };
        match rest {
            rest if rest.is_empty() => Tail::Nothing,
            // A lone LF is the other half of the CR that ended the last event.
            rest if whole || *rest == *b"\n" => Tail::Event(Event::new(rest, first)),
            rest => Tail::Unterminated(rest),
        }
    }

    fn too_long(&self) -> TooLong {
        TooLong {
            max_event: self.max_event,
        }
    }

    /// Scans on to the end of the event; gives it as an offset into `chunk`.
    fn find_end(&mut self) -> Option<usize> {
        while let Some(&next) = self.chunk.get(self.scanned) {
            match self.before {
                Before::FinalCr => {
                    return Some(self.scanned + usize::from(next == b'\n'));
                }
                Before::Cr | Before::CutCr if next == b'\n' => {
                    self.scanned += 1;
                    self.before = Before::Settled;
                    continue;
                }
                _ => {}
            }
            let Some(length) = memchr::memchr2(b'\n', b'\r', &self.chunk[self.scanned..]) else {
                self.line += self.chunk.len() - self.scanned;
                self.scanned = self.chunk.len();
                self.before = Before::Settled;
                return None;
            };
            let empty = self.line + length == 0 || self.is_only_bom(length);
            let lone_cr = self.before == Before::Cr && length == 0;
            let end = self.chunk[self.scanned + length];
            self.scanned += length + 1;
            self.line = 0;
            self.before = match (empty, end) {
                (true, b'\n') => {
                    self.before = Before::Settled;
                    return Some(self.scanned);
                }
                // After a line ended by CR alone, this stream ends lines by
                // CR: waiting for a LF would hold the event back until the
                // next one comes.
                (true, _) if lone_cr => {
                    self.before = Before::CutCr;
                    return Some(self.scanned);
                }
                (true, _) => Before::FinalCr,
                (false, b'\n') => Before::Settled,
                (false, _) => Before::Cr,
            };
        }
        None
    }

    /// Whether the line ending `length` bytes on is the stream's first and
    /// holds nothing but a BOM.
    fn is_only_bom(&self, length: usize) -> bool {
        self.first
            && self.line + length == BOM.len()
            && self.held.len() + self.scanned + length == BOM.len()
            && self
                .held
                .iter()
                .chain(&self.chunk[..self.scanned + length])
                .eq(BOM)
    }

    fn cut(&mut self, end: usize) -> Event {
        let raw = if self.held.is_empty() {
            self.chunk.split_to(end)
        } else {
            self.held.extend_from_slice(&self.chunk[..end]);
            self.chunk.advance(end);
            self.held.split().freeze()
        };
        self.scanned = 0;
        if self.before == Before::FinalCr {
            self.before = Before::Settled;
        }
        Event::new(raw, std::mem::take(&mut self.first))
    }
}
