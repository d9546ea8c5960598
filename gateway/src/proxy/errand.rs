//! A call of an upstream that no request asked for: what the gateway does of its own accord. It has a
//! context of its own, and is settled, recorded and told of as a request is, however it ends.
//!
//! So is what a route is asked in the name of a consumer that no connection brought: it goes the whole way of
//! the route, from its policies to its last filter.
//!
//! It refuses to know what is called, and why.

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use weir_telemetry::record::Record;
use weir_telemetry::trace::{Context, RequestId};
use weir_telemetry::{Code, Metrics};

use super::downstream::{Answer, Downstream};
use super::request::{Connection, Request, peer_field};
use super::{finish, reply, route};
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::runtime::{Consumer, Route, Snapshot};
use crate::server::InFlight;

/// Such a call, or several in turn. Dropping it finishes it.
pub(crate) struct Errand {
    request: Option<Box<Request>>,
    down: Box<Downstream>,
    /// Whether somebody said how it ended.
    ended: bool,
    _in_flight: InFlight,
}

impl Connection {
    /// What stands where the caller's connection would be; `name` for that of the listener.
    pub(crate) fn none(name: &str, metrics: &Metrics) -> Arc<Self> {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Arc::new(Self {
            listener: name.into(),
            peer,
            peer_field: peer_field(peer),
            tls: false,
            metrics: metrics.listener(name),
            wire: None,
        })
    }
}

impl Errand {
    /// Begins one; it counts as in flight until it is dropped.
    pub(crate) async fn begin(
        gateway: &Arc<Gateway>,
        snapshot: &Arc<Snapshot>,
        connection: &Arc<Connection>,
        trace: Context,
    ) -> Result<Self, GatewayError> {
        let down = Downstream::aside().await?;
        Ok(Self::with(down, gateway, snapshot, connection, trace))
    }

    /// Begins what a route is to be asked by `down`, which keeps the answer.
    pub(crate) fn with(
        down: Downstream,
        gateway: &Arc<Gateway>,
        snapshot: &Arc<Snapshot>,
        connection: &Arc<Connection>,
        trace: Context,
    ) -> Self {
        let client = connection.peer.ip();
        let listener = connection.listener.clone();
        let mut record = Record::begin(RequestId::random(), trace, listener, client);
        record.config_revision = snapshot.revision;
        let in_flight = gateway.drain.begin();
        let (gateway, snapshot) = (gateway.clone(), snapshot.clone());
        let begun = (Instant::now(), record);
        let request = Request::begin(gateway, snapshot, connection.clone(), begun);
        Self {
            request: Some(request),
            down: Box::new(down),
            ended: false,
            _in_flight: in_flight,
        }
    }

    /// Says which route is asked, and in whose name.
    pub(crate) fn enter(&mut self, route: &Arc<Route>, consumer: &Arc<Consumer>) {
        let (request, down) = self.parts();
        let head = down.head();
        let told = route.action.told(head, head.uri.path());
        request.record.method = head.method.clone();
        request.record.path = head.uri.path().to_owned();
        route::enter(request, route, told);
        request.vouched = true;
        request.record.consumer = Some(consumer.name.clone());
        if consumer.team.is_some() {
            request.record.team.clone_from(&consumer.team);
        }
        request.consumer = Some(consumer.clone());
    }

    /// Has the route answer, within that time.
    pub(crate) async fn ask(&mut self, route: &Arc<Route>, within: Duration) -> Asked {
        let (request, down) = self.parts();
        let outcome = {
            let way = AssertUnwindSafe(super::take(route, request, down)).catch_unwind();
            tokio::time::timeout(within, Box::pin(way)).await
        };
        let outcome = match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(GatewayError::new(Code::InternalError)),
            Err(_) => {
                let code = Code::HttpResponseTimeout;
                broken_off(request, code);
                let why = format!("there was no answer within {within:?}");
                Err(GatewayError::new(code).source(why))
            }
        };
        let asked = match outcome {
            Ok(()) => Asked {
                error: None,
                answer: down.take_answer(),
            },
            Err(error) => self.refuse(error).await,
        };
        let (request, down) = self.parts();
        request.close(down);
        asked
    }

    /// Answers with an error, in the words of whom it is for.
    pub(crate) async fn refuse(&mut self, error: GatewayError) -> Asked {
        let (request, down) = self.parts();
        // Half an answer is none.
        down.take_answer();
        reply::fail(request, down, error.clone()).await;
        Asked {
            answer: down.take_answer(),
            error: Some(error),
        }
    }

    /// What upstreams are called with.
    pub(crate) fn parts(&mut self) -> (&mut Request, &mut Downstream) {
        let request = self.request.as_mut();
        let request = request.expect("it is taken only when this is dropped");
        (request, &mut self.down)
    }

    /// Says that it came to an end of its own.
    pub(crate) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        let Some(mut request) = self.request.take() else {
            return;
        };
        if !self.ended {
            broken_off(&mut request, Code::Draining);
            request.record.code = Some(Code::Draining);
            request.record.aborted = true;
        }
        finish::finish(request, None);
    }
}

/// What came of asking a route.
pub(crate) struct Asked {
    /// Why it failed, if that is known here: a provider may also have refused it.
    pub(crate) error: Option<GatewayError>,
    /// What was answered, an error's words included.
    pub(crate) answer: Option<Answer>,
}

/// The last attempt, if it is under way, ends here.
fn broken_off(request: &mut Request, code: Code) {
    let elapsed = request.began.elapsed();
    if let Some(last) = request.record.attempts.last_mut()
        && last.total.is_zero()
    {
        last.total = elapsed.saturating_sub(last.started);
        last.code = Some(code);
    }
}
