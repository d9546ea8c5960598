//! `respond`: answers without asking anyone.

use crate::error::GatewayError;
use crate::proxy::{Downstream, Reply, Request, reply};

/// The action: always the same answer.
pub(crate) struct Respond {
    /// The answer.
    pub(crate) reply: Reply,
}

impl Respond {
    /// Sends the answer.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        reply::answer(request, down, self.reply.clone()).await
    }
}
