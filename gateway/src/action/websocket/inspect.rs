//! Who looks into the text messages of a connection: an action that understands what they say.
//!
//! It knows neither frames nor the relay.

use async_trait::async_trait;
use http::HeaderMap;

pub(crate) use super::way::Refusal;
use crate::proxy::Request;

/// What becomes of a caller's message.
pub(crate) enum Verdict {
    /// It goes up as it came.
    Pass,
    /// This goes up instead.
    Instead(Vec<u8>),
    /// Nothing goes up, and the caller is told this.
    Answer(Vec<u8>),
}

/// Looks into the text messages of one connection.
#[async_trait]
pub(crate) trait Inspect: Send {
    /// Judges one of the caller's. After a refusal the connection is closed.
    async fn caller(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
        text: &[u8],
    ) -> Result<Verdict, Refusal>;

    /// Sees one of the upstream's, which passes as it came.
    fn upstream(&mut self, text: &[u8]);
}
