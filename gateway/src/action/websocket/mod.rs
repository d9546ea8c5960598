//! `websocket`: connections of messages, passed to an upstream and judged on their way; or of an action
//! that answers them itself.
//!
//! [`handshake`] is the request and its answer, [`relay`] the connection to an upstream that comes of it,
//! [`serve`] one whose other end is here, [`course`] what both have in common, [`way`] one direction.
//! [`inspect`] is for an action that understands what is said on one.

mod caller;
mod course;
mod handshake;
pub(crate) mod inspect;
mod pulse;
mod relay;
pub(crate) mod serve;
mod way;

use std::sync::Arc;
use std::time::Instant;

use weir_protocols::websocket::Allowed;
use weir_telemetry::record::websocket as record;
use weir_telemetry::{Code, metrics};

use super::destination::{Destination, Sending};
use crate::config::routes::websocket::Terms;
use crate::error::GatewayError;
use crate::policy::quota::{self, Bound, Quotas};
use crate::proxy::head::Length;
use crate::proxy::{Downstream, Request, reply, respond};
use crate::quota::Unit;
use crate::upstream::{Answer, Body, Call, Exchange};
use caller::Caller;
use course::Course;
use handshake::{Agreed, Asked};
use inspect::Inspect;
use relay::Relay;
use serve::{Serve, Serving};
use way::Way;

/// The action.
pub(crate) struct Websocket {
    /// Where connections go.
    pub(crate) to: Destination,
    /// What they may be.
    pub(crate) connections: Connections,
}

impl Websocket {
    /// Opens a connection to the upstream, and passes messages until it is closed.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        self.connections.relay(&self.to, request, down, None).await
    }
}

/// The connections of a route.
pub(crate) struct Connections {
    /// What is allowed of them.
    pub(crate) terms: Terms,
    /// The route's figures.
    pub(crate) metrics: Arc<metrics::WebSocket>,
}

impl Connections {
    /// Opens one to an upstream, and passes messages until it is closed; `inspector` looks into those
    /// of text.
    pub(crate) async fn relay(
        &self,
        to: &Destination,
        request: &mut Request,
        down: &mut Downstream,
        inspector: Option<&mut dyn Inspect>,
    ) -> Result<(), GatewayError> {
        let (asked, quotas) = self.asked(request, down).await?;
        let backend = to.pick();
        let mut call = Call {
            body: Body::Stream {
                first: None,
                last: false,
                consumed: false,
            },
            hash_key: backend.hash_key(request, down),
            deadline: Instant::now() + backend.upstream.timeouts.total,
            hasty: false,
        };
        let sending = Sending {
            length: Length::AsSaid,
            upgrade: true,
            expect: false,
        };
        let answer = to
            .call(backend, request, down, &mut call, sending, |_| {})
            .await?;
        let Answer {
            mut head,
            mut exchange,
        } = answer;
        if !call.body.is_whole() {
            let error = GatewayError::public(
                Code::WebsocketHandshakeInvalid,
                "Something was sent before the connection was open.",
            );
            exchange.abandon(request, &error);
            return Err(error);
        }
        let agreed = match asked.agree(backend.upstream.speaks_http2(), &mut head) {
            Ok(Some(agreed)) => agreed,
            Ok(None) => {
                let answer = Answer { head, exchange };
                return respond::stream(request, down, answer, &mut call.body).await;
            }
            Err(error) => {
                exchange.abandon(request, &error);
                return Err(error);
            }
        };
        if let Some(reply) = respond::head(request, down, head, false).await? {
            return reply::send(request, down, reply).await;
        }
        match self
            .connected(request, down, &mut exchange, (agreed, quotas, inspector))
            .await
        {
            Ok(()) => {
                exchange.finish(request);
                Ok(())
            }
            Err(error) => {
                exchange.abandon(request, &error);
                Err(error)
            }
        }
    }

    /// Opens one that `server` is at the other end of, until it is closed.
    pub(crate) async fn serve(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        server: &mut dyn Serve,
    ) -> Result<(), GatewayError> {
        let (asked, quotas) = self.asked(request, down).await?;
        let (head, agreed) = asked.grant()?;
        if let Some(reply) = respond::head(request, down, head, false).await? {
            return reply::send(request, down, reply).await;
        }
        let allowed = self.open(request, agreed);
        let way = Way::up(allowed, self.terms.rate, self.terms.schema.clone());
        let caller = Caller::new(down)?;
        let course = Course::new(self, request, quotas);
        Serving::new(course, caller, server, way).run().await
    }

    /// Judges what a caller asks for; with what counts its messages, if anything does.
    async fn asked(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(Asked, Option<Arc<Quotas>>), GatewayError> {
        let asked = handshake::ask(&self.terms, request, down)?;
        let quotas = request.deferred_quotas.clone();
        let quotas = quotas.filter(|quotas| quotas.count(Unit::WebsocketMessages));
        quota::charge(request, &down.head().headers, Bound::default()).await?;
        request.record.long_lived = true;
        if !request.extended_connect {
            // It has none, and that is to be known before the other side is told to stay open.
            down.read_whole().await?;
        }
        Ok((asked, quotas))
    }

    /// Writes down what was agreed on; what may be said from here on.
    fn open(&self, request: &mut Request, agreed: Agreed) -> Allowed {
        let terms = &self.terms;
        let allowed = Allowed {
            text: terms.text,
            binary: terms.binary,
            max_message: terms.max_message,
            compressed: agreed.compressed,
        };
        request.record.websocket = Some(Box::new(record::WebSocket {
            subprotocol: agreed.subprotocol,
            compressed: agreed.compressed,
            opened: request.began.elapsed(),
            ..record::WebSocket::default()
        }));
        request.websocket_metrics = Some(self.metrics.clone());
        allowed
    }

    async fn connected(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        exchange: &mut Exchange,
        (agreed, quotas, inspector): (Agreed, Option<Arc<Quotas>>, Option<&mut dyn Inspect>),
    ) -> Result<(), GatewayError> {
        let allowed = self.open(request, agreed);
        let up = Way::up(allowed, self.terms.rate, self.terms.schema.clone());
        let caller = Caller::new(down)?;
        // Borrowed anew, for as long as the others.
        let inspector: Option<&mut dyn Inspect> = match inspector {
            Some(inspector) => Some(&mut *inspector),
            None => None,
        };
        let course = Course::new(self, request, quotas);
        let relay = Relay::new(
            course,
            caller,
            exchange,
            inspector,
            (up, Way::down(allowed)),
        );
        relay.run().await
    }
}
