//! Log records of finished requests, for those that get a line in the access log.

use super::client::Client;
use super::log_record::log_record;
use super::queue::{self, Flushing, Queue};
use super::settings::Resolved;
use super::worker::{Batch, Sent, Worker};
use super::{StartError, proto_resource, scope};
use crate::access_log::Choice;
use crate::metrics::{Metrics, Tally};
use crate::record::Record;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of a batch from which on it is sent: collectors take messages of 4 MiB unless told otherwise.
const MOST_BYTES: usize = 2 << 20;

/// A running exporter. Dropping it lets the thread send what is queued.
pub struct LogExporter {
    queue: Queue<Arc<Record>>,
    dropped: Tally,
}

impl LogExporter {
    /// Start sending what `choice` says of a request; `None` if log records were not asked for or no
    /// endpoint named. `Err` as of [`Exporter::start`](super::Exporter::start).
    pub fn start(
        resolved: &Resolved,
        choice: &Arc<Choice>,
        metrics: &Metrics,
    ) -> Result<Option<Self>, StartError> {
        let Some(outlet) = &resolved.logs else {
            return Ok(None);
        };
        let runtime = queue::runtime()?;
        let client = {
            // The client's channel wants to be made inside its runtime.
            let _inside = runtime.enter();
            Client::new(outlet)?
        };
        let batch = Logs {
            client,
            choice: Arc::clone(choice),
            resource: proto_resource(&resolved.settings),
            most: resolved.batch,
            pending: Vec::with_capacity(resolved.batch),
            bytes: 0,
        };
        let dropped = metrics.dropped("log");
        let worker = Worker::new("log records", batch, resolved.interval, dropped.clone());
        let queue = Queue::start("log-exporter", runtime, worker, resolved.queue)?;
        Ok(Some(Self { queue, dropped }))
    }

    /// Queue the log record of a request, or drop and count it. Never blocks.
    pub fn export(&self, record: &Arc<Record>) {
        if !self.queue.offer(Arc::clone(record)) {
            self.dropped.add(1);
        }
    }

    /// Have everything queued so far sent by then, to be waited for.
    pub fn flushing(&self, deadline: Instant) -> Flushing {
        self.queue.flushing(deadline)
    }
}

struct Logs {
    client: Client,
    choice: Arc<Choice>,
    resource: Resource,
    /// How many are sent at once.
    most: usize,
    pending: Vec<LogRecord>,
    bytes: usize,
}

impl Batch for Logs {
    type Queued = Arc<Record>;

    fn take(&mut self, queued: Arc<Record>) {
        let record = log_record(&queued, &self.choice);
        self.bytes += record.encoded_len();
        self.pending.push(record);
    }

    fn len(&self) -> usize {
        self.pending.len()
    }

    fn is_full(&self) -> bool {
        self.pending.len() >= self.most || self.bytes >= MOST_BYTES
    }

    async fn send(&mut self) -> Sent {
        let log_records = std::mem::replace(&mut self.pending, Vec::with_capacity(self.most));
        self.bytes = 0;
        let count = log_records.len() as u64;
        let message = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![ScopeLogs {
                    scope: Some(scope()),
                    log_records,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        };
        Sent::told(count, self.client.logs(message).await)
    }
}
