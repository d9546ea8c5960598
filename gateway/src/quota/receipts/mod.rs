//! Receipts: what was settled and not yet told to a store, in files that a killed process leaves
//! behind, so that nothing that was settled is ever forgotten.
//!
//! Books hear of settlements a moment later, together. A process that is killed in that moment has
//! written what it settled to a file before: written, and not forced to the disk, for that a
//! process ends does not undo what it wrote. Another one that uses the same directory finds the
//! file without its lock, tells the store, and removes it. What a machine forgets that loses its
//! power is lost with it.
//!
//! Receipts are absolute, as all that books are told is: read twice, or after the book has heard
//! of them, they change nothing. A file is kept for as long as anybody's last settlement is in it
//! and nowhere else.

mod estate;
mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

pub(super) use estate::{Estate, left_behind};
pub(super) use record::{Holding, Record};

/// How long a file may get before another one is begun, in bytes.
const LONG: u64 = 1 << 20;

/// Who writes them.
#[derive(Debug)]
pub(super) struct Receipts {
    directory: PathBuf,
    current: ArcSwap<Segment>,
}

/// A file, removed when nobody needs it.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    /// Locked while this process lives.
    file: File,
    /// How much is in it, and how much of that says who the holders are.
    bytes: AtomicU64,
    of_holders: AtomicU64,
    holders: AtomicU32,
    failed: AtomicBool,
}

/// Where an account's receipts are.
#[derive(Debug, Default)]
pub(super) struct Drawer {
    /// The file that says who it is, and what it is called there.
    known: Option<(Weak<Segment>, u32)>,
    /// The file with something that its book has not heard of.
    pending: Option<Arc<Segment>>,
}

/// Receipts that are written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    segment: Option<Arc<Segment>>,
    bytes: Vec<u8>,
}

impl Receipts {
    /// Begins a file in a directory.
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let first = Segment::begin(&directory)?;
        Ok(Self {
            directory,
            current: ArcSwap::from_pointee(first),
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Begins another file if this one is long. The old one goes when all in it has been told.
    pub(super) fn turn_over(&self) -> io::Result<()> {
        let current = self.current.load();
        let of_holders = current.of_holders.load(Ordering::Relaxed);
        // Whoever settles next says who they are again: that must not be most of what is written.
        if current.bytes.load(Ordering::Relaxed) > LONG + 4 * of_holders {
            let next = Segment::begin(&self.directory)?;
            self.current.store(Arc::new(next));
        }
        Ok(())
    }
}

impl Segment {
    fn begin(directory: &Path) -> io::Result<Self> {
        static BEGUN: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = BEGUN.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("{}-{number}", std::process::id()));
            let created = OpenOptions::new().append(true).create_new(true).open(&path);
            let file = match created {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created?,
            };
            // Somebody who looks for what dead processes left may have been quicker.
            if file.try_lock().is_ok() {
                return Ok(Self {
                    path,
                    file,
                    bytes: AtomicU64::new(0),
                    of_holders: AtomicU64::new(0),
                    holders: AtomicU32::new(0),
                    failed: AtomicBool::new(false),
                });
            }
        }
    }

    fn write(&self, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Err(e) = (&self.file).write_all(bytes)
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            let path = self.path.display();
            log::error!("{path}: {e}; what is settled now is forgotten if the process is killed");
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // It is found and read once more if it cannot be removed, which changes nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drawer {
    /// Puts in a receipt for what was settled in a step, all of it; `who` is asked for where it is
    /// not known in the file yet.
    pub(super) fn put(
        &mut self,
        receipts: &Receipts,
        batch: &mut Batch,
        settled: Record,
        who: impl FnOnce() -> Holding,
    ) {
        let current = receipts.current.load();
        let here = |(segment, _): &&(Weak<Segment>, u32)| {
            std::ptr::eq(segment.as_ptr(), Arc::as_ptr(&current))
        };
        match self.known.as_ref().filter(here) {
            Some((_, id)) => batch.add(&current, &Record { id: *id, ..settled }.to_bytes()),
            None => {
                let id = current.holders.fetch_add(1, Ordering::Relaxed);
                // All that it settled is said with who it is.
                let bytes = who().into_bytes(id);
                let of_holders = &current.of_holders;
                of_holders.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                batch.add(&current, &bytes);
                self.known = Some((Arc::downgrade(&current), id));
            }
        }
        self.pending = Some(Arc::clone(&current));
    }

    /// The book has heard of everything.
    pub(super) fn empty(&mut self) {
        self.pending = None;
    }
}

impl Batch {
    fn add(&mut self, segment: &Arc<Segment>, bytes: &[u8]) {
        let same = |of: &Arc<Segment>| Arc::ptr_eq(of, segment);
        if !self.segment.as_ref().is_some_and(same) {
            self.write();
            self.segment = Some(Arc::clone(segment));
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn write(&mut self) {
        if let Some(segment) = self.segment.take() {
            segment.write(&self.bytes);
            self.bytes.clear();
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.write();
    }
}
