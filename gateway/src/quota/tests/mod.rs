//! Tests of the ledger as callers see it: alone, against a model, and under many threads.

mod fleet;
mod model;
mod purse;
mod recount;
mod reserve;
mod threads;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;

use super::window::since_epoch;
use super::{
    By, Claim, Limit, Narrowed, OnExhausted, OnStoreFailure, Provenance, Quota, Refusal, Refused,
    Reservation, Store, Subject, Unit, Used, Window,
};

/// The ledger over a store in memory, which answers at once, and with the test's own clock.
struct Ledger(super::Ledger);

/// How a key stands.
#[derive(Debug)]
struct State {
    limit: u64,
    remaining: u64,
    reserved: u64,
    debt: u64,
    reset: Duration,
}

impl Ledger {
    fn memory() -> Self {
        Self(super::Ledger::new())
    }

    fn reserve(&self, claims: &[Claim<'_>], now: SystemTime) -> Result<Reservation, Refusal> {
        let reserved = self.0.reserve_at(claims, None, || now).now_or_never();
        reserved
            .expect("memory answers at once")
            .map_err(|refused| match refused {
                Refused::Exhausted(refusal) => refusal,
                Refused::Unavailable(_) => panic!("memory is always there"),
            })
    }

    fn state(&self, quota: &Arc<Quota>, subject: &Subject<'_>, now: SystemTime) -> State {
        let claim = Claim {
            quota,
            subject: *subject,
            bound: 0,
        };
        let standing = self.0.standing(&claim, now).expect("it is its own book");
        State {
            limit: standing.limit,
            remaining: standing.room,
            reserved: standing.reserved,
            debt: standing.debt,
            reset: Duration::from_micros(standing.reset - since_epoch(now).min(standing.reset)),
        }
    }

    fn keys(&self) -> usize {
        self.0.keys()
    }
}

/// One store for all tests: quotas of the same name share a count in it.
fn store() -> Store {
    static STORE: std::sync::LazyLock<Store> = std::sync::LazyLock::new(|| Store::memory("test"));
    STORE.clone()
}

/// Seconds after the start of an hour.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

pub(super) fn quota(name: &str, limit: u64, window: Window, by: &[By]) -> Arc<Quota> {
    Arc::new(Quota {
        name: name.into(),
        store: store(),
        unit: Unit::Tokens,
        limit: Limit {
            default: limit,
            overrides: Default::default(),
        },
        window,
        by: by.to_vec(),
        narrowed: Narrowed::default(),
        enforce: true,
        on_exhausted: OnExhausted::Refuse,
        on_store_failure: OnStoreFailure::Deny,
    })
}

pub(super) fn claim<'a>(quota: &'a Arc<Quota>, consumer: &'a str, bound: u64) -> Claim<'a> {
    Claim {
        quota,
        subject: subject(consumer),
        bound,
    }
}

fn subject(consumer: &str) -> Subject<'_> {
    Subject {
        consumer: Some(consumer),
        team: Some("shop"),
        ..Subject::default()
    }
}

fn client(address: IpAddr) -> Subject<'static> {
    Subject {
        client: Some(address),
        ..Subject::default()
    }
}

pub(super) fn used(amount: u64) -> Used {
    Used {
        amount,
        provenance: Provenance::Provider,
    }
}
