//! The way to the servers, kept open: connected, recovered and probed by a task of its own, so that
//! a decision finds it ready or knows at once that it is not.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::books::Shelf;
use super::clock::Clock;
use super::condition::Condition;
use super::connect::connect;
use super::journal::{Journal, WRITE_EVERY};
use super::recover;
use crate::config::stores::Redis;

/// How often the servers are looked at.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take that no decision waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before the servers are tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// The way as it is.
#[derive(Clone)]
enum Way {
    Closed(Arc<str>),
    Open(Arc<Shelf>),
}

/// What makes the way doubtful.
pub(super) enum Doubt {
    /// Something was sent and came to nothing.
    Broken,
    /// A book has forgotten something.
    Lost,
    /// An operator wants everything brought back.
    Rebuild,
}

/// The way.
pub(super) struct Link {
    way: watch::Receiver<Way>,
    doubts: mpsc::Sender<Doubt>,
}

impl Link {
    /// Begins to open it.
    pub(super) fn open(store: &Arc<str>, servers: Arc<Redis>, clock: Arc<Clock>) -> Self {
        let closed = Way::Closed("Redis is being connected to".into());
        let (tell, way) = watch::channel(closed);
        let (doubts, doubted) = mpsc::channel(16);
        let keeper = Keeper {
            store: Arc::clone(store),
            servers,
            clock,
            tell,
            doubted,
        };
        // Outside of a runtime, as in a dry run, nothing is opened.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(keeper.keep());
        }
        Self { way, doubts }
    }

    /// The books, if they can be reached until the deadline.
    pub(super) async fn shelf(&self, deadline: Instant) -> Result<Arc<Shelf>, Arc<str>> {
        let mut way = self.way.clone();
        loop {
            let why = match &*way.borrow_and_update() {
                Way::Open(shelf) => return Ok(Arc::clone(shelf)),
                Way::Closed(why) => Arc::clone(why),
            };
            match timeout_at(deadline, way.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(why),
            }
        }
    }

    pub(super) fn doubt(&self, doubt: Doubt) {
        // One that waits already is enough.
        let _ = self.doubts.try_send(doubt);
    }
}

/// Who keeps the way open.
struct Keeper {
    store: Arc<str>,
    servers: Arc<Redis>,
    clock: Arc<Clock>,
    tell: watch::Sender<Way>,
    doubted: mpsc::Receiver<Doubt>,
}

impl Keeper {
    async fn keep(mut self) {
        let Some(journal) = self.journal().await else {
            return;
        };
        let mut wait = RETRY.0;
        // An epoch in which something was found to be lost.
        let mut lost = None;
        while !self.tell.is_closed() {
            let why: Arc<str> = match self.begin(&journal, lost.take()).await {
                Ok((shelf, epoch, condition)) => {
                    wait = RETRY.0;
                    log::info!("store {}: Redis is ready", self.store);
                    self.tell.send_replace(Way::Open(Arc::clone(&shelf)));
                    let (doubt, why) = self.stay(&shelf, epoch, condition).await;
                    if matches!(doubt, Doubt::Lost | Doubt::Rebuild) {
                        lost = Some(epoch);
                    }
                    why
                }
                Err(why) => why,
            };
            self.close(why);
            sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Opens the journal, again and again if need be.
    async fn journal(&self) -> Option<Arc<Journal>> {
        loop {
            let directory = self.servers.journal.clone();
            let opened = tokio::task::spawn_blocking(move || Journal::open(&directory)).await;
            match opened.unwrap_or_else(|e| Err(e.to_string().into())) {
                Ok(journal) => {
                    let journal = Arc::new(journal);
                    tokio::spawn(write(Arc::downgrade(&journal), Arc::clone(&self.store)));
                    return Some(journal);
                }
                Err(why) => self.close(why),
            }
            if self.tell.is_closed() {
                return None;
            }
            sleep(PROBE_EVERY).await;
        }
    }

    fn close(&self, why: Arc<str>) {
        self.tell.send_if_modified(|way| {
            let news = !matches!(way, Way::Closed(known) if *known == why);
            if news {
                log::warn!("store {}: {why}", self.store);
                *way = Way::Closed(why);
            }
            news
        });
    }

    async fn begin(
        &self,
        journal: &Arc<Journal>,
        lost: Option<u64>,
    ) -> Result<(Arc<Shelf>, u64, Condition), Arc<str>> {
        let connected = timeout(PATIENCE, connect(&self.servers)).await;
        let connection = connected.map_err(|_| "Redis cannot be connected to in time")??;
        let shelf = Arc::new(Shelf {
            store: Arc::clone(&self.store),
            prefix: self.servers.prefix.as_str().into(),
            connection,
            journal: Arc::clone(journal),
            clock: Arc::clone(&self.clock),
            patience: PATIENCE,
        });
        let condition = look(&shelf).await?;
        for fault in &condition.faults {
            log::warn!("store {}: Redis: {fault}", self.store);
        }
        let epoch = recover::recover(&shelf, &condition, lost).await?;
        Ok((shelf, epoch, condition))
    }

    /// Until the way is not what it was.
    async fn stay(&mut self, shelf: &Shelf, epoch: u64, begun: Condition) -> (Doubt, Arc<str>) {
        loop {
            tokio::select! {
                () = self.tell.closed() => return (Doubt::Broken, "the store is not used any more".into()),
                doubt = self.doubted.recv() => match doubt {
                    Some(Doubt::Lost) => return (Doubt::Lost, "Redis has forgotten something".into()),
                    Some(Doubt::Rebuild) => {
                        return (Doubt::Rebuild, "an operator has everything brought back".into());
                    }
                    // Was it the servers?
                    Some(Doubt::Broken) => {}
                    None => return (Doubt::Broken, "the store is not used any more".into()),
                },
                () = sleep(PROBE_EVERY) => {}
            }
            let condition = match look(shelf).await {
                Ok(condition) => condition,
                Err(why) => return (Doubt::Broken, why),
            };
            if condition.identity != begun.identity {
                return (
                    Doubt::Broken,
                    "other servers answer for Redis than before".into(),
                );
            }
            match recover::ask(shelf, &condition, None, false).await {
                Ok(now) if now.number == epoch => {}
                Ok(_) => return (Doubt::Broken, "Redis may have forgotten something".into()),
                Err(why) => return (Doubt::Broken, why),
            }
        }
    }
}

async fn look(shelf: &Shelf) -> Result<Condition, Arc<str>> {
    let answers = shelf.wait(shelf.connection.info()).await?;
    let condition = Condition::of(&answers);
    if condition.is_replica {
        return Err("Redis: it is a replica, and takes no writes".into());
    }
    Ok(condition)
}

/// Writes the journal for as long as it is used.
async fn write(journal: std::sync::Weak<Journal>, store: Arc<str>) {
    loop {
        sleep(WRITE_EVERY).await;
        let Some(journal) = journal.upgrade() else {
            return;
        };
        let written = tokio::task::spawn_blocking(move || journal.write()).await;
        if let Ok(Err(why)) = written {
            log::error!("store {store}: the journal: {why}");
        }
    }
}
