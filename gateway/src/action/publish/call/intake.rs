//! Messages that came and were not dealt with: so many of them, and no more. Knows nothing of what is in them.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;
use weir_telemetry::Code;

use crate::action::grpc::served::Served;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};

/// So many records are sent at once.
const FEW: usize = 256;
/// So much is, in bytes, but for the last record; and so much is read ahead.
const MUCH: usize = 1 << 20;

/// What came.
pub(super) struct Intake {
    pub(super) served: Served,
    came: VecDeque<Bytes>,
    /// How long they are, in bytes.
    size: usize,
    /// Whether there are no more.
    ended: bool,
    /// Why nothing comes any more.
    failed: Option<GatewayError>,
}

impl Intake {
    /// Before the first.
    pub(super) fn new(served: Served) -> Self {
        Self {
            served,
            came: VecDeque::new(),
            size: 0,
            ended: false,
            failed: None,
        }
    }

    /// The next few, as soon as there is one; none, once there are no more. A call that has `one` is read
    /// to its end first.
    ///
    /// # Errors
    /// If nothing more comes though the call is not at its end: what came before is not dealt with either.
    pub(super) async fn next(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        one: bool,
    ) -> Result<Option<Vec<Bytes>>, GatewayError> {
        if one {
            if self.ended {
                return Ok(None);
            }
            let message = self.served.message(down).await?;
            self.ended = true;
            return Ok(Some(vec![message]));
        }
        let began = Instant::now();
        while self.came.is_empty() && !self.ended && self.failed.is_none() {
            if down.unsent() {
                down.flush().await?;
            }
            let deadline = self.served.deadline();
            let chunk = tokio::select! {
                biased;
                () = request.gateway.drain.must_end() => {
                    let error = GatewayError::new(Code::Draining);
                    Err(error.source("it had not ended when the drain timeout passed"))
                }
                () = passes(deadline) => Err(Served::late()),
                chunk = down.read() => chunk,
            };
            self.takes_in(chunk);
        }
        request.waits.client += began.elapsed();
        match self.failed.take() {
            Some(error) => Err(error),
            None if self.came.is_empty() => Ok(None),
            None => Ok(Some(self.few())),
        }
    }

    /// Does some work, and takes in what comes meanwhile.
    pub(super) async fn meanwhile<T>(
        &mut self,
        down: &mut Downstream,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            let reads = self.failed.is_none() && self.size < MUCH;
            tokio::select! {
                biased;
                done = &mut work => return done,
                chunk = down.read(), if reads => self.takes_in(chunk),
            }
        }
    }

    fn takes_in(&mut self, chunk: Result<Option<Bytes>, GatewayError>) {
        match chunk {
            Ok(Some(chunk)) => {
                let before = self.came.len();
                self.failed = self.served.messages(chunk, &mut self.came).err();
                let new = self.came.iter().skip(before);
                self.size += new.map(Bytes::len).sum::<usize>();
            }
            Ok(None) => self.ended = true,
            Err(error) => self.failed = Some(error),
        }
    }

    fn few(&mut self) -> Vec<Bytes> {
        let (mut few, mut much) = (Vec::new(), 0);
        while few.len() < FEW
            && much < MUCH
            && let Some(message) = self.came.pop_front()
        {
            much += message.len();
            few.push(message);
        }
        self.size -= much;
        few
    }
}

async fn passes(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
