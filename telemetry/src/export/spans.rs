//! Spans of requests, by the SDK's exporter.

use super::queue::{self, Flushing, Queue};
use super::settings::Resolved;
use super::worker::{Batch, Sent, Worker};
use super::{Settings, SettingsError, StartError, check_endpoint, headers, resource};
use crate::content::Content;
use crate::metrics::{Metrics, Tally};
use crate::record::Record;
use crate::spans::{self, Reason};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What prompts and answers in a batch may come to, in bytes: collectors take messages of 4 MiB
/// unless told otherwise.
const MOST_CONTENT: usize = 1 << 20;

/// A running exporter. Dropping it lets the thread send what is queued.
pub struct Exporter {
    queue: Queue<Queued>,
    dropped: Tally,
}

impl Exporter {
    /// Start sending; `None` if no endpoint was named. The collector need not
    /// be there yet. `Err` if an endpoint, a header or a variable makes no
    /// sense, or the system has no thread.
    pub fn start(resolved: &Resolved, metrics: &Metrics) -> Result<Option<Self>, StartError> {
        let Some(endpoint) = resolved.endpoint() else {
            return Ok(None);
        };
        let runtime = queue::runtime()?;
        let exporter = {
            // The client's channel wants to be made inside its runtime.
            let _inside = runtime.enter();
            client(endpoint, &resolved.settings)?
        };
        let batch = Spans {
            exporter,
            most: resolved.batch,
            pending: Vec::with_capacity(resolved.batch),
            content: 0,
        };
        let dropped = metrics.dropped("span");
        let worker = Worker::new("spans", batch, resolved.interval, dropped.clone())
            .counting(metrics.spans_exported());
        let queue = Queue::start("span-exporter", runtime, worker, resolved.queue)?;
        Ok(Some(Self { queue, dropped }))
    }

    /// Queue the spans of a record, or drop and count them; `content` is shown on them. Never blocks.
    pub fn export(&self, record: &Arc<Record>, reason: Reason, content: Option<Box<Content>>) {
        let queued = Queued {
            record: Arc::clone(record),
            reason,
            content,
        };
        if !self.queue.offer(queued) {
            self.dropped.add(spans::count(record) as u64);
        }
    }

    /// Have everything queued so far sent; what is not by then is dropped and
    /// counted. `false` if that was needed, or another flush is under way.
    /// Blocks for at most `within`: call it from a thread that may.
    pub fn flush(&self, within: Duration) -> bool {
        self.flushing(Instant::now() + within).wait()
    }

    /// The same, to be waited for later.
    pub fn flushing(&self, deadline: Instant) -> Flushing {
        self.queue.flushing(deadline)
    }
}

/// A request whose spans are to be made.
struct Queued {
    record: Arc<Record>,
    reason: Reason,
    content: Option<Box<Content>>,
}

struct Spans {
    exporter: SpanExporter,
    /// How many are sent at once.
    most: usize,
    pending: Vec<SpanData>,
    /// Bytes of prompts and answers among them.
    content: usize,
}

impl Batch for Spans {
    type Queued = Queued;

    fn take(&mut self, queued: Queued) {
        let content = queued.content.as_deref();
        self.content += content.map_or(0, Content::size);
        let made = spans::spans(&queued.record, queued.reason, content);
        self.pending.extend(made);
    }

    fn len(&self) -> usize {
        self.pending.len()
    }

    fn is_full(&self) -> bool {
        self.pending.len() >= self.most || self.content >= MOST_CONTENT
    }

    async fn send(&mut self) -> Sent {
        let spans = std::mem::replace(&mut self.pending, Vec::with_capacity(self.most));
        self.content = 0;
        let count = spans.len() as u64;
        let taken = self.exporter.export(spans).await;
        Sent::told(count, taken.map(|()| 0))
    }
}

fn client(endpoint: &str, settings: &Settings) -> Result<SpanExporter, StartError> {
    check_endpoint(endpoint)?;
    let retry = RetryPolicy::recommended()
        .with_max_retries(5)
        .with_initial_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5));
    let headers = headers(&settings.headers)?;
    let mut builder = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_retry_policy(retry)
        // The library lets the environment's headers replace those it was
        // given; an interceptor comes after both, so that the file wins.
        .with_interceptor(move |mut request: tonic::Request<()>| {
            for (key, value) in &headers {
                request.metadata_mut().insert(key.clone(), value.clone());
            }
            Ok(request)
        });
    if let Some(timeout) = settings.timeout {
        builder = builder.with_timeout(timeout);
    }
    let mut exporter = builder
        .build()
        .map_err(|error| SettingsError::new("otlp", error.to_string()))?;
    exporter.set_resource(&resource(settings));
    Ok(exporter)
}
