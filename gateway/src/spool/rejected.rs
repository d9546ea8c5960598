//! What brokers refused for good, each with the reason: kept for people, sent by nobody. Bounded: the
//! oldest of it makes room.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::directory;
use super::log::{Draft, Log};
use super::survey::entries_of;
use super::writer::segment_size;
use super::{Entry, Settings};

/// Which share of a spool's size it may take beside that.
const SHARE: u64 = 4;

/// The log of what was refused.
pub(super) struct Rejected {
    directory: PathBuf,
    most: u64,
    log: Log,
}

impl Rejected {
    pub(super) fn new(settings: &Settings) -> Self {
        let directory = directory::rejected(&settings.directory);
        let most = settings.max_size / SHARE;
        Self {
            log: Log::new(&directory, segment_size(most)),
            directory,
            most,
        }
    }

    /// Keeps an entry and why it was refused; how many others had to go for it.
    pub(super) fn keep(&mut self, entry: &Entry, reason: &str) -> io::Result<u64> {
        let draft = Draft {
            time: entry.time,
            record: entry.record.clone(),
            refused: Some((entry.id, Arc::from(reason))),
        };
        self.log.ready()?;
        self.log
            .add(draft, u64::MAX)
            .ok_or_else(|| io::Error::other("the record does not fit into a segment"))?;
        self.log.write()?;
        // It is kept already, and would be twice if it were tried again.
        Ok(self.make_room().unwrap_or_else(|error| {
            let directory = self.directory.display();
            ::log::error!("{directory}: no room can be made, and it gets larger: {error}");
            0
        }))
    }

    fn make_room(&self) -> io::Result<u64> {
        let mut segments = directory::segments(&self.directory)?;
        let mut bytes: u64 = segments.iter().map(|(_, size)| size).sum();
        // The last one is written.
        segments.pop();
        let mut gone = 0;
        for (number, size) in segments {
            if bytes <= self.most {
                break;
            }
            let path = directory::segment(&self.directory, number);
            gone += entries_of(&path)?;
            std::fs::remove_file(&path)?;
            bytes -= size;
        }
        Ok(gone)
    }

    /// How large it is.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        directory::bytes(&self.directory)
    }
}
