//! The files of a spool, by their names. It knows nothing of what they hold.
//!
//! | name | what |
//! |---|---|
//! | `00000000000000000007.log` | a segment; records go out in the order of these numbers |
//! | `position` | up to where brokers have acknowledged all |
//! | `drain.lock` | locked by the process that sends |
//! | `rejected/` | segments of records that brokers refused for good |
//! | `*.new` | a segment that is not one yet |
//! | `*.damaged` | what once was a segment, put aside by the gateway |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const SEGMENT: &str = "log";

/// Where the segment of that number is.
pub(super) fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.{SEGMENT}"))
}

/// Where the records are that brokers refused.
pub(super) fn rejected(directory: &Path) -> PathBuf {
    directory.join("rejected")
}

/// The numbers of the segments, in their order, each with its size. None, if there is no directory.
pub(super) fn segments(directory: &Path) -> io::Result<Vec<(u64, u64)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(number) = number(&entry.path()) {
            match entry.metadata() {
                Ok(metadata) => found.push((number, metadata.len())),
                // It was sent meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn number(path: &Path) -> Option<u64> {
    if path.extension()? != SEGMENT {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

/// How large all segments are together.
pub(super) fn bytes(directory: &Path) -> io::Result<u64> {
    Ok(segments(directory)?.iter().map(|(_, size)| size).sum())
}

/// Makes a directory and whatever is missing above it, so that it outlives the machine.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory
        .parent()
        .filter(|path| !path.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync(parent),
    }
}

/// Has what was made in a directory, or taken from it, outlive the machine.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
