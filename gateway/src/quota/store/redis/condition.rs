//! What servers say of themselves: who they are, and whether what they are told stays told.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::quota::observer::{Observer, Unfit};

/// The servers as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// Names them all: another one after a restart or a failover.
    pub(super) identity: String,
    /// What should be otherwise.
    pub(super) faults: Vec<Fault>,
    /// Whether one of them takes no writes.
    pub(super) is_replica: bool,
}

/// What makes a server unfit to keep books.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// It forgets keys when memory runs short, by this policy.
    Evicts(String),
    /// It does not append what it is told to a file.
    Volatile,
}

impl Fault {
    const fn kind(&self) -> Unfit {
        match self {
            Self::Evicts(_) => Unfit::Evict,
            Self::Volatile => Unfit::Volatile,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evicts(policy) => write!(
                f,
                "it may evict what is counted: set maxmemory-policy to noeviction (it is {policy})"
            ),
            Self::Volatile => f.write_str(
                "it forgets what is counted when it restarts: set appendonly to yes \
                 (gateways that live restore what they know)",
            ),
        }
    }
}

impl Condition {
    /// From the answers to `INFO`, one of each server.
    pub(super) fn of(answers: &[String]) -> Self {
        let mut identities: Vec<&str> = Vec::new();
        let mut faults = Vec::new();
        let mut is_replica = false;
        for answer in answers {
            let said = |key: &str| {
                let mut facts = answer.lines().filter_map(|line| line.split_once(':'));
                facts.find_map(|(of, value)| (of == key).then(|| value.trim()))
            };
            identities.extend(said("run_id"));
            match said("maxmemory_policy") {
                Some("noeviction") | None => {}
                Some(policy) => faults.push(Fault::Evicts(policy.to_owned())),
            }
            if said("aof_enabled") == Some("0") {
                faults.push(Fault::Volatile);
            }
            is_replica |= said("role") == Some("slave");
        }
        identities.sort_unstable();
        faults.sort();
        faults.dedup();
        Self {
            identity: identities.join(","),
            faults,
            is_replica,
        }
    }
}

/// Passes on what changes about the servers' faults: to the log, and to who wants to know.
#[derive(Debug, Default)]
pub(super) struct Bulletin {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// None before the servers could first be asked.
    faults: Option<Vec<Fault>>,
    observer: Option<Arc<dyn Observer>>,
}

impl Bulletin {
    /// Somebody wants to know, from what is known already on.
    pub(super) fn observe(&self, observer: &Arc<dyn Observer>) {
        let mut told = self.told.lock();
        told.observer = Some(Arc::clone(observer));
        told.publish();
    }

    /// The servers of this store were asked.
    pub(super) fn hear(&self, store: &str, condition: &Condition) {
        let mut told = self.told.lock();
        if told.faults.as_ref() == Some(&condition.faults) {
            return;
        }
        for fault in &condition.faults {
            log::warn!("store {store}: Redis: {fault}");
        }
        if condition.faults.is_empty() && told.faults.is_some() {
            log::info!("store {store}: Redis keeps what is counted");
        }
        told.faults = Some(condition.faults.clone());
        told.publish();
    }
}

impl Told {
    fn publish(&self) {
        if let (Some(observer), Some(faults)) = (&self.observer, &self.faults) {
            let kinds: Vec<Unfit> = faults.iter().map(Fault::kind).collect();
            observer.unfit(&kinds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nrun_id:abc\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n\
                        # Persistence\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\n";

    #[test]
    fn a_server_that_keeps_what_it_is_told_has_no_faults() {
        let condition = Condition::of(&[GOOD.to_owned()]);
        assert_eq!(condition.identity, "abc");
        assert!(condition.faults.is_empty() && !condition.is_replica);
    }

    #[test]
    fn one_that_evicts_or_forgets_is_found_out() {
        let bad = GOOD
            .replace("noeviction", "allkeys-lru")
            .replace("aof_enabled:1", "aof_enabled:0");
        let condition = Condition::of(&[GOOD.to_owned(), bad]);
        let evicts = Fault::Evicts("allkeys-lru".to_owned());
        assert_eq!(condition.faults, [evicts, Fault::Volatile]);
    }

    #[test]
    fn servers_are_one_identity_in_any_order() {
        let other = GOOD.replace("abc", "def");
        let one = Condition::of(&[GOOD.to_owned(), other.clone()]);
        assert_eq!(one, Condition::of(&[other.clone(), GOOD.to_owned()]));
        assert_ne!(one.identity, Condition::of(&[other]).identity);
    }
}
