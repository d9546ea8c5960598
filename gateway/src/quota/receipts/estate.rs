//! What dead processes left: read, told to the store, removed.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::{Holding, Line};
use crate::quota::book::{Amendment, Bequest};
use crate::quota::leases::Amend;

/// The receipts of a dead process.
#[derive(Debug)]
pub(in crate::quota) struct Estate {
    path: PathBuf,
    /// Locked, so that only one tells them.
    file: File,
}

/// The files in a directory that no living process has.
pub(in crate::quota) fn left_behind(directory: &Path) -> Vec<Estate> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let estate = |path: PathBuf| {
        let file = File::open(&path).ok()?;
        file.try_lock().ok()?;
        // Another one may have told and removed it meanwhile.
        path.exists().then_some(Estate { path, file })
    };
    paths.into_iter().filter_map(estate).collect()
}

impl Estate {
    /// What has to be told, in any order.
    pub(in crate::quota) fn read(&mut self) -> std::io::Result<Vec<Amend>> {
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let mut holders: HashMap<u32, Holding> = HashMap::new();
        for line in Line::all(&bytes) {
            match line {
                Line::Holder(id, holding) => drop(holders.insert(id, holding)),
                Line::Settled(record) => {
                    let Some(holding) = holders.get_mut(&record.id) else {
                        continue;
                    };
                    holding.overrun = holding.overrun.max(record.overrun);
                    let mut steps = holding.settled.iter_mut();
                    match steps.find(|(step, _)| *step == record.step) {
                        Some((_, settled)) => *settled = record.settled.max(*settled),
                        None => holding.settled.push((record.step, record.settled)),
                    }
                }
            }
        }
        Ok(holders.into_values().filter_map(amend).collect())
    }

    /// All of it has been told.
    pub(in crate::quota) fn close(self) -> std::io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    pub(in crate::quota) fn path(&self) -> &Path {
        &self.path
    }
}

/// `None` for what was counted by a time zone that is not known here.
fn amend(holding: Holding) -> Option<Amend> {
    let bequest = Bequest {
        holder: holding.holder,
        settled: holding.settled,
        overrun: holding.overrun,
        told: holding.told,
    };
    Some(Amend {
        key: Arc::from(holding.key),
        root: Arc::from(holding.root),
        terms: holding.terms.read()?,
        amendment: Amendment::Bequest(bequest),
    })
}
