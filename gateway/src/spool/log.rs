//! Entries written to one segment after the other. It knows no cap and nobody who waits.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory;
use super::entry::{Entry, Id};
use super::position::Place;
use super::segment::Segment;
use crate::kafka::Outgoing;

/// A log that is written.
#[derive(Debug)]
pub(super) struct Log {
    directory: PathBuf,
    /// From which size on a segment gets no more entries.
    full: u64,
    active: Option<Segment>,
    /// The number of the last segment that was made here.
    last: u64,
    /// Entries that are not written yet, as frames.
    frames: Vec<u8>,
    pending: u32,
}

/// What is to be written of an entry, except for its id.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) time: i64,
    pub(super) record: Outgoing,
    /// The id it had in another log, and why it was refused there.
    pub(super) refused: Option<(Id, Arc<str>)>,
}

impl Log {
    /// A log in this directory; segments get to about so many bytes.
    pub(super) fn new(directory: &Path, full: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            full,
            active: None,
            last: 0,
            frames: Vec::new(),
            pending: 0,
        }
    }

    /// Makes sure that there is a segment to write to, and says where a new one begins.
    pub(super) fn ready(&mut self) -> io::Result<Option<Place>> {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.end().offset >= self.full)
        {
            self.active = None;
        }
        if self.active.is_some() {
            return Ok(None);
        }
        directory::make(&self.directory)?;
        // Even where one that was made here is gone: who reads may have gone past it.
        let segment = Segment::create(&self.directory, self.last + 1)?;
        let begin = segment.end();
        self.last = begin.segment;
        self.active = Some(segment);
        Ok(Some(begin))
    }

    /// Adds an entry to those to be written, unless they would come to more than `room` bytes then; its
    /// id. Nothing is written yet.
    pub(super) fn add(&mut self, draft: Draft, room: u64) -> Option<Id> {
        let segment = self.active.as_ref()?;
        let id = segment.id(self.pending)?;
        let (known_as, reason) = match draft.refused {
            Some((id, reason)) => (id, Some(reason)),
            None => (id, None),
        };
        let entry = Entry {
            id: known_as,
            time: draft.time,
            reason,
            record: draft.record,
        };
        let at = segment.head().begin_frame(&mut self.frames);
        entry.write(&mut self.frames);
        let fits = self.frames.len() as u64 <= room;
        if !fits || !segment.head().end_frame(&mut self.frames, at) {
            self.frames.truncate(at);
            return None;
        }
        self.pending += 1;
        Some(known_as)
    }

    /// The same of several, all or none.
    pub(super) fn add_all(&mut self, drafts: Vec<Draft>, room: u64) -> Option<Vec<Id>> {
        let before = (self.frames.len(), self.pending);
        let ids = drafts.into_iter().map(|draft| self.add(draft, room));
        let ids: Option<Vec<Id>> = ids.collect();
        if ids.is_none() {
            self.frames.truncate(before.0);
            self.pending = before.1;
        }
        ids
    }

    /// How many bytes would be written.
    pub(super) fn pending(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Writes what was added; once this returns well, it outlives the machine, up to this place. After an
    /// error nothing of it counts as written, and the next entry begins another segment.
    pub(super) fn write(&mut self) -> io::Result<Place> {
        let frames = std::mem::take(&mut self.frames);
        let entries = std::mem::take(&mut self.pending);
        let Some(mut segment) = self.active.take() else {
            return Err(io::Error::other("no segment is open"));
        };
        if let Err(error) = segment.write(&self.directory, &frames, entries) {
            if let Err(why) = segment.cut(&self.directory) {
                ::log::error!(
                    "{}: what was not written could not be taken out again ({why}); \
                     it may be sent although its callers were refused",
                    self.directory.display()
                );
            }
            return Err(error);
        }
        let place = segment.end();
        self.active = Some(segment);
        // The next entries come in the same room.
        self.frames = frames;
        self.frames.clear();
        Ok(place)
    }

    /// Ends the segment that is written, so that others may take it for done. One without entries is kept,
    /// if `unless_empty`: there would only be another.
    pub(super) fn end_segment(&mut self, unless_empty: bool) -> bool {
        let ends = self
            .active
            .as_ref()
            .is_some_and(|active| !(unless_empty && active.is_empty()));
        if ends {
            self.active = None;
        }
        ends
    }
}
