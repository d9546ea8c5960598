//! Usage as events: one record for each request that settled anything, in a topic of Kafka, from which
//! the counters of quotas can be made anew. It knows no policy and no action.
//!
//! | Module | Knows |
//! |---|---|
//! | `tally` | what one request settled, piece by piece |
//! | `form` | how a record is written and read |
//! | `queue` | the way from the end of a request to the disk |
//! | `seen` | which records were read before |
//! | `replay` | what a topic tells the ledger |

mod form;
mod queue;
mod replay;
mod seen;
mod tally;

use std::sync::Arc;

use weir_telemetry::metrics;

pub(crate) use queue::Queue;
pub(crate) use replay::{Asked, From, Key, Report, Trouble, replay};
pub(crate) use tally::Tally;

use crate::kafka::Session;
use crate::proxy::Request;
use crate::spool::Spool;

/// Where records of usage go.
#[derive(Clone)]
pub(crate) struct Topic {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// What speaks to its cluster.
    pub(crate) session: Arc<Session>,
    /// Where records are until the cluster has them.
    pub(crate) spool: Arc<Spool>,
    pub(crate) figures: Arc<metrics::Usage>,
}

/// Tells of a request that is over, if it settled anything or was for a model. It never waits.
pub(crate) fn tell(request: &Request) {
    let Some(topic) = &request.snapshot.usage else {
        return;
    };
    if request.tally.is_empty() && request.record.llm.is_none() {
        return;
    }
    let record = form::write(&topic.name, request);
    request.gateway.usage.put(topic, record);
}
