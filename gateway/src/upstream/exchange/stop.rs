//! Why an exchange stopped, and what that is as an error of ours.

use weir_protocols::grpc::status;

use crate::error::GatewayError;
use crate::upstream::attribute::Failure;

/// Why an exchange stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The upstream failed.
    Upstream(Failure),
    /// The client failed, or left.
    Client(GatewayError),
}

impl From<Failure> for GatewayError {
    fn from(failure: Failure) -> Self {
        GatewayError {
            rpc: failure.reset.map(status::Code::from_reset),
            ..GatewayError::new(failure.code).source(failure.detail)
        }
    }
}

impl From<Stop> for GatewayError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Upstream(failure) => failure.into(),
            Stop::Client(error) => error,
        }
    }
}
