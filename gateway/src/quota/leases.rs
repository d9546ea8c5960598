//! All leases of one store: asking for them, telling their books what became of them, and giving
//! back what is not spent.
//!
//! One entry per account is under way at a time, made by a task of its own: a request that goes
//! away while it waits leaves nothing undone.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::account::{Account, Cell, Keeper};
use super::book::{Amendment, Entry, Standing, Terms};
use super::lease;
use super::observer::Observer;
use super::receipts::{self, Estate, Receipts};
use super::store::{Answered, Kept};
use super::window::{Micros, micros, since_epoch};

/// How often books are told what has changed.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// At most so many entries are made at once by the one who tells.
const BATCH: usize = 512;

/// After a failure nothing is asked for so long: everybody who waits for a store that is down
/// waits for nothing.
const PAUSE: Duration = Duration::from_millis(500);

/// How often it is looked for what dead processes left.
const INHERIT_EVERY: Duration = Duration::from_secs(2);

/// Picks books by their names.
pub(super) type Wanted = dyn Fn(&str) -> bool + Sync;

/// Where books are kept that several processes share.
#[async_trait]
pub(super) trait Books: Send + Sync + fmt::Debug {
    /// Makes entries, answered in their order: together, so that nothing is granted to any of
    /// them unless what would do is granted to each, as far as they are kept in one place. Where
    /// an entry found too little room, the answer comes with the book. Gives up in bounded time.
    async fn enter(&self, asked: &[Asked]) -> Vec<Answered>;

    /// The book of a key, as it was last entered.
    async fn read(&self, key: &str) -> Result<Option<Kept>, Arc<str>>;

    /// Up to `most` books whose names `wanted` accepts.
    async fn list(&self, wanted: &Wanted, most: usize) -> Result<Vec<(String, Kept)>, Arc<str>>;

    /// Makes a change by hand, and says how the key stands then.
    async fn amend(&self, amend: &Amend) -> Result<Standing, Arc<str>>;

    /// Waits until the books are open, or it is known why they are not. May take forever.
    async fn come_up(&self) {}

    /// Why nothing can be entered now, where that is known without trying.
    fn trouble(&self) -> Option<Arc<str>> {
        None
    }

    /// Has all that was entered so far survive, where that takes a while.
    async fn make_last(&self) {}

    /// Whether this process keeps the books, where one of several does.
    fn keeps(&self) -> Option<bool> {
        None
    }

    /// Has everything brought back that is known of books, by everybody who knows any, where they
    /// are kept by somebody who may forget.
    fn rebuild(&self) {}

    /// Tells somebody how fit their servers are, where there are any.
    fn observe(&self, _observer: &Arc<dyn Observer>) {}

    /// The clock that books go by.
    fn now(&self) -> Micros {
        since_epoch(SystemTime::now())
    }
}

/// One entry to be made.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The book's name.
    pub(super) key: Arc<str>,
    /// What is kept in one place with it.
    pub(super) root: Arc<str>,
    pub(super) terms: Terms,
    pub(super) entry: Entry,
    /// The turn of the holder's last entry that was answered; zero before the first.
    pub(super) answered: u64,
}

/// A change by hand to be made.
#[derive(Debug, Clone)]
pub(super) struct Amend {
    /// The book's name.
    pub(super) key: Arc<str>,
    /// What is kept in one place with it.
    pub(super) root: Arc<str>,
    pub(super) terms: Terms,
    pub(super) amendment: Amendment,
}

/// What a process holds of one store.
#[derive(Debug)]
pub(super) struct Leases {
    books: Arc<dyn Books>,
    /// How long a holder may be silent before it is taken to be gone.
    patience: Duration,
    /// Accounts that have something to tell; each is here once at most.
    queue: Mutex<Vec<Arc<Cell>>>,
    hurry: Arc<Notify>,
    /// Nothing is asked until then, and why.
    paused: Mutex<Option<(Micros, Arc<str>)>>,
    observer: OnceLock<Arc<dyn Observer>>,
    /// Where what is settled is written before books hear of it.
    receipts: Option<Receipts>,
}

/// An account and the entry made for it.
type Asking = (Arc<Cell>, Asked);

impl Leases {
    /// `directory` is where receipts are written.
    pub(super) fn new(books: Arc<dyn Books>, patience: Duration, directory: PathBuf) -> Arc<Self> {
        // Outside of a runtime, as in a dry run, nothing is held.
        let runtime = tokio::runtime::Handle::try_current().ok();
        let receipts = runtime.as_ref().and_then(|_| {
            let at = directory.display().to_string();
            let opened = Receipts::open(directory);
            opened
                .map_err(|e| log::error!("{at}: {e}; what is settled is not kept there"))
                .ok()
        });
        let leases = Arc::new(Self {
            books,
            patience,
            queue: Mutex::default(),
            hurry: Arc::new(Notify::new()),
            paused: Mutex::new(None),
            observer: OnceLock::new(),
            receipts,
        });
        if let Some(runtime) = runtime {
            runtime.spawn(tell(Arc::downgrade(&leases)));
            runtime.spawn(inherit(Arc::downgrade(&leases)));
        }
        leases
    }

    pub(super) fn patience(&self) -> Micros {
        micros(self.patience)
    }

    pub(super) const fn receipts(&self) -> Option<&Receipts> {
        self.receipts.as_ref()
    }

    pub(super) fn books(&self) -> &dyn Books {
        &*self.books
    }

    pub(super) fn now(&self) -> Micros {
        self.books.now()
    }

    /// Tells somebody how the store fares, unless somebody is told already.
    pub(super) fn observe(&self, observer: Arc<dyn Observer>) {
        if self.observer.set(Arc::clone(&observer)).is_ok() {
            self.books.observe(&observer);
        }
    }

    /// A decision was made on accounts of this store.
    pub(super) fn decided(&self, waited: bool) {
        if let Some(observer) = self.observer.get() {
            observer.decided(waited);
        }
    }

    /// Asks for what each account lacks, and waits until every one of them is answered.
    pub(super) async fn ask(self: &Arc<Self>, lacking: &[(Arc<Cell>, u64)]) {
        let now = self.now();
        let paused = self.paused(now);
        let (mut waits, mut asking) = (Vec::new(), Vec::new());
        for (cell, need) in lacking {
            let mut account = cell.lock();
            let Account { purse, keeper, .. } = &mut *account;
            let Keeper::Shared(lease) = keeper else {
                continue;
            };
            match (lease.wait(*need), &paused) {
                (Some((wait, asking)), _) => {
                    let cell = Arc::clone(cell);
                    let need = *need;
                    waits.push((wait, Some(Waiting { cell, need, asking })));
                }
                (None, Some(why)) => lease.refused_to_ask(why),
                (None, None) => {
                    let entry = lease.begin(purse, now);
                    waits.extend(lease.heard().map(|wait| (wait, None)));
                    asking.push((Arc::clone(cell), lease.asked(purse, entry)));
                }
            }
        }
        if !asking.is_empty() {
            tokio::spawn(Arc::clone(self).enter(asking));
        }
        for (wait, waiting) in waits {
            wait.await;
            drop(waiting);
        }
    }

    async fn enter(self: Arc<Self>, asking: Vec<Asking>) {
        let (cells, asked): (Vec<_>, Vec<_>) = asking.into_iter().unzip();
        let mut unanswered = Unanswered(cells.into());
        let began = Instant::now();
        let answers = self.books.enter(&asked).await;
        let now = self.now();
        let failure = answers.iter().find_map(|answer| answer.as_ref().err());
        if let Some(observer) = self.observer.get() {
            observer.entered(began.elapsed(), failure.is_some());
        }
        if let Some(why) = failure {
            let until = now.saturating_add(micros(PAUSE));
            *self.paused.lock() = Some((until, Arc::clone(why)));
        }
        for answer in answers {
            if let Some(cell) = unanswered.0.pop_front() {
                answered(&cell, now, answer);
            }
        }
    }

    fn paused(&self, now: Micros) -> Option<Arc<str>> {
        let paused = self.paused.lock();
        let (until, why) = paused.as_ref()?;
        (now < *until).then(|| Arc::clone(why))
    }

    /// Puts an account among those that have something to tell.
    pub(super) fn queue(&self, cell: Arc<Cell>, at_once: bool) {
        self.queue.lock().push(cell);
        if at_once {
            self.hurry();
        }
    }

    /// Has everything told that is queued.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }
}

/// Somebody who waits for what others asked for; what that did not bring has to be asked for once
/// more, by whoever still wants it then.
struct Waiting {
    cell: Arc<Cell>,
    need: u64,
    asking: lease::Asking,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Keeper::Shared(lease) = &mut self.cell.lock().keeper {
            lease.leave(self.need, self.asking);
        }
    }
}

/// Accounts whose entry is under way. Should its task end first, those who wait hear of that.
struct Unanswered(VecDeque<Arc<Cell>>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        for cell in &self.0 {
            answered(cell, 0, Err("the gateway is stopping".into()));
        }
    }
}

fn answered(cell: &Arc<Cell>, now: Micros, answer: Answered) {
    let mut account = cell.lock();
    let Account { purse, keeper, .. } = &mut *account;
    if let Keeper::Shared(lease) = keeper {
        lease.answered(purse, now, answer);
        if purse.has_changed() || (purse.is_engaged() && !lease.renews) {
            lease.note(cell, false);
        }
    }
}

/// Tells books what has changed, for as long as there are leases.
async fn tell(leases: Weak<Leases>) {
    let mut renewals: VecDeque<(Micros, Arc<Cell>)> = VecDeque::new();
    let hurry = match leases.upgrade() {
        Some(leases) => Arc::clone(&leases.hurry),
        None => return,
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(TELL_EVERY) => {}
            () = hurry.notified() => {}
        }
        let Some(leases) = leases.upgrade() else {
            return;
        };
        let now = leases.now();
        if let Some(Err(e)) = leases.receipts().map(Receipts::turn_over) {
            log::error!("what is settled is written on in a long file: {e}");
        }
        if leases.paused(now).is_some() {
            continue;
        }
        let mut due: Vec<(Arc<Cell>, bool)> = Vec::new();
        while renewals.front().is_some_and(|(at, _)| *at <= now) {
            due.extend(renewals.pop_front().map(|(_, cell)| (cell, true)));
        }
        let changed = std::mem::take(&mut *leases.queue.lock());
        due.extend(changed.into_iter().map(|cell| (cell, false)));
        for batch in due.chunks(BATCH) {
            let news = |(cell, renew): &(Arc<Cell>, bool)| {
                Some((Arc::clone(cell), news(cell, now, *renew)?))
            };
            let asking: Vec<Asking> = batch.iter().filter_map(news).collect();
            if !asking.is_empty() {
                Arc::clone(&leases).enter(asking).await;
            }
            let renew_at = now.saturating_add(leases.patience() / 3);
            for (cell, _) in batch {
                if renews(cell) {
                    renewals.push_back((renew_at, Arc::clone(cell)));
                }
            }
        }
    }
}

/// Tells books what dead processes left unsaid, for as long as there are leases.
async fn inherit(leases: Weak<Leases>) {
    while let Some(leases) = leases.upgrade() {
        let Some(receipts) = leases.receipts() else {
            return;
        };
        for estate in receipts::left_behind(receipts.directory()) {
            let at = estate.path().display().to_string();
            match settle(&*leases.books, estate).await {
                Ok(0) => {}
                Ok(count) => log::info!("{at}: a process was killed; {count} counts told for it"),
                Err(why) => log::warn!("{at}: what a killed process left is told later: {why}"),
            }
        }
        drop(leases);
        tokio::time::sleep(INHERIT_EVERY).await;
    }
}

async fn settle(books: &dyn Books, mut estate: Estate) -> Result<usize, Arc<str>> {
    let said = |e: std::io::Error| -> Arc<str> { e.to_string().into() };
    let amends = estate.read().map_err(said)?;
    for amend in &amends {
        books.amend(amend).await?;
    }
    estate.close().map_err(said)?;
    Ok(amends.len())
}

/// What an account's book should hear of it now.
fn news(cell: &Arc<Cell>, now: Micros, renew: bool) -> Option<Asked> {
    let mut account = cell.lock();
    let Account { purse, keeper, .. } = &mut *account;
    let Keeper::Shared(lease) = keeper else {
        return None;
    };
    if renew {
        lease.renews = false;
    } else {
        lease.queued = false;
    }
    if lease.is_asking() {
        lease.note(cell, false);
        return None;
    }
    purse.advance(purse.terms(), now);
    lease.relent(purse, now);
    let has_news = purse.has_changed() || (renew && purse.is_engaged());
    if !has_news {
        return None;
    }
    let entry = lease.begin(purse, now);
    Some(lease.asked(purse, entry))
}

/// Whether the account is to be looked after from time to time, and was not yet.
fn renews(cell: &Arc<Cell>) -> bool {
    let mut account = cell.lock();
    let Account { purse, keeper, .. } = &mut *account;
    match keeper {
        Keeper::Shared(lease) if purse.is_engaged() && !lease.renews => {
            lease.renews = true;
            true
        }
        _ => false,
    }
}
