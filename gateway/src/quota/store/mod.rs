//! Where a quota is counted. Every kind is counted by the same book; they differ in who keeps it
//! and in what survives.

mod disk;
mod local;
mod redis;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(super) use wire::{Answered, Kept, WrittenTerms, write};

use self::local::Local;
use self::redis::Redis;
use super::account::Keeper;
use super::book::Book;
use super::lease::Lease;
use super::leases::Leases;
use super::observer::Observer;
use super::window::{Micros, since_epoch};
use crate::config::stores;

/// How long a holder of a lease may be silent before it is taken to be gone.
const LEASE: Duration = Duration::from_secs(10);

/// A store; copies are the same one.
#[derive(Debug, Clone)]
pub struct Store {
    /// Tells it from every other of this process.
    id: u32,
    name: Arc<str>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// In this process's memory: forgotten when it ends.
    Memory,
    /// In books that outlive it, of which it holds leases.
    Shared(Arc<Leases>),
}

impl Store {
    /// A store that forgets when the process ends.
    pub fn memory(name: &str) -> Self {
        Self::new(name, Kind::Memory)
    }

    /// A store in a file, which outlives the process; other processes that use the same file join
    /// the one that has it.
    pub fn local(name: &str, path: PathBuf) -> Self {
        let receipts = path.with_file_name(format!("receipts-{name}"));
        Self::shared(
            name,
            Leases::new(Arc::new(Local::open(path)), LEASE, receipts),
        )
    }

    /// A store on Redis or Valkey, which all gateways of a fleet share.
    pub fn redis(name: &str, servers: &Arc<stores::Redis>) -> Self {
        let books = Redis::open(name, servers);
        let receipts = servers.journal.with_file_name(format!("receipts-{name}"));
        Self::shared(name, Leases::new(Arc::new(books), servers.lease, receipts))
    }

    /// Looks whether a store could be used on those servers, and changes nothing there; says what
    /// should be otherwise.
    ///
    /// # Errors
    /// Why it could not.
    pub async fn examine(servers: &Arc<stores::Redis>) -> Result<Vec<String>, Arc<str>> {
        redis::examine(servers).await
    }

    fn new(name: &str, kind: Kind) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        Self {
            id: MADE.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            kind,
        }
    }

    /// The same, with somebody told how it fares; only the first one ever is.
    #[must_use]
    pub fn observed(self, observer: Arc<dyn Observer>) -> Self {
        if let Kind::Shared(leases) = &self.kind {
            leases.observe(observer);
        }
        self
    }

    /// Waits until it can be counted in, or it is known why it cannot. May take forever.
    pub async fn come_up(&self) {
        if let Some(leases) = self.leases() {
            leases.books().come_up().await;
        }
    }

    /// Why it cannot be counted in now, where that is known without trying.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.leases()?.books().trouble()
    }

    /// Whether this process keeps the books itself, for others too; `None` where that is no
    /// question.
    pub fn keeps(&self) -> Option<bool> {
        self.leases()?.books().keeps()
    }

    pub(super) fn shared(name: &str, leases: Arc<Leases>) -> Self {
        Self::new(name, Kind::Shared(leases))
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) const fn id(&self) -> u32 {
        self.id
    }

    pub(super) const fn leases(&self) -> Option<&Arc<Leases>> {
        match &self.kind {
            Kind::Memory => None,
            Kind::Shared(leases) => Some(leases),
        }
    }

    /// Who fills the purse of a new account; `name` and `root` are asked for where they matter.
    pub(super) fn keeper(&self, name: impl FnOnce() -> (Arc<str>, Arc<str>)) -> Keeper {
        match &self.kind {
            Kind::Memory => Keeper::Own(Book::default()),
            Kind::Shared(leases) => {
                let (key, root) = name();
                Keeper::Shared(Box::new(Lease::new(Arc::clone(leases), key, root)))
            }
        }
    }

    /// The clock its books go by, where the process's own says `now`.
    pub(super) fn clock(&self, now: std::time::SystemTime) -> Micros {
        match &self.kind {
            Kind::Memory => since_epoch(now),
            Kind::Shared(leases) => leases.now(),
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
