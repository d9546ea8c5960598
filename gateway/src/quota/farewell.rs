//! The end of a process: what it did not spend goes back, and every book hears the last of it.
//!
//! Without this nothing is counted too low; but what a process kept to spend would be missing to
//! the others until its leases run out.

use std::sync::Arc;

use super::account::{Account, Cell, Keeper};
use super::leases::Leases;
use super::ledger::{Ledger, ask};

/// So many accounts tell their books at a time.
const BATCH: usize = 512;

/// How often an account is asked whether it has told all: once while an entry may be under way
/// that began before, and once after.
const ROUNDS: usize = 2;

impl Ledger {
    /// Gives back what is not spent and has all books told of everything, as far as their stores
    /// answer in time. To be called when nothing is reserved any more.
    pub async fn farewell(&self) {
        for _ in 0..ROUNDS {
            let news = self.collect(|_, cell| has_last_words(cell).then(|| Arc::clone(cell)));
            for batch in news.chunks(BATCH) {
                let batch = batch.iter().map(|cell| (Arc::clone(cell), 0));
                ask(batch.collect()).await;
            }
        }
        // Also where all was told before: it may not have been written for good.
        let mut stores: Vec<Arc<Leases>> = Vec::new();
        for leases in self.collect(|_, cell| cell.lock().leases()) {
            if !stores.iter().any(|known| Arc::ptr_eq(known, &leases)) {
                stores.push(leases);
            }
        }
        for leases in stores {
            leases.books().make_last().await;
        }
    }
}

/// Takes out of an account what it may still spend, and says whether its book is to hear of it.
fn has_last_words(cell: &Cell) -> bool {
    let mut account = cell.lock();
    let Account { purse, keeper, .. } = &mut *account;
    let Keeper::Shared(lease) = keeper else {
        return false;
    };
    purse.give_back(0);
    purse.has_changed() || lease.is_asking()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::quota::tests::quota;
    use crate::quota::{Claim, Period, Provenance, Quota, Store, Subject, Used, Window};

    /// A directory that no other test has; gone when this is dropped.
    struct Directory(std::path::PathBuf);

    impl Directory {
        fn new() -> Self {
            static MADE: AtomicU32 = AtomicU32::new(0);
            let n = MADE.fetch_add(1, Ordering::Relaxed);
            let name = format!("weir-farewell-{}-{n}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).expect("it is new");
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_book_hears_the_last_and_gets_back_what_was_kept_to_spend() {
        let directory = Directory::new();
        let hour = Window::Fixed {
            every: Period::Hour,
        };
        let mut quota = Quota::clone(&quota("q", 100_000, hour, &[]));
        quota.store = Store::local("farewell", directory.0.join("ledger.redb"));
        let quota = Arc::new(quota);
        let ledger = Ledger::new();
        let claim = Claim {
            quota: &quota,
            subject: Subject::default(),
            bound: 100,
        };
        for _ in 0..20 {
            let reservation = ledger.reserve(&[claim], None).await.expect("room");
            drop(reservation.settle(|_, _| Used {
                amount: 60,
                provenance: Provenance::Counted,
            }));
        }
        ledger.farewell().await;
        // What this process knows is told by nobody else: the book alone is asked.
        let book = Ledger::new().detail(&quota, &Subject::default()).await;
        let standing = book.expect("the file is open").standing;
        assert_eq!((standing.settled, standing.reserved), (1_200, 0));
        assert_eq!(standing.room, 100_000 - 1_200);
    }
}
