//! The idle connections of one endpoint, and what is known of each.
//!
//! The pool is ours rather than Pingora's because attribution needs what that one keeps to
//! itself: when a connection was released, and whether the peer had closed it by the time
//! somebody wanted it. It also costs less: no task and no `getpeername` per request.
//!
//! It does not connect, speak HTTP or time out a request; [`super::dial`] and [`super::call`] do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pingora_core::connectors::http::v2::ConnectionRef;

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
}

/// A live HTTP/2 connection, shared by its streams.
struct Shared {
    connection: ConnectionRef,
    facts: Facts,
    idle_since: Instant,
}

/// The pool of one endpoint. Last in, first out, so that surplus connections age and leave.
#[derive(Default)]
pub(crate) struct Pool {
    parked: Mutex<Vec<Parked>>,
    shared: Mutex<Vec<Shared>>,
    closed_by_peer: AtomicU64,
}

/// Most idle HTTP/1 connections kept per endpoint.
const MAX_PARKED: usize = 1024;

impl Pool {
    /// Takes an idle HTTP/1 connection to one of `addresses` that is still open.
    pub(crate) fn take(
        &self,
        addresses: &[SocketAddr],
        max_idle: Duration,
    ) -> Option<(Handle, Facts)> {
        loop {
            let parked = self.parked.lock().pop()?;
            let idle_for = parked.since.elapsed();
            if idle_for >= max_idle || !addresses.contains(&parked.facts.address) {
                continue;
            }
            if parked.handle.look() == Idle::Gone {
                self.closed_by_peer.fetch_add(1, Ordering::Relaxed);
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
        let mut parked = self.parked.lock();
        if parked.len() < MAX_PARKED {
            parked.push(Parked {
                handle,
                facts,
                since,
            });
        }
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
        self.parked.lock().retain(|p| {
            if p.since.elapsed() >= max_idle {
                return false;
            }
            let open = p.handle.look() == Idle::Open;
            if !open {
                self.closed_by_peer.fetch_add(1, Ordering::Relaxed);
            }
            open
        });
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
