//! An answer read to its end, for who has to see all of it before anything is done with it.

use bytes::{Bytes, BytesMut};

use super::call::Body;
use super::exchange::{Exchange, Incoming};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};

impl Exchange {
    /// The whole body, of at most so many bytes: a longer one is what `too_long` says. The exchange is
    /// over with that, however it went.
    pub(crate) async fn whole(
        mut self,
        request: &mut Request,
        down: &mut Downstream,
        body: &mut Body,
        most: usize,
        too_long: impl FnOnce() -> GatewayError,
    ) -> Result<Bytes, GatewayError> {
        let mut whole = BytesMut::new();
        let error = loop {
            match self.next(request, down, body).await {
                Ok(Incoming::Chunk(chunk)) if whole.len() + chunk.len() <= most => {
                    whole.extend_from_slice(&chunk);
                }
                Ok(Incoming::Chunk(_)) => break too_long(),
                Ok(Incoming::Informational(_) | Incoming::Head(_)) => {}
                Ok(Incoming::End(_)) => {
                    self.finish(request);
                    return Ok(whole.freeze());
                }
                Err(stop) => break stop.into(),
            }
        };
        self.abandon(request, &error);
        Err(error)
    }
}
