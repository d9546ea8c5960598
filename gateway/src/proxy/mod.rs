//! The request's way, from a parsed head to the last byte of the answer.
//!
//! [`serve`] is its contents page: identify → route → policies → action → finish. Each stage is a
//! file; none calls upwards, and each failure comes back as one [`GatewayError`].
//!
//! [`GatewayError`]: crate::error::GatewayError

mod beside;
mod blame;
pub(crate) mod dialect;
mod downstream;
mod errand;
mod filters;
mod finish;
pub(crate) mod grpc;
pub(crate) mod head;
pub(crate) mod identify;
mod linger;
pub(crate) mod reply;
mod request;
pub(crate) mod respond;
mod route;
#[cfg(test)]
mod tests;
mod waiting;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use pingora_core::protocols::http::{ReusableHttpStream, ServerSession};
use weir_telemetry::Code;

pub(crate) use beside::Beside;
pub(crate) use downstream::{Answer, Downstream};
pub(crate) use errand::{Asked, Errand};
pub(crate) use reply::Reply;
pub(crate) use request::{Connection, Request, peer_field};

use crate::action;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::runtime::Route;

/// A request on its way. Whatever ends it, dropping this finishes it. Boxed, because both are large
/// and change hands.
struct Running {
    request: Option<Box<Request>>,
    down: Option<Box<Downstream>>,
    _in_flight: crate::server::InFlight,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            finish::finish(request, self.down.as_deref());
        }
    }
}

/// Serves one request whose head was read. Gives back the connection if it can carry another.
pub(crate) async fn serve(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    mut session: ServerSession,
) -> Option<ReusableHttpStream> {
    let request = identify::identify(gateway, connection, session.req_header_mut());
    let down = Box::new(Downstream::new(session, connection.wire.clone()));
    let mut running = Running {
        request: Some(request),
        down: Some(down),
        _in_flight: gateway.drain.begin(),
    };
    let down = running.down.as_mut()?;
    if gateway.drain.closing() {
        down.close_after();
    }
    let request = running.request.as_mut()?;
    let outcome = {
        // Pinned first, because the whole way is too large to be moved for nothing.
        let mut way = pin!(handle(request, down));
        AssertUnwindSafe(way.as_mut()).catch_unwind().await
    };
    let outcome = outcome.unwrap_or_else(|_| Err(GatewayError::new(Code::InternalError)));
    if let Err(error) = outcome {
        reply::fail(request, down, error).await;
    }
    // The record is complete before the connection is given back, so that a caller who has read
    // the answer finds it told.
    let mut down = running.down.take()?;
    request.close(&down);
    drop(running);
    let early = down.answered_early();
    let session = down.into_session();
    if early {
        linger::linger(session).await;
        return None;
    }
    // An error here means that the connection cannot carry another request, which is all there is.
    session.finish().await.ok().flatten()
}

/// The way itself: every `?` ends in [`reply::fail`].
async fn handle(request: &mut Request, down: &mut Downstream) -> Result<(), GatewayError> {
    let route = route::route(request, down)?;
    head::expects_continue(down.head())?;
    take(&route, request, down).await
}

/// What a route does with a request: its policies, and its action.
async fn take(
    route: &Arc<Route>,
    request: &mut Request,
    down: &mut Downstream,
) -> Result<(), GatewayError> {
    if let Some(reply) = route.chain.before(request, down).await? {
        return reply::send(request, down, reply).await;
    }
    down.limit(request.max_body)?;
    action::run(route, request, down).await
}
