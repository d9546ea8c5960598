//! A segment that is written: it is locked as long as it is, and what is in it lasts.
//!
//! It appears in the directory whole, locked and with its head, so that nobody who looks for segments that
//! are done takes it for one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::directory;
use super::entry::Id;
use super::format::{HEADS, Head};
use super::position::{self, Place};

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
    /// Makes a segment behind all there are and all that was sent, with that number or a later one.
    pub(super) fn create(directory: &Path, at_least: u64) -> io::Result<Self> {
        let head = Head::random()?;
        let draft = directory.join(format!("{:016x}.new", head.id));
        let made = Self::draft(&draft, &head).and_then(|file| {
            let number = link(&draft, directory, at_least)?;
            directory::sync(directory)?;
            Ok((file, number))
        });
        // Without it, too, the segment is what it is.
        let _ = fs::remove_file(&draft);
        let (file, number) = made?;
        Ok(Self {
            number,
            head,
            file,
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
    pub(super) fn write(
        &mut self,
        directory: &Path,
        frames: &[u8],
        entries: u32,
    ) -> io::Result<()> {
        self.file.write_all(frames)?;
        self.file.sync_data()?;
        let path = directory::segment(directory, self.number);
        if !self.is_at(&path)? {
            // What is in a file without a name is gone with the process.
            ::log::error!(
                "{} was taken away while it was written; what was in it and is not sent may be lost",
                path.display()
            );
            let why = format!("{} was taken away", path.display());
            return Err(io::Error::other(why));
        }
        self.length += frames.len() as u64;
        self.entries = self.entries.saturating_add(entries);
        Ok(())
    }

    /// Whether it is still what is there.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let own = self.file.metadata()?;
        match fs::metadata(path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
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
        let path = directory::segment(directory, self.number);
        if self.is_empty() && self.is_at(&path)? {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Gives a segment its name; its number.
fn link(draft: &Path, directory: &Path, at_least: u64) -> io::Result<u64> {
    let mut number = at_least.max(next_number(directory)?);
    loop {
        let path = directory::segment(directory, number);
        // Unlike a rename, a link never takes the place of what is there.
        match fs::hard_link(draft, &path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                continue;
            }
            Err(error) => return Err(error),
        }
        // Others may have gone past that number since it was looked for.
        match next_number(directory) {
            Ok(next) if next == number + 1 => return Ok(number),
            Ok(next) => {
                fs::remove_file(&path)?;
                number = next;
            }
            Err(error) => {
                fs::remove_file(&path)?;
                return Err(error);
            }
        }
    }
}

fn next_number(directory: &Path) -> io::Result<u64> {
    // In this order: what is drained and gone from the directory is before the position.
    let segments = directory::segments(directory)?;
    let last = segments.last().map_or(0, |(number, _)| *number);
    Ok(last.max(position::read(directory)?.segment) + 1)
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
