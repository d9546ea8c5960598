//! How a record is sent once, and what is told of that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use weir_telemetry::metrics::worker::Kind;

use super::Webhook;
use crate::gateway::Gateway;
use crate::kafka::group::{Outcome, Task};
use crate::proxy::Errand;
use crate::runtime::Snapshot;
use crate::workers::{self, Fate, Reader, Worker};

#[async_trait]
impl Worker for Webhook {
    const KIND: Kind = Kind::Webhook;

    fn all(snapshot: &Snapshot) -> &HashMap<Arc<str>, Arc<Self>> {
        snapshot.webhooks()
    }

    fn reader(&self) -> &Reader {
        &self.reader
    }

    fn to(&self) -> (&'static str, &str) {
        ("upstream", &self.config.upstream)
    }

    async fn take(
        self: Arc<Self>,
        gateway: &Arc<Gateway>,
        snapshot: &Arc<Snapshot>,
        task: &Task,
    ) -> Outcome {
        let begun = Instant::now();
        let trace = workers::trace(snapshot, task);
        let begin = Errand::begin(gateway, snapshot, &self.connection, trace);
        let mut errand = match begin.await {
            Ok(errand) => errand,
            Err(error) => return workers::unready(&error),
        };
        self.reader.note(&mut errand, task);
        let (request, _) = errand.parts();
        request.consumer = Some(self.consumer.clone());
        let fate = self.send(&mut errand, task).await;
        let (request, _) = errand.parts();
        if let Fate::Failed(failure) | Fate::Refused(failure) | Fate::NotNow { failure, .. } = &fate
        {
            request.record.code = failure.code;
            request.record.detail = Some(failure.detail.clone());
            if let Some(code) = failure.code {
                request.record.status = code.status();
            }
        }
        let (told, outcome) = self.reader.judge(fate, task).await;
        self.reader.end(errand, task, told, begun);
        outcome
    }
}
