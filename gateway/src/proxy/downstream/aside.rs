//! The caller's side of a call that is made beside the request: nobody sends anything more, and what is
//! written goes nowhere. Whether the caller is still there is for whoever made it to find out.

use pingora_core::protocols::http::ServerSession;
use tokio::io::AsyncWriteExt as _;
use weir_telemetry::Code;

use super::{Downstream, Inbound};
use crate::error::GatewayError;

/// What such a side is said to have asked. It is the same whoever called, and by which protocol: what goes
/// along of a caller's head is for whoever makes the call to say.
const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: aside\r\n\r\n";

impl Downstream {
    /// A caller's side for a call beside a request.
    pub(crate) async fn aside() -> Result<Self, GatewayError> {
        let broken = || GatewayError::new(Code::InternalError).source("no caller's side to be had");
        let (near, mut far) = tokio::io::duplex(HEAD.len());
        far.write_all(HEAD).await.map_err(|_| broken())?;
        let mut session = ServerSession::new_http1(Box::new(near));
        match session.read_request().await {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(broken()),
        }
        let mut down = Downstream::new(session, None);
        down.continue_due = false;
        down.inbound = Inbound::Over;
        down.left = true;
        Ok(down)
    }
}
