//! By whom a record is worked on: each by what the configuration in force says then.

use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use weir_telemetry::metrics::worker::Pause;

use super::reader::{SOON, hold};
use super::{Snapshot, Worker};
use crate::gateway::Gateway;
use crate::kafka::group::{Handler, Outcome, Task};

/// Hands the records of a member to the worker of its name.
pub(super) struct Hand<W> {
    name: Arc<str>,
    gateway: Weak<Gateway>,
    kind: PhantomData<fn() -> W>,
}

impl<W: Worker> Hand<W> {
    pub(super) fn new(name: Arc<str>, gateway: &Arc<Gateway>) -> Self {
        Self {
            name,
            gateway: Arc::downgrade(gateway),
            kind: PhantomData,
        }
    }
}

#[async_trait]
impl<W: Worker> Handler for Hand<W> {
    async fn handle(&self, task: &Task) -> Outcome {
        let about_to_go = |what| hold(SOON, Pause::Reload, format!("{what} is about to go"));
        let Some(gateway) = self.gateway.upgrade() else {
            return about_to_go("the gateway");
        };
        let snapshot: Arc<Snapshot> = gateway.snapshot();
        let Some(worker) = W::all(&snapshot).get(&self.name).cloned() else {
            return about_to_go("this part of the configuration");
        };
        worker.take(&gateway, &snapshot, task).await
    }
}
