//! The entries of a spool in the order in which they go out, over all its segments.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::format::HEADS;
use super::position::Place;
use super::reader::{Reader, Step};
use super::{Entry, Live, Shared, directory, segment};

/// What is next.
pub(super) enum Next {
    /// An entry, and where it ends.
    Entry(Box<Entry>, Place),
    /// The segment of this number has no more.
    Passed(u64),
    /// Nothing, as far as is known.
    Nothing,
}

/// A way through the spool.
pub(super) struct Course {
    shared: Arc<Shared>,
    at: Place,
    reader: Option<Reader>,
    /// Whether nobody writes the segment that is read any more.
    done: bool,
    /// Where the way last ended for the time being.
    ended: Place,
    /// How many entries this process has added, if all of them were read.
    pub(super) all_of: Option<u64>,
}

impl Course {
    /// Begins at a place.
    pub(super) fn new(shared: Arc<Shared>, at: Place) -> Self {
        Self {
            shared,
            at,
            reader: None,
            done: false,
            ended: at,
            all_of: None,
        }
    }

    /// What is next. After an error it is tried again.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        self.all_of = None;
        let next = self.read();
        if next.is_err() {
            self.reader = None;
        }
        next
    }

    fn read(&mut self) -> io::Result<Next> {
        loop {
            let Live { at, appended } = *self.shared.live.borrow();
            let Some(reader) = &mut self.reader else {
                match self.open()? {
                    true => continue,
                    false => {
                        self.all_of = Some(appended);
                        return Ok(Next::Nothing);
                    }
                }
            };
            let live = at.filter(|live| live.segment == self.at.segment);
            let step = match live {
                Some(live) => reader.step(live.offset)?,
                None => reader.step_to_end()?,
            };
            self.at.offset = reader.at();
            match step {
                Step::Entry(entry) => return Ok(Next::Entry(entry, self.at)),
                Step::Damage(bytes) => self.lost(bytes),
                Step::End(_) if live.is_some() => {
                    self.all_of = Some(appended);
                    self.look_further()?;
                    return Ok(Next::Nothing);
                }
                Step::End(_) if self.done && self.is_taken_back() => {
                    // Its number may be used again.
                    self.reader = None;
                    self.at.offset = 0;
                }
                Step::End(rest) if self.done => return Ok(Next::Passed(self.pass(rest))),
                Step::End(_) => {
                    self.done = segment::is_done(&self.path())?;
                    // If so, its writer may have added something just before it ended.
                    if !self.done {
                        return Ok(Next::Nothing);
                    }
                }
            }
        }
    }

    /// Opens the next segment, if there is one.
    fn open(&mut self) -> io::Result<bool> {
        let segments = directory::segments(&self.shared.settings.directory)?;
        let next = segments
            .iter()
            .find(|(number, _)| *number >= self.at.segment);
        let Some(&(number, size)) = next else {
            return Ok(false);
        };
        let offset = match number > self.at.segment {
            true => 0,
            false => self.at.offset,
        };
        let path = directory::segment(&self.shared.settings.directory, number);
        self.reader = match Reader::open(&path, offset) {
            // Its writer took it back: nothing was in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            opened => opened?,
        };
        self.at = Place {
            segment: number,
            offset,
        };
        self.done = false;
        if self.reader.is_none() {
            // Nothing of it can be read, and nobody writes it: a segment appears with its head.
            std::fs::rename(&path, path.with_extension("damaged"))?;
            self.lost(size);
            self.pass(0);
        }
        Ok(true)
    }

    /// Nothing more is in the segment that this process writes. If there is a later one, as somebody makes
    /// who was there before, what is in that waits for this one to end.
    fn look_further(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.ended, self.at) != self.at {
            // More is coming.
            return Ok(());
        }
        let segments = directory::segments(&self.shared.settings.directory)?;
        let last = segments.last().map(|(number, _)| *number);
        if last > Some(self.at.segment) {
            self.shared.end_segment();
        }
        Ok(())
    }

    /// Whether nothing was read of a segment that is gone.
    fn is_taken_back(&self) -> bool {
        self.at.offset <= HEADS && !self.path().exists()
    }

    /// Leaves a segment behind, of which so many bytes are no entry.
    fn pass(&mut self, rest: u64) -> u64 {
        let passed = self.at.segment;
        if rest > 0 {
            ::log::warn!(
                "{} ends with {rest} bytes that are no whole entry, as a write leaves that is \
                 interrupted; nobody was promised what they are",
                self.path().display(),
            );
        }
        self.reader = None;
        self.at = Place {
            segment: passed + 1,
            offset: 0,
        };
        passed
    }

    fn path(&self) -> PathBuf {
        directory::segment(&self.shared.settings.directory, self.at.segment)
    }

    fn lost(&self, bytes: u64) {
        self.shared.figures.damaged(bytes);
        ::log::error!(
            "{}: {bytes} bytes before offset {} are damaged; what they were is lost, and what \
             follows is sent",
            self.path().display(),
            self.at.offset,
        );
    }
}
