//! The caller's side of a connection: over HTTP/1.1 all of what is below, over HTTP/2 a stream.

use std::io;

use bytes::Bytes;
use http::HeaderMap;

use crate::error::GatewayError;
use crate::proxy::Downstream;
use crate::upstream::Writer;
use crate::wire::Handle;

/// The caller's side.
pub(super) struct Caller<'a> {
    down: &'a mut Downstream,
    wire: Option<(Handle, Writer)>,
    early: Bytes,
    received: u64,
}

/// What happened on the caller's side.
pub(super) enum Turn {
    /// It sent something; nothing is the end.
    Read(Result<Bytes, GatewayError>),
    /// It took something.
    Wrote(io::Result<()>),
}

impl<'a> Caller<'a> {
    /// Takes over once the head of the answer is out.
    pub(super) fn new(down: &'a mut Downstream) -> Result<Self, GatewayError> {
        let (wire, early) = match down.leave_http()? {
            Some((handle, early)) => (Some((handle.clone(), Writer::tunnel(handle))), early),
            None => (None, Bytes::new()),
        };
        Ok(Caller {
            down,
            wire,
            early,
            received: 0,
        })
    }

    /// Waits for what comes next, if it is to be heard or has something to take: one of them has to
    /// be. May be dropped while pending.
    pub(super) async fn turn(&mut self, listening: bool) -> Turn {
        let Some((handle, writer)) = &mut self.wire else {
            let read = self.down.read().await;
            return Turn::Read(read.map(Option::unwrap_or_default));
        };
        if listening && !self.early.is_empty() {
            return Turn::Read(Ok(std::mem::take(&mut self.early)));
        }
        let pending = writer.pending();
        tokio::select! {
            read = handle.read(), if listening => {
                let read = read.map_err(|error| client_gone().source(error));
                self.received += read.as_ref().map_or(0, |bytes| bytes.len() as u64);
                Turn::Read(read)
            }
            wrote = writer.progress(), if pending => Turn::Wrote(wrote),
        }
    }

    /// What its request said.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.down.head().headers
    }

    /// Whether something waits for it to be taken.
    pub(super) fn pending(&self) -> bool {
        self.wire
            .as_ref()
            .is_some_and(|(_, writer)| writer.pending())
    }

    /// Sends something. On a stream of HTTP/2 that waits until it is taken, since nothing else can
    /// happen on it meanwhile.
    pub(super) async fn push(&mut self, bytes: Bytes) -> Result<(), GatewayError> {
        match &mut self.wire {
            Some((_, writer)) => {
                writer.push(bytes);
                Ok(())
            }
            None => self.down.write_own(bytes).await,
        }
    }

    /// Says that nothing more is sent, once what waits is taken. May be dropped while pending.
    pub(super) async fn finish(&mut self) -> Result<(), GatewayError> {
        match &mut self.wire {
            Some((_, writer)) => {
                writer.finish();
                writer
                    .progress()
                    .await
                    .map_err(|error| client_gone().source(error))
            }
            None => self.down.write_end(None).await,
        }
    }

    /// Tells how much passed, and whether both sides know that it is over.
    pub(super) fn close(self, over: bool) {
        let sent = self.wire.as_ref().map_or(0, |(_, writer)| writer.sent());
        self.down.passed(self.received, sent);
        if over {
            self.down.over();
        }
    }
}

fn client_gone() -> GatewayError {
    GatewayError::new(weir_telemetry::Code::ClientDisconnected)
}
