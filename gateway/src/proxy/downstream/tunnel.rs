//! A caller's connection that has left HTTP: who takes it moves the bytes by itself.

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use weir_telemetry::Code;

use super::{Answered, Downstream};
use crate::error::GatewayError;
use crate::wire::Handle;

/// The most that a caller may have sent before it was told that it may, in bytes.
const MOST_EARLY: usize = 64 << 10;

/// The caller's way of a connection that has left HTTP.
pub(super) struct Tunnel {
    handle: Handle,
    /// What the session had read of it.
    early: Bytes,
}

impl Tunnel {
    /// What the caller says next; `None` at the end. While it says nothing, no room is kept for it.
    pub(super) async fn read(&mut self) -> Result<Option<Bytes>, GatewayError> {
        if !self.early.is_empty() {
            return Ok(Some(std::mem::take(&mut self.early)));
        }
        let read = self.handle.read().await;
        let bytes =
            read.map_err(|error| GatewayError::new(Code::ClientDisconnected).source(error))?;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

impl Downstream {
    /// From here on the caller is read below its session, where that has left HTTP.
    pub(crate) fn tunnel(&mut self) -> Result<(), GatewayError> {
        if let Some((handle, early)) = self.leave_http()? {
            // Counted when it is read.
            self.received -= early.len() as u64;
            self.tunnel = Some(Tunnel { handle, early });
        }
        Ok(())
    }

    /// What is below a session that has left HTTP, and what that had read of it already. None over
    /// HTTP/2, where a stream of the connection is all there is to take.
    ///
    /// Who takes it tells of the bytes it moves with [`passed`](Self::passed), and of the end with
    /// [`over`](Self::over).
    pub(crate) fn leave_http(&mut self) -> Result<Option<(Handle, Bytes)>, GatewayError> {
        let Some(wire) = self.wire.clone().filter(|_| !self.session.is_http2()) else {
            return Ok(None);
        };
        let mut early = BytesMut::new();
        // A session that heard nothing but the head is not asked: it would keep a buffer of 64 KiB for
        // what it is not to read any more.
        while let Some(read) = wire
            .heard()
            .then(|| self.read_session().now_or_never())
            .flatten()
        {
            match read? {
                Some(chunk) if early.len() < MOST_EARLY => early.extend_from_slice(&chunk),
                Some(_) => {
                    let error = GatewayError::new(Code::RequestBodyMalformed)
                        .source("much was sent before the connection was granted");
                    return Err(error);
                }
                None => break,
            }
        }
        Ok(Some((wire, early.freeze())))
    }

    /// So many bytes of a tunnel passed.
    pub(crate) fn passed(&mut self, received: u64, sent: u64) {
        self.received += received;
        self.sent += sent;
    }

    /// A tunnel came to an end that both sides know of.
    pub(crate) fn over(&mut self) {
        self.answered = Answered::Whole;
    }
}
