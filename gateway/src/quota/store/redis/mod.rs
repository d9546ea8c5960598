//! `redis`: books on Redis or Valkey, shared by a fleet.
//!
//! A script makes entries where the books are, so that each is one round trip and atomic, by the
//! server's clock. Counts of one tree of callers are kept in one slot of a cluster and are entered
//! at once. Read `enter.lua` for the script, `recover.rs` for servers that forget, `link.rs` for
//! the way to them, which `crate::redis` finds.

mod books;
mod clock;
mod condition;
mod entry;
mod examine;
mod journal;
mod link;
mod recover;
#[cfg(test)]
#[cfg(feature = "real-servers")]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

pub(super) use self::examine::examine;

use self::books::Failure;
use self::clock::Clock;
use self::link::{Doubt, Link};
use super::wire::{Answered, Kept};
use crate::config::stores;
use crate::quota::book::Standing;
use crate::quota::leases::{Amend, Asked, Books, Wanted};
use crate::quota::observer::Observer;
use crate::quota::window::Micros;

/// At most so many books are entered by one call of the script, which lets nobody else in.
const TOGETHER: usize = 64;

/// How long somebody waits who is no request.
const PATIENCE: Duration = Duration::from_secs(2);

/// The store.
pub(super) struct Redis {
    link: Link,
    clock: Arc<Clock>,
    timeout: Duration,
    /// Books that had forgotten something: what was brought back of them since is all there is.
    forgetful: Mutex<HashSet<Arc<str>>>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// Begins to connect to the servers.
    pub(super) fn open(store: &str, servers: &Arc<stores::Redis>) -> Self {
        let clock = Arc::new(Clock::default());
        Self {
            link: Link::open(&store.into(), Arc::clone(servers), Arc::clone(&clock)),
            clock,
            timeout: servers.timeout,
            forgetful: Mutex::default(),
        }
    }

    /// Makes entries in books of one place.
    async fn enter_together(
        &self,
        asked: &[&Asked],
        deadline: Instant,
    ) -> Result<Vec<Answered>, Arc<str>> {
        let shelf = self.link.shelf(deadline).await?;
        let known = {
            let mut forgetful = self.forgetful.lock();
            let is_forgetful = |asked: &&Asked| forgetful.contains(&asked.key);
            let known = asked.iter().any(is_forgetful).then(|| {
                let answered = |asked: &&Asked| Asked {
                    answered: if forgetful.contains(&asked.key) {
                        0
                    } else {
                        asked.answered
                    },
                    ..(*asked).clone()
                };
                asked.iter().map(answered).collect::<Vec<_>>()
            });
            for asked in asked {
                forgetful.remove(&asked.key);
            }
            known
        };
        let entered = match &known {
            Some(known) => {
                shelf
                    .enter(&known.iter().collect::<Vec<_>>(), deadline)
                    .await
            }
            None => shelf.enter(asked, deadline).await,
        };
        entered.map_err(|failure| match failure {
            Failure::Slow(why) => why,
            Failure::Broken(why) => {
                self.link.doubt(Doubt::Broken(Arc::downgrade(&shelf)));
                why
            }
            Failure::Lost(key, why) => {
                self.forgetful.lock().insert(key);
                self.link.doubt(Doubt::Lost(Arc::downgrade(&shelf)));
                why
            }
        })
    }
}

#[async_trait]
impl Books for Redis {
    async fn enter(&self, asked: &[Asked]) -> Vec<Answered> {
        let deadline = Instant::now() + self.timeout;
        let mut by_place: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, one) in asked.iter().enumerate() {
            by_place.entry(&one.root).or_default().push(index);
        }
        let places = by_place.values().flat_map(|all| all.chunks(TOGETHER));
        let entering = places.map(|indices| async move {
            let together: Vec<&Asked> = indices.iter().map(|index| &asked[*index]).collect();
            let answers = match self.enter_together(&together, deadline).await {
                Ok(answers) => answers,
                Err(why) => indices.iter().map(|_| Err(Arc::clone(&why))).collect(),
            };
            indices.iter().copied().zip(answers)
        });
        let entered = futures_util::future::join_all(entering).await;
        let mut answers: Vec<(usize, Answered)> = entered.into_iter().flatten().collect();
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn amend(&self, amend: &Amend) -> Result<Standing, Arc<str>> {
        let shelf = self.link.shelf(Instant::now() + PATIENCE).await?;
        let (book, now) = shelf
            .change(&amend.key, amend.terms, |book, now| {
                book.amend(amend.terms, now, &amend.amendment);
            })
            .await?;
        Ok(book.standing(amend.terms, now))
    }

    async fn read(&self, key: &str) -> Result<Option<Kept>, Arc<str>> {
        let shelf = self.link.shelf(Instant::now() + PATIENCE).await?;
        shelf.read(key).await
    }

    async fn list(&self, wanted: &Wanted, most: usize) -> Result<Vec<(String, Kept)>, Arc<str>> {
        let shelf = self.link.shelf(Instant::now() + PATIENCE).await?;
        shelf.list(wanted, most).await
    }

    async fn come_up(&self) {
        self.link.come_up().await;
    }

    fn trouble(&self) -> Option<Arc<str>> {
        self.link.trouble()
    }

    fn rebuild(&self) {
        self.link.doubt(Doubt::Rebuild);
    }

    fn observe(&self, observer: &Arc<dyn Observer>) {
        self.link.bulletin.observe(observer);
    }

    fn now(&self) -> Micros {
        self.clock.now()
    }
}
