//! What works on records of Kafka without a caller: webhooks and LLM workers have this in common.
//!
//! | Module | Knows |
//! |---|---|
//! | `crew` | which members of groups there are, across reloads |
//! | `hand` | by whom a record is worked on, as the configuration in force says |
//! | `fate` | what came of working on a record, and when it is tried again |
//! | `reader` | what becomes of a record: done, tried again, held, or given up |
//! | `dead_letter` | what is kept of a record that was given up |
//!
//! It knows nothing of what is done with records. How they are read, and in which order they are handed over,
//! is the business of [`kafka::group`].
//!
//! [`kafka::group`]: crate::kafka::group

mod crew;
mod dead_letter;
mod fate;
mod hand;
mod reader;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use weir_telemetry::metrics::worker::Kind;

pub(crate) use crew::{Crew, Watched};
pub(crate) use fate::{Failure, Fate, not_now};
pub(crate) use reader::{Reader, place, trace, unready};

use crate::gateway::Gateway;
use crate::kafka::group::{Outcome, Task};
use crate::runtime::Snapshot;

/// Works on records, as one snapshot has it.
#[async_trait]
pub(crate) trait Worker: Send + Sync + Sized + 'static {
    /// What telemetry calls one.
    const KIND: Kind;

    /// All of a snapshot, by name.
    fn all(snapshot: &Snapshot) -> &HashMap<Arc<str>, Arc<Self>>;

    /// What it reads.
    fn reader(&self) -> &Reader;

    /// What it hands records on to, for who looks at it: the word for that, and its name.
    fn to(&self) -> (&'static str, &str);

    /// Works on a record once.
    async fn take(
        self: Arc<Self>,
        gateway: &Arc<Gateway>,
        snapshot: &Arc<Snapshot>,
        task: &Task,
    ) -> Outcome;
}
