//! Coming (back) to servers that may have forgotten something.
//!
//! The servers keep an *epoch*. It changes when a gateway meets other servers than the last one
//! did (after a restart, a failover or a restore each has a name of its own), when the epoch itself
//! is gone, and when a book is found that has forgotten an entry. A gateway that meets an epoch it
//! does not know brings back every book in its journal before it enters anything; and in the pause
//! that a new epoch begins with nobody is granted anything, so that all can. It changes as well
//! when nobody could reach the servers for so long that leases may be over which were being spent.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;

use super::books::Shelf;
use super::condition::Condition;
use crate::quota::window::{Micros, micros};

static EPOCH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("epoch.lua")));

/// How long a new epoch grants nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// What that may be stretched to by gateways that have much to bring back.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Of a lease, how much may pass with nobody reaching the servers; at least [`SHORTEST_GAP`].
const GAP: u32 = 3;

/// Some of the looks at the servers may be late or go astray.
const SHORTEST_GAP: Duration = Duration::from_secs(2);

/// How many books are brought back at a time.
const AT_ONCE: usize = 64;

/// What the servers say of the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch {
    pub(super) number: u64,
    /// The time there.
    now: Micros,
    /// The end of its pause.
    ready: Micros,
}

/// Asks for the epoch. `lost` is one in which something was found to be lost; `busy` stretches its
/// pause.
pub(super) async fn ask(
    shelf: &Shelf,
    servers: &Condition,
    lost: Option<u64>,
    busy: bool,
) -> Result<Epoch, Arc<str>> {
    // Two that begin at once agree on the first that is stored; that it is no round number keeps
    // an emptied server from being taken for one that is known.
    let first = shelf.random() >> 12;
    let mut call = EPOCH.key(format!("{}:epoch", shelf.prefix));
    call.arg(&servers.identity)
        .arg(micros(PAUSE))
        .arg(micros(LONGEST_PAUSE))
        .arg(first)
        .arg(lost.map(|epoch| epoch.to_string()).unwrap_or_default())
        .arg(if busy { "busy" } else { "" })
        .arg(micros((shelf.lease / GAP).max(SHORTEST_GAP)));
    let sent = shelf.clock.local();
    let (now, number, ready) = shelf.wait(shelf.connection.invoke(&call)).await?;
    shelf.clock.hear(sent, now);
    Ok(Epoch { number, now, ready })
}

/// Brings back what is known here if the epoch is not, and returns once something may be granted
/// in it. `heard` is when the servers could last be reached, if they could before.
pub(super) async fn recover(
    shelf: &Shelf,
    servers: &Condition,
    lost: Option<u64>,
    heard: Option<Micros>,
) -> Result<u64, Arc<str>> {
    let mut epoch = ask(shelf, servers, lost, false).await?;
    loop {
        if shelf.journal.epoch()? != Some(epoch.number) {
            bring_back(shelf, servers, heard).await?;
            shelf.journal.set_epoch(epoch.number)?;
        }
        if epoch.ready <= epoch.now {
            return Ok(epoch.number);
        }
        tokio::time::sleep(Duration::from_micros(epoch.ready - epoch.now)).await;
        epoch = ask(shelf, servers, None, false).await?;
    }
}

/// Brings back every book in the journal.
async fn bring_back(
    shelf: &Shelf,
    servers: &Condition,
    heard: Option<Micros>,
) -> Result<(), Arc<str>> {
    shelf.journal.write()?;
    shelf.journal.inherit()?;
    let (mut from, mut count) = (Some(String::new()), 0_usize);
    while let Some(at) = from {
        let (books, next) = shelf.journal.page(&at, shelf.clock.now())?;
        for some in books.chunks(AT_ONCE) {
            let mut restoring = Vec::with_capacity(some.len());
            for (key, kept) in some {
                restoring.push(shelf.restore(key, kept, heard));
            }
            futures_util::future::try_join_all(restoring).await?;
        }
        count += books.len();
        if next.is_some() {
            ask(shelf, servers, None, true).await?;
        }
        from = next;
    }
    if count > 0 {
        log::warn!(
            "store {}: Redis may have forgotten something; brought back {count} counts",
            shelf.store
        );
    }
    Ok(())
}
