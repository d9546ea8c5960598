//! Tests of the ledger as callers see it: alone, against a model, and under many threads.

mod model;
mod reserve;
mod threads;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{By, Claim, Limit, Provenance, Quota, Subject, Unit, Used, Window};

/// Seconds after the start of an hour.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn quota(name: &str, limit: u64, window: Window, by: &[By]) -> Arc<Quota> {
    Arc::new(Quota {
        name: name.into(),
        unit: Unit::Tokens,
        limit: Limit {
            default: limit,
            overrides: Default::default(),
        },
        window,
        by: by.to_vec(),
    })
}

fn claim<'a>(quota: &'a Arc<Quota>, consumer: &'a str, bound: u64) -> Claim<'a> {
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

fn used(amount: u64) -> Used {
    Used {
        amount,
        provenance: Provenance::Provider,
    }
}
