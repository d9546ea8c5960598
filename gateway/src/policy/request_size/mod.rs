//! `request_size`: refuses bodies that are too large, declared or not.
//!
//! It only lowers the limit under which the body is read: the reading itself counts.

use async_trait::async_trait;

use super::{Policy, RequestCx, Verdict};
use crate::config::policies::request_size::Config;
use crate::error::GatewayError;

/// The policy.
pub(crate) struct RequestSize(pub(crate) Config);

#[async_trait]
impl Policy for RequestSize {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        cx.request.max_body = cx.request.max_body.min(self.0.max);
        Ok(Verdict::Continue)
    }
}
