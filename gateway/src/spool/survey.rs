//! What is in a spool, looked at from outside: the files of a gateway that runs, or of one that is gone.
//! It takes no lock and changes nothing.

use std::io;
use std::path::{Path, PathBuf};

use super::directory;
use super::entry::Entry;
use super::position::{self, Place};
use super::reader::{Reader, Step};

/// Whether an entry still has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No broker is known to have acknowledged it.
    Waiting,
    /// Brokers refused it for good.
    Rejected,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) waiting: u64,
    pub(crate) rejected: u64,
    /// Of all files.
    pub(crate) bytes: u64,
    /// When the oldest that waits came, in milliseconds since 1970.
    pub(crate) oldest: Option<i64>,
    /// Bytes in which nothing can be read although something may have been there.
    pub(crate) damaged: u64,
}

/// The spools in a data directory, or in the directory `spool` of one, by the names of their clusters; or
/// the one whose directory this is itself.
pub(crate) fn spools(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let inner = directory.join(super::DIRECTORY);
    // It may be the name of a cluster, too.
    let inside = inner.is_dir() && !is_spool(&inner)?;
    if !inside
        && is_spool(directory)?
        && let Some(name) = directory.canonicalize()?.file_name()
    {
        let name = name.to_string_lossy().into_owned();
        return Ok(vec![(name, directory.to_owned())]);
    }
    let directory = match inside {
        true => inner,
        false => directory.to_owned(),
    };
    let mut spools = Vec::new();
    for entry in std::fs::read_dir(&directory)? {
        let path = entry?.path();
        if let (true, Some(name)) = (is_spool(&path)?, path.file_name()) {
            spools.push((name.to_string_lossy().into_owned(), path.clone()));
        }
    }
    spools.sort();
    Ok(spools)
}

fn is_spool(path: &Path) -> io::Result<bool> {
    Ok(path.is_dir() && (path.join("position").exists() || !directory::segments(path)?.is_empty()))
}

/// Looks at a spool, and shows `each` entry on the way: those that wait in the order in which they would
/// be sent, then those refused.
pub(crate) fn survey<E: From<io::Error>>(
    directory: &Path,
    mut each: impl FnMut(State, &Entry) -> Result<(), E>,
) -> Result<Found, E> {
    let mut found = survey_waiting(directory, u64::MAX, |entry| each(State::Waiting, entry))?;
    let rejected = directory::rejected(directory);
    let from = Place::default();
    read_all(
        &rejected,
        from,
        u64::MAX,
        &mut found,
        &mut |entry, found| {
            found.rejected += 1;
            each(State::Rejected, entry)
        },
    )?;
    Ok(found)
}

/// The same of what waits in segments up to this one.
pub(super) fn survey_waiting<E: From<io::Error>>(
    directory: &Path,
    until: u64,
    mut each: impl FnMut(&Entry) -> Result<(), E>,
) -> Result<Found, E> {
    let mut found = Found::default();
    let from = position::read(directory)?;
    read_all(directory, from, until, &mut found, &mut |entry, found| {
        found.waiting += 1;
        let oldest = found.oldest.get_or_insert(entry.time);
        *oldest = entry.time.min(*oldest);
        each(entry)
    })?;
    Ok(found)
}

/// Shows each entry from a place on, in all segments up to one.
pub(super) fn read_all<E: From<io::Error>>(
    directory: &Path,
    from: Place,
    until: u64,
    found: &mut Found,
    each: &mut dyn FnMut(&Entry, &mut Found) -> Result<(), E>,
) -> Result<(), E> {
    for (number, size) in directory::segments(directory)? {
        found.bytes += size;
        if number > until {
            continue;
        }
        let offset = match number.cmp(&from.segment) {
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Equal => from.offset,
            std::cmp::Ordering::Greater => 0,
        };
        let reader = match Reader::open(&directory::segment(directory, number), offset) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let Some(mut reader) = reader else {
            found.damaged += size.saturating_sub(offset);
            continue;
        };
        loop {
            let step = match reader.step_to_end() {
                // Its writer just took back what it could not write whole.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                step => step?,
            };
            match step {
                Step::Entry(entry) => each(&entry, found)?,
                Step::Damage(bytes) => found.damaged += bytes,
                // What was not yet whole when its writer ended was promised to nobody.
                Step::End(_) => break,
            }
        }
    }
    Ok(())
}

/// How many entries can be read in a segment.
pub(super) fn entries_of(path: &Path) -> io::Result<u64> {
    let Some(mut reader) = Reader::open(path, 0)? else {
        return Ok(0);
    };
    let mut entries = 0;
    loop {
        match reader.step_to_end()? {
            Step::Entry(_) => entries += 1,
            Step::Damage(_) => {}
            Step::End(_) => return Ok(entries),
        }
    }
}
