//! Operations that come on a WebSocket (`graphql-transport-ws`): each is examined as the body of a POST
//! would be, and one that is refused is answered here while the connection goes on.
//!
//! It knows neither frames nor who runs what may run.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;
use weir_protocols::graphql::document::Type;
use weir_protocols::graphql::transport_ws::{self, Message, Session, Violation};
use weir_protocols::websocket::Code as CloseCode;
use weir_telemetry::Code;

use super::examine::{Operation, Refused};
use super::receive::Received;
use super::{Graphql, fault, note_more};
use crate::action::websocket::inspect::{Inspect, Refusal, Verdict};
use crate::error::GatewayError;
use crate::large;
use crate::policy::quota::Quotas;
use crate::proxy::{Request, dialect};
use crate::quota::Unit;

/// The operations of one connection.
pub(super) struct Operations<'a> {
    pub(super) graphql: &'a Graphql,
    /// The most that may be in flight.
    pub(super) max_in_flight: usize,
    /// Those that count what operations cost, if any.
    pub(super) quotas: Option<Arc<Quotas>>,
    pub(super) session: Session,
}

/// What a caller said.
pub(super) enum Heard<'t> {
    /// That an operation is to run, and it may.
    Operation {
        id: Cow<'t, str>,
        /// What is to run, as it came.
        payload: &'t str,
        /// The same in full, where that is not what came.
        instead: Option<Vec<u8>>,
        /// Whether it may have more than one result.
        lasts: bool,
    },
    /// That one is to run that may not: what is answered.
    Refused(Vec<u8>),
    /// Anything else.
    Other(Message<'t>),
}

#[async_trait]
impl Inspect for Operations<'_> {
    async fn caller(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
        text: &[u8],
    ) -> Result<Verdict, Refusal> {
        let (id, instead) = match self.hear(request, headers, text).await? {
            Heard::Other(_) | Heard::Operation { instead: None, .. } => return Ok(Verdict::Pass),
            Heard::Refused(told) => return Ok(Verdict::Answer(told)),
            Heard::Operation {
                id,
                instead: Some(instead),
                ..
            } => (id, instead),
        };
        match transport_ws::subscribe(&id, &instead) {
            Ok(instead) => Ok(Verdict::Instead(instead)),
            Err(error) => {
                let error = GatewayError::new(Code::InternalError).source(error);
                self.session.over(&id);
                Ok(Verdict::Answer(refusal(request, &id, &error)))
            }
        }
    }

    fn upstream(&mut self, text: &[u8]) {
        // A reader of frames has made sure that it is text.
        if let Ok(text) = std::str::from_utf8(text) {
            self.session.heard(text);
        }
    }
}

impl Operations<'_> {
    /// Hears a message, and examines the operation that it asks for.
    pub(super) async fn hear<'t>(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
        text: &'t [u8],
    ) -> Result<Heard<'t>, Refusal> {
        let message = transport_ws::read(text).map_err(Violation::Invalid);
        let message = message.map_err(|wrong| closing(&wrong))?;
        self.session
            .said(&message)
            .map_err(|wrong| closing(&wrong))?;
        let Message::Subscribe { id, payload } = message else {
            return Ok(Heard::Other(message));
        };
        let told = match self.judge(request, headers, payload).await {
            Ok((instead, lasts)) => {
                return Ok(Heard::Operation {
                    id,
                    payload,
                    instead,
                    lasts,
                });
            }
            Err(Refused::Error(error)) => refusal(request, &id, &error),
            Err(Refused::Unknown(unknown)) => {
                fault::unknown_error(request, unknown, |error| transport_ws::error(&id, &[error]))
            }
        };
        self.session.over(&id);
        Ok(Heard::Refused(told))
    }

    /// Whether an operation may run; what is to be asked instead, if that is not what came, and whether it
    /// is a subscription.
    async fn judge(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        payload: &str,
    ) -> Result<(Option<Vec<u8>>, bool), Refused> {
        if self.session.in_flight() > self.max_in_flight {
            return Err(self.too_many().into());
        }
        let received = Received::Socket(Bytes::copy_from_slice(payload.as_bytes()));
        let mut operations: Vec<Operation> = Vec::new();
        let caller = request.consumer.clone();
        let examined = large::work(received.len(), || {
            self.graphql
                .examine(&received, caller.as_deref(), &mut operations)
        });
        note_more(request, &operations);
        let instead = examined?;
        for Operation { ty, name, cost } in &operations {
            if let Some(quotas) = &self.quotas {
                let spent = quotas.spend(request, headers, Unit::GraphqlCost, *cost);
                spent.await?;
            }
            let metrics = &self.graphql.metrics;
            metrics.operation(ty.name(), name.as_deref(), *cost);
        }
        let lasts = |operation: &Operation| operation.ty == Type::Subscription;
        Ok((instead, operations.iter().any(lasts)))
    }

    fn too_many(&self) -> GatewayError {
        let (max, found) = (self.max_in_flight, self.session.in_flight());
        let public = format!(
            "The limit of operations in flight is {max}, this would be one more; complete one, or open \
             another connection."
        );
        let mut error = GatewayError::public(Code::GraphqlLimitExceeded, public)
            .source(format_args!("in_flight: {found} already, at most {max}"));
        let figures = json!({ "name": "in_flight", "max": max, "found": found });
        error.member = Some(Box::new(("limit", figures)));
        error
    }
}

/// What a caller is told of an operation that does not run. It is counted as a request by itself would
/// be, and the first is what the log tells of the connection.
pub(super) fn refusal(request: &mut Request, id: &str, error: &GatewayError) -> Vec<u8> {
    let detail = || format!("an operation was refused: {error}");
    request.record.detail.get_or_insert_with(detail);
    if let Some(route) = &request.route {
        route.metrics.refused(error.code);
    }
    dialect::in_graphql(request, error, |error| transport_ws::error(id, &[error]))
}

/// How a connection ends on which that happened.
pub(super) fn closing(wrong: &Violation) -> Refusal {
    let error = GatewayError::public(Code::WebsocketMessageInvalid, wrong.to_string());
    Refusal::new(CloseCode(wrong.code()), error)
}
