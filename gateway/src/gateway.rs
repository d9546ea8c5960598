//! What outlives reloads: telemetry, the ledger, what is in flight, and the snapshot
//! in force.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use weir_telemetry::{Code, Telemetry};

use crate::action::llm::Learned;
use crate::llm_worker::LlmWorker;
use crate::quota::Ledger;
use crate::runtime::Snapshot;
use crate::server::{Certificates, Drain};
use crate::usage;
use crate::webhook::Webhook;
use crate::workers::Crew;

/// The process's state, shared by everything that serves a request.
pub(crate) struct Gateway {
    /// Everything operators see goes through here.
    pub(crate) telemetry: Telemetry,
    /// Counts what quotas limit.
    pub(crate) ledger: Ledger,
    /// How long the answers of models turn out.
    pub(crate) learned: Learned,
    /// Requests in flight.
    pub(crate) drain: Drain,
    /// The certificates of TLS listeners, by the listener's name.
    pub(crate) certificates: HashMap<Arc<str>, Arc<Certificates>>,
    /// Who sends records of Kafka to webhooks.
    pub(crate) webhooks: Crew<Webhook>,
    /// Who has models answer the prompts of topics.
    pub(crate) llm_workers: Crew<LlmWorker>,
    /// Records of usage on their way to the disk.
    pub(crate) usage: usage::Queue,
    /// Told when a reload is asked for.
    pub(crate) reload: Notify,
    snapshot: ArcSwap<Snapshot>,
    reload_failure: Mutex<Option<String>>,
}

impl Gateway {
    /// A gateway that begins with `snapshot`.
    pub(crate) fn new(
        telemetry: Telemetry,
        certificates: HashMap<Arc<str>, Arc<Certificates>>,
        snapshot: Arc<Snapshot>,
    ) -> Self {
        Gateway {
            telemetry,
            ledger: Ledger::new(),
            learned: Learned::default(),
            drain: Drain::default(),
            certificates,
            webhooks: Crew::default(),
            llm_workers: Crew::default(),
            usage: usage::Queue::default(),
            reload: Notify::new(),
            snapshot: ArcSwap::new(snapshot),
            reload_failure: Mutex::new(None),
        }
    }

    /// The configuration in force now. A request asks once and keeps what it got.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another configuration in force; requests under way keep theirs.
    pub(crate) fn swap(&self, snapshot: Arc<Snapshot>) {
        self.telemetry
            .slow_after
            .set(snapshot.loaded.config.telemetry.slow_after);
        self.snapshot.store(snapshot);
    }

    /// Remembers how the last reload went: why it was refused, if it was.
    pub(crate) fn note_reload(&self, failure: Option<String>) {
        *self.reload_failure.lock() = failure;
    }

    /// Why the last reload was refused, if it was.
    pub(crate) fn reload_failure(&self) -> Option<String> {
        self.reload_failure.lock().clone()
    }

    /// Where a code is explained.
    pub(crate) fn runbook_url(&self, code: Code) -> String {
        code.runbook()
    }
}
