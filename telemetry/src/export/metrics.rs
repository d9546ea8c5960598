//! Metrics, read from the one recorder at an interval and sent by OTLP.
//!
//! They are cumulative: what a collector misses, the next reading has again, so nothing is queued, and an
//! export that fails is counted by its points.

use super::client::Client;
use super::points::{self, Span};
use super::queue::{self, Flushing};
use super::settings::Resolved;
use super::worker::{Flush, Sent, Teller};
use super::{StartError, proto_resource, scope};
use crate::metrics::{Metrics, Tally};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval_at, timeout_at};

/// Bytes of a message from which on another is begun: collectors take 4 MiB unless told otherwise.
const MOST_BYTES: usize = 2 << 20;

/// A running exporter.
pub struct MetricExporter {
    flushes: Sender<Flush>,
}

impl MetricExporter {
    /// Start sending; `None` if metrics were not asked for or no endpoint named. `Err` as of
    /// [`Exporter::start`](super::Exporter::start).
    pub fn start(resolved: &Resolved, metrics: &Metrics) -> Result<Option<Self>, StartError> {
        let Some((outlet, interval)) = &resolved.metrics else {
            return Ok(None);
        };
        let runtime = queue::runtime()?;
        let client = {
            // The client's channel wants to be made inside its runtime.
            let _inside = runtime.enter();
            Client::new(outlet)?
        };
        let reader = Reader {
            client,
            metrics: metrics.clone(),
            resource: proto_resource(&resolved.settings),
            since: SystemTime::now(),
            dropped: metrics.dropped("metric"),
            teller: Teller::new("metrics"),
        };
        let (flushes, asked) = mpsc::channel(1);
        let interval = *interval;
        std::thread::Builder::new()
            .name("metric-exporter".into())
            .spawn(move || runtime.block_on(reader.run(interval, asked)))
            .map_err(StartError::System)?;
        Ok(Some(Self { flushes }))
    }

    /// Have the figures as they are sent by then, to be waited for.
    pub fn flushing(&self, deadline: Instant) -> Flushing {
        queue::ask(&self.flushes, deadline)
    }
}

struct Reader {
    client: Client,
    metrics: Metrics,
    resource: Resource,
    since: SystemTime,
    dropped: Tally,
    teller: Teller,
}

impl Reader {
    /// Until the exporter is dropped.
    async fn run(mut self, interval: Duration, mut flushes: Receiver<Flush>) {
        let mut due = interval_at(tokio::time::Instant::now() + interval, interval);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                biased;
                asked = flushes.recv() => match asked {
                    Some(flush) => Some(flush),
                    None => return,
                },
                _ = due.tick() => tokio::select! {
                    _sent = self.send() => None,
                    // A newer reading takes the place of the one under way.
                    Some(flush) = flushes.recv() => Some(flush),
                },
            };
            if let Some(Flush { deadline, answer }) = asked {
                let sent = timeout_at(deadline.into(), self.send()).await;
                // Whoever asked may have given up waiting.
                let _gone = answer.try_send(sent == Ok(true));
            }
        }
    }

    /// Sends a reading; whether all of it arrived.
    async fn send(&mut self) -> bool {
        let span = Span {
            since: self.since,
            until: SystemTime::now(),
        };
        let mut all_arrived = true;
        for metrics in messages(&self.metrics, span) {
            let count = metrics.iter().map(points::count).sum::<usize>() as u64;
            let message = ExportMetricsServiceRequest {
                resource_metrics: vec![ResourceMetrics {
                    resource: Some(self.resource.clone()),
                    scope_metrics: vec![ScopeMetrics {
                        scope: Some(scope()),
                        metrics,
                        schema_url: String::new(),
                    }],
                    schema_url: String::new(),
                }],
            };
            let sent = Sent::told(count, self.client.metrics(message).await);
            self.teller.tell(&sent);
            self.dropped.add(sent.lost);
            all_arrived &= sent.lost == 0;
        }
        all_arrived
    }
}

/// All there is, in as many messages as it takes.
fn messages(metrics: &Metrics, span: Span) -> Vec<Vec<Metric>> {
    let mut messages = vec![Vec::new()];
    let mut bytes = 0;
    for metric in metrics
        .gather()
        .iter()
        .flat_map(|one| points::metrics(one, span))
    {
        bytes += metric.encoded_len();
        if bytes > MOST_BYTES {
            bytes = metric.encoded_len();
            messages.push(Vec::new());
        }
        if let Some(message) = messages.last_mut() {
            message.push(metric);
        }
    }
    messages
}
