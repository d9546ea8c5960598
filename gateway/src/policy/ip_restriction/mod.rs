//! `ip_restriction`: lets in by the trusted client address. `deny` wins over `allow`.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use async_trait::async_trait;
use weir_telemetry::Code;

use super::{Policy, RequestCx, Verdict};
use crate::config::policies::ip_restriction::Config;
use crate::error::GatewayError;

/// The policy.
pub(crate) struct IpRestriction(pub(crate) Config);

impl IpRestriction {
    fn admits(&self, address: IpAddr) -> bool {
        let Config { allow, deny } = &self.0;
        !deny.iter().any(|net| net.contains(&address))
            && (allow.is_empty() || allow.iter().any(|net| net.contains(&address)))
    }
}

#[async_trait]
impl Policy for IpRestriction {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        // What no connection brought has no address.
        if cx.request.vouched {
            return Ok(Verdict::Continue);
        }
        let address = cx.request.client();
        if self.admits(address) {
            return Ok(Verdict::Continue);
        }
        Err(GatewayError::new(Code::AddressDenied).source(format!("{address} is not let in")))
    }
}
