//! A segment that is written: it is locked as long as it is, and what is in it lasts.
//!
//! It appears in the directory whole, locked and with its head, so that nobody who looks for segments that
//! are done takes it for one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::directory;
use super::entry::Id;
use super::format::{HEADS, Head};
use super::position::Place;

/// A segment that is written.
#[derive(Debug)]
pub(super) struct Segment {
    number: u64,
    head: Head,
    file: Flock<File>,
    /// Up to where it lasts.
    length: u64,
    /// How many entries there are.
    entries: u32,
}

impl Segment {
    /// Makes the first segment whose number is free, from `number` on.
    pub(super) fn create(directory: &Path, mut number: u64) -> io::Result<Self> {
        let head = Head::random()?;
        let draft = directory.join(format!("{:016x}.new", head.id));
        let made = Self::draft(&draft, &head).and_then(|file| {
            loop {
                // Unlike a rename, a link never takes the place of what is there.
                match fs::hard_link(&draft, directory::segment(directory, number)) {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                    Err(error) => return Err(error),
                }
            }
            directory::sync(directory)?;
            Ok(file)
        });
        // Without it, too, the segment is what it is.
        let _ = fs::remove_file(&draft);
        Ok(Self {
            number,
            head,
            file: made?,
            length: HEADS,
            entries: 0,
        })
    }

    fn draft(path: &Path, head: &Head) -> io::Result<Flock<File>> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        file.write_all(&head.write())?;
        file.sync_all()?;
        Ok(file)
    }

    /// What its frames are written by.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// The id of an entry that would be the `ahead`th of those not written yet.
    pub(super) fn id(&self, ahead: u32) -> Option<Id> {
        let index = self.entries.checked_add(ahead)?;
        Some(Id {
            segment: self.head.id,
            index,
        })
    }

    /// Up to where it lasts.
    pub(super) fn end(&self) -> Place {
        Place {
            segment: self.number,
            offset: self.length,
        }
    }

    /// Writes frames of so many entries; once this returns, they outlive the machine. After an error
    /// nothing may be written any more: see [`Segment::cut`].
    pub(super) fn write(&mut self, frames: &[u8], entries: u32) -> io::Result<()> {
        self.file.write_all(frames)?;
        self.file.sync_data()?;
        self.length += frames.len() as u64;
        self.entries = self.entries.saturating_add(entries);
        Ok(())
    }

    /// Whether there is no entry in it.
    pub(super) fn is_empty(&self) -> bool {
        self.length == HEADS
    }

    /// Ends it after an error: whatever of the last frames got into the file is taken out again, as far as
    /// the disk still does what it is told.
    pub(super) fn cut(self, directory: &Path) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()?;
        if self.is_empty() {
            fs::remove_file(directory::segment(directory, self.number))?;
        }
        Ok(())
    }
}

/// Whether nobody writes the segment at `path` any more. Once so, it stays so.
pub(super) fn is_done(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_) => Ok(true),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(false),
        Err((_, errno)) => Err(errno.into()),
    }
}
