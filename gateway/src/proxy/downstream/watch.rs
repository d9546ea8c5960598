//! Whether a caller is still there while nothing is read from it.

use weir_telemetry::Code;

use super::Downstream;
use crate::error::GatewayError;
use crate::proxy::blame::client_fault;

impl Downstream {
    /// Waits until the caller leaves, and says so, without reading what it sent. On HTTP/1 it waits for
    /// ever: there the end of a connection lies behind all that was sent. May be dropped while pending.
    pub(crate) async fn gone(&mut self) -> GatewayError {
        if !self.left
            && let Some(leaving) = self.session.watch_h2_stream_close()
        {
            let error = match leaving.await {
                Ok(reason) => GatewayError::new(Code::ClientDisconnected)
                    .source(format!("it reset the stream: {reason}")),
                Err(error) => client_fault(&error),
            };
            if let Err(error) = self.lost(error) {
                return error;
            }
        }
        std::future::pending().await
    }
}
