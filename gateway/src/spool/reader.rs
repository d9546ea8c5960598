//! Reads a segment, entry by entry, and steps over what is damaged. It changes nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;
use memchr::memmem;

use super::entry::Entry;
use super::format::{FRAME, HEADS, Head};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;

/// What is next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An entry.
    Entry(Box<Entry>),
    /// This many bytes are nothing that can be read, and more that can follows.
    Damage(u64),
    /// Nothing; and how many bytes follow that make no entry, as when the last one is not whole.
    End(u64),
}

/// Reads one segment.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    head: Head,
    at: u64,
    /// What was read of the file, from `ahead_at` on.
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl Reader {
    /// Reads the segment at `path` from an offset on. `None` if neither copy of its head can be read, and
    /// so nothing of it.
    pub(super) fn open(path: &Path, from: u64) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let mut heads = vec![0; usize::try_from(file.metadata()?.len().min(HEADS)).unwrap_or(0)];
        file.read_exact_at(&mut heads, 0)?;
        Ok(Head::read(&heads).map(|head| Self {
            file,
            head,
            at: from.max(HEADS),
            ahead: Vec::new(),
            ahead_at: 0,
        }))
    }

    /// Where the next step begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// What is next, of what is in the file now.
    pub(super) fn step_to_end(&mut self) -> io::Result<Step> {
        let end = self.file.metadata()?.len();
        self.step(end)
    }

    /// What is next, before the offset `limit`.
    pub(super) fn step(&mut self, limit: u64) -> io::Result<Step> {
        if let Some((entry, end)) = self.entry(self.at, limit)? {
            self.at = end;
            return Ok(Step::Entry(Box::new(entry)));
        }
        match self.find(limit)? {
            Some(found) => {
                let damaged = found - self.at;
                self.at = found;
                Ok(Step::Damage(damaged))
            }
            None => Ok(Step::End(limit.saturating_sub(self.at))),
        }
    }

    /// The entry at an offset, if there is a whole one.
    fn entry(&mut self, at: u64, limit: u64) -> io::Result<Option<(Entry, u64)>> {
        let head = self.head;
        let Some(frame) = self.bytes(at, FRAME, limit)? else {
            return Ok(None);
        };
        let frame: [u8; FRAME] = super::format::array(frame);
        let Some(length) = head.length(&frame) else {
            return Ok(None);
        };
        let Some(body) = self.bytes(at + FRAME as u64, length, limit)? else {
            return Ok(None);
        };
        if !head.is_whole(&frame, body) {
            return Ok(None);
        }
        let entry = Entry::read(Bytes::copy_from_slice(body));
        Ok(entry.map(|entry| (entry, at + (FRAME + length) as u64)))
    }

    /// Where the next entry behind damage is.
    fn find(&mut self, limit: u64) -> io::Result<Option<u64>> {
        let from = self.at + 1;
        let Ok(rest) = usize::try_from(limit.saturating_sub(from)) else {
            return Ok(None);
        };
        // All at once: it is a segment at most, and seldom.
        let mut bytes = vec![0; rest];
        self.file.read_exact_at(&mut bytes, from)?;
        let marker = self.head.marker();
        for found in memmem::find_iter(&bytes, &marker) {
            let at = from + found as u64;
            if self.entry(at, limit)?.is_some() {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// So many bytes from an offset on, if there are as many before the limit.
    fn bytes(&mut self, at: u64, count: usize, limit: u64) -> io::Result<Option<&[u8]>> {
        let room = limit.saturating_sub(at);
        if (count as u64) > room {
            return Ok(None);
        }
        let known = usize::try_from(at.wrapping_sub(self.ahead_at)).unwrap_or(usize::MAX);
        let is_known = known
            .checked_add(count)
            .is_some_and(|end| end <= self.ahead.len());
        if is_known {
            return Ok(Some(&self.ahead[known..known + count]));
        }
        let chunk = usize::try_from(room).unwrap_or(usize::MAX).min(CHUNK);
        self.ahead.resize(chunk.max(count), 0);
        self.ahead_at = at;
        if let Err(error) = self.file.read_exact_at(&mut self.ahead, at) {
            self.ahead.clear();
            return Err(error);
        }
        Ok(Some(&self.ahead[..count]))
    }
}
