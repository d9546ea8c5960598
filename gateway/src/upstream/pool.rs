//! The idle connections of one endpoint, and what is known of each.
//!
//! The pool is ours rather than Pingora's because attribution needs what that one keeps to
//! itself: when a connection was released, and whether the peer had closed it by the time
//! somebody wanted it. It also costs less: no task and no `getpeername` per request.
//!
//! It does not connect, speak HTTP or time out a request; [`super::dial`] and [`super::call`] do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pingora_core::connectors::http::v2::ConnectionRef;
use weir_telemetry::metrics::{self, EndedBy};
use weir_telemetry::record::Race;

use super::keep_alive::{KeepAlive, Timeout};
use crate::wire::{Handle, Idle};

/// What is known of a connection, for attribution and telemetry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// Where it leads.
    pub(crate) address: SocketAddr,
    /// When it was established.
    pub(crate) opened: Instant,
    /// How long connecting took, TLS included.
    pub(crate) connect_took: Duration,
    /// Requests sent over it before this one.
    pub(crate) uses: u64,
    /// How long it lay idle before this request; zero when new.
    pub(crate) idle_for: Duration,
    /// For how long the endpoint said that it leaves it open.
    pub(crate) keep_alive: Option<Duration>,
}

impl Facts {
    /// A connection just made.
    pub(crate) fn new(address: SocketAddr, connect_took: Duration) -> Self {
        Facts {
            address,
            opened: Instant::now(),
            connect_took,
            uses: 0,
            idle_for: Duration::ZERO,
            keep_alive: None,
        }
    }

    /// Whether an earlier request used it.
    pub(crate) fn reused(&self) -> bool {
        self.uses > 0
    }
}

/// A parked HTTP/1 connection.
struct Parked {
    handle: Handle,
    facts: Facts,
    since: Instant,
    /// At which age it was last seen open.
    seen_open: Duration,
}

/// A live HTTP/2 connection, shared by its streams.
struct Shared {
    connection: ConnectionRef,
    facts: Facts,
    idle_since: Instant,
}

/// The pool of one endpoint. Last in, first out, so that surplus connections age and leave.
pub(crate) struct Pool {
    metrics: Arc<metrics::Upstream>,
    parked: Mutex<Vec<Parked>>,
    shared: Mutex<Vec<Shared>>,
    keep_alive: KeepAlive,
    closed_by_peer: AtomicU64,
}

/// Most idle HTTP/1 connections kept per endpoint.
const MAX_PARKED: usize = 1024;
/// Who ends a connection that lay idle for less has another reason than that, as a crash.
const IDLE: Duration = Duration::from_millis(100);

impl Pool {
    /// That of an endpoint of the upstream whose metrics these are.
    pub(crate) fn new(metrics: Arc<metrics::Upstream>) -> Self {
        Self {
            metrics,
            parked: Mutex::default(),
            shared: Mutex::default(),
            keep_alive: KeepAlive::default(),
            closed_by_peer: AtomicU64::new(0),
        }
    }

    /// Takes an idle HTTP/1 connection to one of `addresses` that is still open.
    pub(crate) fn take(
        &self,
        addresses: &[SocketAddr],
        max_idle: Duration,
    ) -> Option<(Handle, Facts)> {
        let limit = self.keep_alive.limit();
        loop {
            let (parked, idle_for) = {
                let mut all = self.parked.lock();
                let idle_for = all.last()?.since.elapsed();
                if idle_for >= limit {
                    // All others have lain idle for longer.
                    return None;
                }
                (all.pop()?, idle_for)
            };
            if idle_for >= max_idle || !addresses.contains(&parked.facts.address) {
                continue;
            }
            if parked.handle.look() == Idle::Gone {
                self.closed(&parked, idle_for);
                continue;
            }
            let facts = Facts {
                uses: parked.facts.uses + 1,
                idle_for,
                ..parked.facts
            };
            return Some((parked.handle, facts));
        }
    }

    /// Parks a connection whose exchange ended cleanly, at `since`.
    pub(crate) fn park(&self, handle: Handle, facts: Facts, since: Instant) {
        self.keep_alive.said(facts.keep_alive);
        let mut parked = self.parked.lock();
        if parked.len() < MAX_PARKED {
            parked.push(Parked {
                handle,
                facts,
                since,
                seen_open: Duration::ZERO,
            });
        }
    }

    /// The endpoint closed one while it lay idle.
    fn closed(&self, parked: &Parked, age: Duration) {
        self.closed_by_peer.fetch_add(1, Ordering::Relaxed);
        self.metrics.idle_ended(EndedBy::Endpoint, 1);
        self.keep_alive
            .closed(parked.seen_open, age, Instant::now());
    }

    /// The endpoint ended one, instead of an answer, so long after a request was sent; a race, if it had lain
    /// idle before.
    pub(crate) fn ended_in_use(
        &self,
        facts: &Facts,
        after: Duration,
        how: &'static str,
    ) -> Option<Race> {
        if !facts.reused() || facts.idle_for < IDLE {
            return None;
        }
        self.metrics.idle_ended(EndedBy::Race, 1);
        let age = facts.idle_for + after;
        self.keep_alive.closed(facts.idle_for, age, Instant::now());
        Some(Race {
            how,
            idle_timeout: self.idle_timeout().map(|timeout| timeout.after),
        })
    }

    /// For how long the endpoint leaves idle connections open, if that is known.
    pub(crate) fn idle_timeout(&self) -> Option<Timeout> {
        self.keep_alive.timeout()
    }

    /// Ends those that nobody uses any more, for others to have their place.
    pub(crate) fn make_room(&self) {
        let limit = self.keep_alive.limit();
        self.parked.lock().retain(|p| p.since.elapsed() < limit);
    }

    /// A shared HTTP/2 connection that takes another stream.
    pub(crate) fn shared(&self, addresses: &[SocketAddr]) -> Option<(ConnectionRef, Facts)> {
        let mut shared = self.shared.lock();
        shared.retain(|s| {
            !s.connection.is_closed()
                && !s.connection.is_shutting_down()
                && addresses.contains(&s.facts.address)
        });
        let found = shared
            .iter_mut()
            .find(|s| s.connection.more_streams_allowed())?;
        found.facts.uses += 1;
        found.facts.idle_for = if found.connection.is_idle() {
            found.idle_since.elapsed()
        } else {
            Duration::ZERO
        };
        Some((found.connection.clone(), found.facts))
    }

    /// Offers a new HTTP/2 connection to later requests.
    pub(crate) fn share(&self, connection: ConnectionRef, facts: Facts) {
        let idle_since = Instant::now();
        self.shared.lock().push(Shared {
            connection,
            facts,
            idle_since,
        });
    }

    /// Drops what has been idle too long, or was closed by the peer. Called every second or so.
    pub(crate) fn sweep(&self, max_idle: Duration) {
        let mut parked = self.parked.lock();
        parked.retain_mut(|p| {
            let age = p.since.elapsed();
            if age >= max_idle {
                return false;
            }
            if p.handle.look() == Idle::Gone {
                self.closed(p, age);
                return false;
            }
            p.seen_open = age;
            self.keep_alive.open(age);
            true
        });
        // The oldest come first. One of those that are left alone stays, to see what becomes of it.
        let limit = self.keep_alive.limit();
        let left_alone = parked.partition_point(|p| p.seen_open >= limit);
        if left_alone > 1 {
            parked.drain(1..left_alone);
            self.metrics
                .idle_ended(EndedBy::Gateway, left_alone as u64 - 1);
        }
        drop(parked);
        self.shared.lock().retain_mut(|s| {
            if !s.connection.is_idle() {
                s.idle_since = Instant::now();
            }
            !s.connection.is_closed() && s.idle_since.elapsed() < max_idle
        });
    }

    /// Idle connections the peer closed before we used them again, since the start.
    pub(crate) fn closed_by_peer(&self) -> u64 {
        self.closed_by_peer.load(Ordering::Relaxed)
    }
}
