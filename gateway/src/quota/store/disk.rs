//! A file of keys and values that survives the process and the machine: redb, transactional, one
//! process at a time.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, DatabaseError, Durability, ReadableDatabase as _, TableDefinition};

const TABLE: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("books");

/// Pages kept in memory, in bytes.
const CACHE: usize = 16 << 20;

/// An open file.
#[derive(Debug)]
pub(super) struct Disk(Database);

/// What a key becomes: a new value, or nothing.
pub(super) type Change = (Arc<str>, Option<Vec<u8>>);

impl Disk {
    /// Opens or makes it; `None` while another process has it.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Arc<str>> {
        let at =
            |e: &dyn std::fmt::Display| -> Arc<str> { format!("{}: {e}", path.display()).into() };
        match Database::builder().set_cache_size(CACHE).create(path) {
            Ok(database) => {
                let disk = Self(database);
                disk.write(&[], true)?;
                Ok(Some(disk))
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => Ok(None),
            Err(e) => Err(at(&e)),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Arc<str>> {
        let read = || -> Result<_, redb::Error> {
            let table = self.0.begin_read()?.open_table(TABLE)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        };
        read().map_err(|e| said(&e))
    }

    /// Makes all changes or none. Those that are not `lasting` may be undone by the end of the
    /// process, until one that is follows.
    pub(super) fn write(&self, changes: &[Change], lasting: bool) -> Result<(), Arc<str>> {
        let write = || -> Result<_, redb::Error> {
            let mut transaction = self.0.begin_write()?;
            transaction.set_durability(match lasting {
                true => Durability::Immediate,
                false => Durability::None,
            })?;
            {
                let mut table = transaction.open_table(TABLE)?;
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(table.insert(&**key, &**value)?),
                        None => drop(table.remove(&**key)?),
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|e| said(&e))
    }

    /// Up to `most` keys and values from `from` on, in the order of the keys.
    pub(super) fn scan(&self, from: &str, most: usize) -> Result<Vec<(String, Vec<u8>)>, Arc<str>> {
        let scan = || -> Result<_, redb::Error> {
            let table = self.0.begin_read()?.open_table(TABLE)?;
            let mut found = Vec::new();
            for entry in table.range(from..)?.take(most) {
                let (key, value) = entry?;
                found.push((key.value().to_owned(), value.value().to_vec()));
            }
            Ok(found)
        };
        scan().map_err(|e| said(&e))
    }
}

fn said(error: &dyn std::fmt::Display) -> Arc<str> {
    format!("the ledger's file: {error}").into()
}
