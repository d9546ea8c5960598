//! The members of groups there are, one for each worker of a kind. They outlive reloads that leave alone what they
//! joined with; all else is in force with the next record.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::hand::Hand;
use super::{Reader, Worker};
use crate::gateway::Gateway;
use crate::kafka::group::{Group, Survey};

/// The members, by the name of their worker.
pub(crate) struct Crew<W> {
    members: Mutex<Members>,
    kind: PhantomData<fn() -> W>,
}

impl<W> Default for Crew<W> {
    fn default() -> Self {
        Self {
            members: Mutex::default(),
            kind: PhantomData,
        }
    }
}

#[derive(Default)]
struct Members {
    present: HashMap<Arc<str>, Arc<Group>>,
    /// They were told to leave, and may not have yet.
    leaving: Vec<Arc<Group>>,
    /// None joins any more.
    over: bool,
}

/// A worker, for who looks at it.
pub(crate) struct Watched<W> {
    pub(crate) worker: Arc<W>,
    pub(crate) survey: Survey,
}

impl<W: Worker> Crew<W> {
    /// Has those join that the snapshot in force asks for, and those leave that it does not.
    pub(crate) fn apply(&self, gateway: &Arc<Gateway>) {
        let snapshot = gateway.snapshot();
        let mut members = self.members.lock();
        if members.over {
            return;
        }
        members.leaving.retain(|group| !group.has_left());
        let mut before = std::mem::take(&mut members.present);
        for (name, worker) in W::all(&snapshot) {
            let Reader { cluster, plan, .. } = worker.reader();
            let known = before.remove(name);
            let group = match known {
                Some(known) if known.fits(cluster, plan) => known,
                known => {
                    let hand = Hand::<W>::new(name.clone(), gateway);
                    let group = cluster.join(plan.clone(), Arc::new(hand));
                    if let Some(known) = known {
                        group.pause(known.survey().paused);
                        known.leave();
                        members.leaving.push(known);
                    }
                    Arc::new(group)
                }
            };
            members.present.insert(name.clone(), group);
        }
        for group in before.into_values() {
            group.leave();
            members.leaving.push(group);
        }
    }

    /// Has all leave: nothing more is begun, and what is under way is waited for.
    pub(crate) fn leave(&self) {
        let mut members = self.members.lock();
        members.over = true;
        members.present.values().for_each(|group| group.leave());
    }

    /// Waits until all have left, but not for ever.
    pub(crate) async fn left(&self, within: Duration) {
        let all: Vec<Arc<Group>> = {
            let members = self.members.lock();
            let present = members.present.values();
            present.chain(&members.leaving).cloned().collect()
        };
        let left = futures_util::future::join_all(all.iter().map(|group| group.left()));
        if tokio::time::timeout(within, left).await.is_err() {
            log::warn!("a consumer group was not left in order: its brokers do not answer");
        }
    }

    /// How they stand, in the order of their names.
    pub(crate) fn watch(&self, gateway: &Gateway) -> Vec<Watched<W>> {
        let snapshot = gateway.snapshot();
        let members = self.members.lock();
        let each = W::all(&snapshot).iter();
        let mut watched: Vec<Watched<W>> = each
            .map(|(name, worker)| Watched {
                worker: worker.clone(),
                survey: members
                    .present
                    .get(name)
                    .map(|group| group.survey())
                    .unwrap_or_default(),
            })
            .collect();
        watched.sort_unstable_by(|a, b| a.worker.reader().name.cmp(&b.worker.reader().name));
        watched
    }

    /// Hands nothing more to one, or does again; whether there is one of that name.
    pub(crate) fn pause(&self, name: &str, paused: bool) -> bool {
        let members = self.members.lock();
        let group = members.present.get(name);
        group.is_some_and(|group| {
            group.pause(paused);
            true
        })
    }
}
