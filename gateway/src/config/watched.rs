//! The files a configuration was read from, and what each looked like when it was.
//!
//! Each is looked at before it is read, so that a change at any moment after is seen as one.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files and directories that, when they change, call for a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched(BTreeMap<PathBuf, Look>);

impl Watched {
    /// Notes that `path` is about to be read.
    pub(super) fn note(&mut self, path: &Path) {
        if !self.0.contains_key(path) {
            self.0.insert(path.to_owned(), Look::at(path));
        }
    }

    /// With what was noted elsewhere.
    pub(super) fn extend(&mut self, other: Watched) {
        for (path, look) in other.0 {
            self.0.entry(path).or_insert(look);
        }
    }

    /// What is watched.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(|path| &**path)
    }

    /// The same files and directories, as they look now.
    #[must_use]
    pub(crate) fn again(&self) -> Self {
        let now = |path: &PathBuf| (path.clone(), Look::at(path));
        Watched(self.0.keys().map(now).collect())
    }
}

/// What a file looks like from outside: enough to tell that nobody has touched it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look(Option<(SystemTime, u64, u64)>);

impl Look {
    /// Symbolic links are followed: what they lead to is what is read.
    fn at(file: &Path) -> Self {
        let known = std::fs::metadata(file).ok();
        Look(known.and_then(|m| Some((m.modified().ok()?, m.len(), m.ino()))))
    }
}
