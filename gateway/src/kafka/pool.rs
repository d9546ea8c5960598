//! The principals of callers that are connected to a cluster, so many at most. One that nobody uses stays
//! for a while, as who called once calls again, and makes room for others when they come.
//!
//! It knows no caller. A reload keeps it, and with it whatever credentials did not change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::sleep;
use weir_telemetry::metrics::InFlight;
use weir_telemetry::metrics::backlog::Figures;
use weir_telemetry::{Code, Metrics};

use super::session::Session;
use crate::config::kafka_clusters::Cluster;
use crate::config::kafka_identity::{self, Principal, Principals};
use crate::error::GatewayError;

/// When to try again after all were in use.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The principals that are connected.
pub(super) struct Pool {
    connected: Mutex<Vec<Connected>>,
    metrics: Metrics,
}

struct Connected {
    principal: Arc<Principal>,
    session: Arc<Session>,
    /// When somebody last had it.
    used: Instant,
    /// Counted as long as it is here.
    _counted: InFlight,
}

impl Connected {
    /// Whether nobody has it and nothing of it is under way: whoever takes one does so with the pool
    /// locked.
    fn is_free(&self) -> bool {
        Arc::strong_count(&self.session) == 1 && !self.session.is_sending()
    }
}

/// A principal's session in use.
pub(super) struct Used {
    pub(super) session: Arc<Session>,
    pool: Arc<Pool>,
}

impl Drop for Used {
    fn drop(&mut self) {
        let mut connected = self.pool.connected.lock();
        let mut connected = connected.iter_mut();
        if let Some(this) = connected.find(|c| c.session.id() == self.session.id()) {
            this.used = Instant::now();
        }
    }
}

impl Pool {
    pub(super) fn new(metrics: &Metrics) -> Arc<Self> {
        Arc::new(Self {
            connected: Mutex::default(),
            metrics: metrics.clone(),
        })
    }

    /// The session of a principal; a new one, if it is not connected and there is room.
    pub(super) fn take(
        self: &Arc<Self>,
        cluster: &Cluster,
        among: &Principals,
        principal: &Arc<Principal>,
    ) -> Result<Used, GatewayError> {
        let mut connected = self.connected.lock();
        let known = connected.iter().find(|c| c.principal == *principal);
        if let Some(known) = known {
            return Ok(self.used(known.session.clone()));
        }
        // Dropped when the lock is not held any more.
        let mut closed = Vec::new();
        while connected.len() >= among.max {
            let free = connected.iter().enumerate().filter(|(_, c)| c.is_free());
            let Some((oldest, _)) = free.min_by_key(|(_, c)| c.used) else {
                drop(connected);
                return Err(exhausted(among.max));
            };
            closed.push(connected.swap_remove(oldest));
        }
        let session = Session::start(kafka_identity::by(cluster, principal), &self.metrics);
        let session = session
            .map_err(|why| GatewayError::new(Code::KafkaAccessRefused).source(why))
            .map(Arc::new)?;
        connected.push(Connected {
            principal: principal.clone(),
            session: session.clone(),
            used: Instant::now(),
            _counted: self.metrics.kafka_principal(&cluster.name),
        });
        drop(connected);
        self.close_unused(session.id(), among.idle);
        Ok(self.used(session))
    }

    /// What the producers of all hold until brokers answer.
    pub(super) fn held(&self) -> Figures {
        let connected = self.connected.lock();
        let held = connected.iter().map(|c| c.session.held());
        held.fold(Figures::default(), Figures::and)
    }

    fn used(self: &Arc<Self>, session: Arc<Session>) -> Used {
        let pool = self.clone();
        Used { session, pool }
    }

    /// Closes a session once nobody has used it for so long.
    fn close_unused(self: &Arc<Self>, id: u64, idle: Duration) {
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut left = Some(idle);
            while let Some(rest) = left {
                sleep(rest).await;
                left = pool.upgrade().and_then(|pool| pool.left(id, idle));
            }
        });
    }

    /// How long it stays yet; none, if it is closed.
    fn left(&self, id: u64, idle: Duration) -> Option<Duration> {
        let mut connected = self.connected.lock();
        let index = connected.iter().position(|c| c.session.id() == id)?;
        let this = &connected[index];
        if !this.is_free() {
            return Some(idle);
        }
        let left = idle.saturating_sub(this.used.elapsed());
        if !left.is_zero() {
            return Some(left);
        }
        let closed = connected.swap_remove(index);
        drop(connected);
        drop(closed);
        None
    }
}

fn exhausted(max: usize) -> GatewayError {
    GatewayError::new(Code::KafkaPrincipalsExhausted)
        .source(format!("all of {max} have something under way"))
        .retry_after(RETRY_AFTER)
}
