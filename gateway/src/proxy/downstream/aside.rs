//! The caller's side of a call that is made beside the request: nobody sends anything more, and what is
//! written goes nowhere. Whether the caller is still there is for whoever made it to find out.

use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::subrequest::server::HttpSession;
use weir_telemetry::Code;

use super::{Downstream, Inbound};
use crate::error::GatewayError;

/// A caller's side that is not ready yet.
pub(crate) struct Aside(HttpSession);

impl Downstream {
    /// A caller's side for a call beside this request.
    pub(crate) fn aside(&self) -> Aside {
        let (session, _) = HttpSession::new_from_session(&self.session);
        Aside(session)
    }
}

impl Aside {
    /// Makes it ready.
    pub(crate) async fn begin(mut self) -> Result<Downstream, GatewayError> {
        let read = self.0.read_request().await;
        read.map_err(|error| GatewayError::new(Code::InternalError).source(error))?;
        let mut down = Downstream::new(ServerSession::new_subrequest(self.0), None);
        down.continue_due = false;
        down.inbound = Inbound::Over;
        down.left = true;
        Ok(down)
    }
}
