//! `forward`: passes any HTTP to an upstream, upgrades and trailers included.

use std::time::{Duration, Instant};

use http::header::CONTENT_LENGTH;

use super::destination::{Destination, Sending};
use crate::error::GatewayError;
use crate::proxy::head::{self, Length};
use crate::proxy::{Downstream, Request, respond};
use crate::upstream::{Body, Call};

/// The action.
pub(crate) struct Forward {
    /// Where requests go.
    pub(crate) to: Destination,
}

impl Forward {
    /// Forwards the request and passes on the answer.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let backend = self.to.pick();
        let hash_key = backend.hash_key(request, down);
        let upgrade = head::wants_upgrade(down.head());
        request.record.long_lived = upgrade;
        let deadline = if upgrade {
            // An upgraded connection lasts as long as both sides want; idleness still ends it.
            Instant::now() + ONE_YEAR
        } else {
            Instant::now() + backend.upstream.timeouts.total
        };
        let body = Body::of(down).await?;
        let said =
            down.head().headers.contains_key(CONTENT_LENGTH) && down.request_filters.is_empty();
        let length = match body {
            Body::Stream { .. } if !said => Length::Unknown,
            _ => Length::AsSaid,
        };
        // Where something of the body is here already, nobody waits to be asked for it.
        let asks = matches!(
            body,
            Body::Stream {
                first: None,
                last: false,
                ..
            }
        );
        let mut call = Call {
            body,
            hash_key,
            deadline,
            hasty: false,
        };
        let sending = Sending {
            length,
            upgrade,
            expect: asks && down.continue_due(),
        };
        let answer = self
            .to
            .call(backend, request, down, &mut call, sending, |_| {})
            .await?;
        respond::stream(request, down, answer, &mut call.body).await
    }
}

const ONE_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
