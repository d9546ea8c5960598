//! How a caller's side ends: kept for its next request, closed, or broken off.

use pingora_core::protocols::http::ServerSession;

use super::{Answered, Downstream, Inbound};

impl Downstream {
    /// The caller shall not send another request on this connection.
    pub(crate) fn close_after(&mut self) {
        self.session.set_keepalive(None);
    }

    /// Breaks off: the caller must be able to tell that the answer is not whole.
    pub(crate) async fn abort(&mut self) {
        self.session.set_keepalive(None);
        self.session.shutdown().await;
    }

    /// Whether the answer is out whole and the request is not.
    pub(crate) fn answered_early(&mut self) -> bool {
        self.answered == Answered::Whole
            && !self.session.is_http2()
            && (self.inbound == Inbound::Lost || !self.session.is_body_done())
    }

    /// Gives back the session once the request is over.
    pub(crate) fn into_session(self) -> ServerSession {
        self.session
    }
}
