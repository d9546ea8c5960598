//! What this process last saw of every book it entered anything in, in a file of its own: so that
//! what a server forgets is not forgotten. Books are kept whole, those of others included; they
//! are absolute, so that bringing one back twice, or one that is still there, changes nothing.
//!
//! The file is written once a second: what was seen in the last second before the process is
//! killed is not in it. Files that dead processes left are taken over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::quota::store::disk::{Change, Disk};
use crate::quota::store::wire::{Kept, read};
use crate::quota::window::Micros;

/// How often what was seen is written.
pub(super) const WRITE_EVERY: Duration = Duration::from_secs(1);

/// How many books are looked at in one go.
const PAGE: usize = 1_000;

/// The key under which the server's epoch is kept; no book is called so.
const EPOCH: &str = "epoch";

/// Books by their names, and the name to go on from.
pub(super) type Page = (Vec<(Arc<str>, Kept)>, Option<String>);

/// The file, and what is to be written to it.
#[derive(Debug)]
pub(super) struct Journal {
    disk: Disk,
    path: PathBuf,
    seen: Mutex<HashMap<Arc<str>, Vec<u8>>>,
    /// Held while it is written: what is neither in `seen` nor in the file yet would be missed.
    writing: Mutex<()>,
}

impl Journal {
    /// Opens a new one in a directory.
    pub(super) fn open(directory: &Path) -> Result<Self, Arc<str>> {
        let at = |e: &dyn std::fmt::Display| -> Arc<str> {
            format!("{}: {e}", directory.display()).into()
        };
        std::fs::create_dir_all(directory).map_err(|e| at(&e))?;
        let mut number = 0_u64;
        loop {
            number += 1;
            let path = directory.join(format!("{}-{number}.redb", std::process::id()));
            if !path.exists()
                && let Some(disk) = Disk::open(&path)?
            {
                return Ok(Self {
                    disk,
                    path,
                    seen: Mutex::default(),
                    writing: Mutex::default(),
                });
            }
        }
    }

    /// Takes over what dead processes left beside it.
    pub(super) fn inherit(&self) -> Result<(), Arc<str>> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let left = std::fs::read_dir(directory)
            .map_err(|e| Arc::from(format!("{}: {e}", directory.display())))?;
        for entry in left.flatten() {
            let path = entry.path();
            let is_journal = path
                .extension()
                .is_some_and(|extension| extension == "redb");
            if is_journal && path != self.path {
                self.take_over(&path)?;
            }
        }
        Ok(())
    }

    /// Takes over a file, unless a process has it. What is known here already is newer.
    fn take_over(&self, path: &Path) -> Result<(), Arc<str>> {
        let Some(dead) = Disk::open(path)? else {
            return Ok(());
        };
        let mut from = String::new();
        loop {
            let page = dead.scan(&from, PAGE)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            from = format!("{last}\0");
            let books = page.into_iter().filter(|(key, _)| key != EPOCH);
            let mut changes: Vec<Change> = Vec::new();
            for (key, bytes) in books {
                if self.disk.get(&key)?.is_none() {
                    changes.push((key.into(), Some(bytes)));
                }
            }
            self.disk.write(&changes, false)?;
        }
        self.disk.write(&[], true)?;
        drop(dead);
        std::fs::remove_file(path).map_err(|e| format!("{}: {e}", path.display()).into())
    }

    /// Notes a book as it was seen.
    pub(super) fn note(&self, key: &Arc<str>, kept: Vec<u8>) {
        self.seen.lock().insert(Arc::clone(key), kept);
    }

    /// Writes what was noted, and makes it last. What somebody else is writing is written when this
    /// returns.
    pub(super) fn write(&self) -> Result<(), Arc<str>> {
        let _turn = self.writing.lock();
        let seen = std::mem::take(&mut *self.seen.lock());
        if seen.is_empty() {
            return Ok(());
        }
        let changes: Vec<Change> = seen
            .into_iter()
            .map(|(key, bytes)| (key, Some(bytes)))
            .collect();
        let written = self.disk.write(&changes, true);
        if written.is_err() {
            let mut seen = self.seen.lock();
            for (key, bytes) in changes {
                // What was seen since is newer.
                seen.entry(key).or_insert(bytes.unwrap_or_default());
            }
        }
        written
    }

    /// The epoch of the server in which all of this is known to it.
    pub(super) fn epoch(&self) -> Result<Option<u64>, Arc<str>> {
        let bytes = self.disk.get(EPOCH)?;
        Ok(bytes.and_then(|bytes| read(&bytes).ok()))
    }

    pub(super) fn set_epoch(&self, epoch: u64) -> Result<(), Arc<str>> {
        let bytes = crate::quota::store::wire::write(&epoch);
        self.disk.write(&[(EPOCH.into(), Some(bytes))], true)
    }

    /// The books from a name on, those over at `now` left out and forgotten; and where to go on.
    pub(super) fn page(&self, from: &str, now: Micros) -> Result<Page, Arc<str>> {
        let page = self.disk.scan(from, PAGE)?;
        let next = page.last().map(|(last, _)| format!("{last}\0"));
        let mut gone: Vec<Change> = Vec::new();
        let mut books = Vec::new();
        for (key, bytes) in page {
            if key == EPOCH {
                continue;
            }
            match read::<Kept>(&bytes) {
                Ok(kept) if kept.until > now => books.push((key.into(), kept)),
                _ => gone.push((key.into(), None)),
            }
        }
        if !gone.is_empty() {
            self.disk.write(&gone, false)?;
        }
        Ok((books, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::book::{Book, Terms};
    use crate::quota::store::wire::write;
    use crate::quota::{Period, Window, Zone};

    #[test]
    fn what_somebody_else_is_writing_is_in_the_file_too() {
        let directory = std::env::temp_dir().join(format!("weir-journal-{}", std::process::id()));
        let journal = Journal::open(&directory).expect("a new file");
        let terms = Terms {
            window: Window::Fixed {
                every: Period::Day(Zone::UTC),
            },
            limit: 1,
        };
        let kept = Kept {
            until: Micros::MAX,
            terms: terms.into(),
            book: Book::default(),
        };
        for round in 1..=20 {
            for book in 0..40 {
                journal.note(&format!("{round}-{book}").into(), write(&kept));
            }
            std::thread::scope(|scope| {
                scope.spawn(|| journal.write().expect("it is written"));
                while !journal.seen.lock().is_empty() {
                    std::hint::spin_loop();
                }
                journal.write().expect("there is nothing left to write");
                let (books, _) = journal.page("", 0).expect("a page");
                assert_eq!(books.len(), round * 40);
            });
        }
        std::fs::remove_dir_all(&directory).expect("it is ours");
    }
}
