//! One call of a receiver: by the one way upstreams are called, counted by the webhook's quotas.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use weir_telemetry::Code;

use super::Webhook;
use super::message::{self, Message};
use super::verdict;
use crate::error::GatewayError;
use crate::kafka::group::Task;
use crate::policy::quota::{Bound, Usage};
use crate::proxy::Errand;
use crate::quota::{Amounts, Provenance, Unit};
use crate::upstream::{self, Answer, Body, Call};
use crate::workers::Fate;

/// So much of an answer is read, for its connection to be used again; nobody looks at it.
const MOST: usize = 64 << 10;

impl Webhook {
    /// Sends a record once; writes down in the errand what came of it.
    pub(super) async fn send(self: &Arc<Self>, errand: &mut Errand, task: &Task) -> Fate {
        let shown = match self.show(errand, task).await {
            Ok(shown) => shown,
            Err(fate) => return fate,
        };
        let (request, _) = errand.parts();
        let asked = request.record.attempts.len();
        let message = match Message::new(&self.config, task, &shown) {
            Ok(message) => message,
            Err(fate) => return fate,
        };
        if let Err(error) = self.charge(errand, &message).await {
            return verdict::of_quota(&error);
        }
        match self.call(errand, message).await {
            Ok(fate) => fate,
            Err(error) => {
                let (request, _) = errand.parts();
                verdict::of_error(&error, request.record.attempts.len() > asked)
            }
        }
    }

    /// Takes from the quotas what is about to be sent.
    async fn charge(&self, errand: &mut Errand, message: &Message) -> Result<(), GatewayError> {
        let (request, _) = errand.parts();
        let amounts = Amounts::default().with(Unit::KafkaBytes, message.body.len() as u64);
        let bound = Bound {
            amounts,
            ..Bound::default()
        };
        let nothing = HeaderMap::new();
        let reserved = self.quotas.reserve(request, &nothing, bound).await;
        reserved.map_err(|refused| self.quotas.refused(&refused))?;
        request.usage = Some(Usage {
            amounts,
            provenance: Provenance::Counted,
        });
        Ok(())
    }

    async fn call(&self, errand: &mut Errand, message: Message) -> Result<Fate, GatewayError> {
        let (request, down) = errand.parts();
        let config = &self.config;
        request.record.method = message::method(config.method)
            .parse()
            .expect("a method's name is one");
        request.record.path = config.path.split('?').next().unwrap_or_default().to_owned();
        request.record.host = self.upstream.authority().to_owned();
        request.record.request_bytes = message.body.len() as u64;
        let mut call = Call {
            body: Body::Whole(message.body.clone()),
            hash_key: None,
            deadline: Instant::now() + config.timeout,
            hasty: false,
        };
        let authority = self.upstream.authority();
        let head = |request: &crate::proxy::Request, _: &crate::proxy::Downstream, span| {
            message.head(config, authority, &request.record.trace, span)
        };
        let answer = upstream::call(&self.upstream, request, down, &mut call, head).await?;
        let Answer { head, exchange } = answer;
        request.record.status = head.status.as_u16();
        let too_long = || GatewayError::new(Code::HttpProtocolError).source("a long answer");
        let read = exchange.whole(request, down, &mut call.body, MOST, too_long);
        // The head has said all there is to know.
        if let Ok(body) = read.await {
            request.record.response_bytes = body.len() as u64;
        }
        Ok(verdict::of_answer(head.status, &head.headers))
    }
}
