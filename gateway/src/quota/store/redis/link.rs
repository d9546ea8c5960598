//! The way to the servers, kept open: connected, recovered and probed by a task of its own, so that
//! a decision finds it ready or knows at once that it is not.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::books::Shelf;
use super::clock::Clock;
use super::condition::{Bulletin, Condition};
use super::journal::{Journal, WRITE_EVERY};
use super::recover;
use crate::config::stores::Redis;
use crate::quota::window::Micros;
use crate::redis::{Found, connect};

/// How often the servers are looked at.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take that no decision waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before the servers are tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// The way as it is.
#[derive(Clone)]
enum Way {
    Closed(Arc<str>),
    Open(Arc<Shelf>),
}

/// What makes the way doubtful. Where it was found is told: once that is not the way any more,
/// there is nothing to doubt.
pub(super) enum Doubt {
    /// Something was sent and came to nothing.
    Broken(Weak<Shelf>),
    /// A book has forgotten something.
    Lost(Weak<Shelf>),
    /// An operator wants everything brought back.
    Rebuild,
}

/// Why a way is not what it was.
struct End {
    why: Arc<str>,
    /// Whether everything has to be brought back, on the same servers too.
    lost: bool,
}

/// The way.
pub(super) struct Link {
    way: watch::Receiver<Way>,
    doubts: mpsc::Sender<Doubt>,
    /// Where the servers' faults are told.
    pub(super) bulletin: Arc<Bulletin>,
}

impl Link {
    /// Begins to open it.
    pub(super) fn open(store: &Arc<str>, servers: Arc<Redis>, clock: Arc<Clock>) -> Self {
        let bulletin = Arc::<Bulletin>::default();
        let closed = Way::Closed("Redis is being connected to".into());
        let (tell, way) = watch::channel(closed);
        let (doubts, doubted) = mpsc::channel(16);
        let keeper = Keeper {
            store: Arc::clone(store),
            servers,
            clock,
            bulletin: Arc::clone(&bulletin),
            tell,
            doubted,
        };
        // Outside of a runtime, as in a dry run, nothing is opened.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(keeper.keep());
        }
        Self {
            way,
            doubts,
            bulletin,
        }
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

    /// Waits until it was open, or could not be opened, for the first time.
    pub(super) async fn come_up(&self) {
        let _ = self.way.clone().changed().await;
    }

    /// Why it is not open.
    pub(super) fn trouble(&self) -> Option<Arc<str>> {
        match &*self.way.borrow() {
            Way::Open(_) => None,
            Way::Closed(why) => Some(Arc::clone(why)),
        }
    }

    pub(super) fn doubt(&self, doubt: Doubt) {
        // One that waits already is enough.
        let _ = self.doubts.try_send(doubt);
    }
}

/// A way that is open.
struct Begun {
    shelf: Arc<Shelf>,
    epoch: u64,
    /// Who the servers are.
    servers: String,
    /// Ends when they are not the right ones any more.
    over: BoxFuture<'static, Arc<str>>,
}

/// Who keeps the way open.
struct Keeper {
    store: Arc<str>,
    servers: Arc<Redis>,
    clock: Arc<Clock>,
    bulletin: Arc<Bulletin>,
    tell: watch::Sender<Way>,
    doubted: mpsc::Receiver<Doubt>,
}

impl Keeper {
    async fn keep(mut self) {
        let Some(journal) = self.journal().await else {
            return;
        };
        let mut wait = RETRY.0;
        // An epoch in which something was found to be lost; when the servers were last reached.
        let (mut lost, mut heard) = (None, None);
        while !self.tell.is_closed() {
            let why: Arc<str> = match self.begin(&journal, lost, heard).await {
                Ok(mut begun) => {
                    wait = RETRY.0;
                    log::info!("store {}: Redis is ready", self.store);
                    let shelf = Arc::clone(&begun.shelf);
                    self.tell.send_replace(Way::Open(shelf));
                    let end = self.stay(&mut begun).await;
                    lost = end.lost.then_some(begun.epoch);
                    heard = Some(self.clock.heard());
                    end.why
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
        heard: Option<Micros>,
    ) -> Result<Begun, Arc<str>> {
        let connected = timeout(PATIENCE, connect(&self.servers)).await;
        let Found { connection, over } =
            connected.map_err(|_| "Redis cannot be connected to in time")??;
        let shelf = Arc::new(Shelf {
            store: Arc::clone(&self.store),
            prefix: self.servers.prefix.as_str().into(),
            connection,
            journal: Arc::clone(journal),
            clock: Arc::clone(&self.clock),
            patience: PATIENCE,
            lease: self.servers.lease,
            bulletin: Arc::clone(&self.bulletin),
        });
        let condition = look(&shelf).await?;
        let epoch = recover::recover(&shelf, &condition, lost, heard).await?;
        Ok(Begun {
            shelf,
            epoch,
            servers: condition.identity,
            over,
        })
    }

    /// Until the way is not what it was.
    async fn stay(&mut self, begun: &mut Begun) -> End {
        let end = |why: &str, lost| End {
            why: why.into(),
            lost,
        };
        loop {
            tokio::select! {
                why = &mut begun.over => return End { why, lost: false },
                () = self.tell.closed() => return end("the store is not used any more", false),
                doubt = self.doubted.recv() => match doubt {
                    Some(Doubt::Lost(at) | Doubt::Broken(at))
                        if !std::ptr::eq(at.as_ptr(), &*begun.shelf) => continue,
                    Some(Doubt::Lost(_)) => return end("Redis has forgotten something", true),
                    Some(Doubt::Rebuild) => {
                        return end("an operator has everything brought back", true);
                    }
                    // Was it the servers?
                    Some(Doubt::Broken(_)) => {}
                    None => return end("the store is not used any more", false),
                },
                () = sleep(PROBE_EVERY) => {}
            }
            if let Err(why) = begun.are_as_they_were().await {
                return End { why, lost: false };
            }
        }
    }
}

impl Begun {
    /// Looks at the servers.
    async fn are_as_they_were(&mut self) -> Result<(), Arc<str>> {
        let condition = look(&self.shelf).await?;
        if condition.identity != self.servers {
            return Err("other servers answer for Redis than before".into());
        }
        let now = recover::ask(&self.shelf, &condition, None, false).await?;
        match now.number == self.epoch {
            true => Ok(()),
            false => Err("Redis may have forgotten something".into()),
        }
    }
}

async fn look(shelf: &Shelf) -> Result<Condition, Arc<str>> {
    let answers = shelf.wait(shelf.connection.info()).await?;
    let condition = Condition::of(&answers);
    shelf.bulletin.hear(&shelf.store, &condition);
    if condition.is_replica {
        return Err("Redis: it is a replica, and takes no writes".into());
    }
    Ok(condition)
}

/// Writes the journal for as long as it is used.
async fn write(journal: Weak<Journal>, store: Arc<str>) {
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
