//! A subscription that is answered by events (GraphQL over Server-Sent Events, distinct connections mode).
//!
//! It ends when its caller leaves, when the gateway does, or when it can go on no more; then an event says
//! why, and the answer breaks off: clients subscribe anew.

use std::pin::pin;
use std::time::{Duration, Instant};

use async_graphql::BatchResponse;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use tokio::time::sleep;
use weir_protocols::graphql::response::{self, MediaType};
use weir_telemetry::Code;

use super::following::Following;
use super::{Composed, answer, read};
use crate::action::graphql::MOST_TOLD;
use crate::error::GatewayError;
use crate::proxy::{Beside, Downstream, Request, dialect, reply, respond};

/// How long a caller is told nothing before it is told that the stream lives on.
const SILENCE: Duration = Duration::from_secs(15);

impl Composed {
    /// Answers a subscription until it ends.
    pub(in super::super) async fn stream(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        asked: &[u8],
    ) -> Result<(), GatewayError> {
        let mut following = {
            let consumer = request.consumer.as_ref();
            let mut beginning = pin!(self.follow(read(asked)?, consumer));
            loop {
                tokio::select! {
                    biased;
                    following = &mut beginning => break following?,
                    gone = down.read() => { gone?; }
                }
            }
        };
        if let Some(instead) = respond::head(request, down, head()?, false).await? {
            return reply::send(request, down, instead).await;
        }
        down.flush().await?;
        let mut beside = request.aside();
        let headers = down.head().headers.clone();
        loop {
            let next = next(request, down, &mut following, (&mut beside, &headers)).await;
            request.take_in(MOST_TOLD);
            let told = next.and_then(|answers| answer::body(request, answers));
            match told {
                Ok(result) => {
                    let mut event = Vec::with_capacity(result.len() + 32);
                    response::write_next(&mut event, &result);
                    down.write_event(event.into()).await?;
                }
                Err(error) => return Err(broken(request, down, error).await),
            }
        }
    }
}

/// What comes of the next record, while the caller is there; told now and then that it lives on.
async fn next(
    request: &mut Request,
    down: &mut Downstream,
    following: &mut Following<'_>,
    (beside, headers): (&mut Beside, &HeaderMap),
) -> Result<BatchResponse, GatewayError> {
    let mut next = pin!(following.next(beside, headers));
    loop {
        if down.unsent() {
            down.flush().await?;
        }
        let began = Instant::now();
        let mut silent = false;
        let came = tokio::select! {
            biased;
            () = request.gateway.drain.must_end() => {
                let error = GatewayError::new(Code::Draining);
                Some(Err(error.source("it had not ended when the drain timeout passed")))
            }
            next = &mut next => Some(next),
            gone = down.read() => gone.err().map(Err),
            () = sleep(SILENCE) => {
                silent = true;
                None
            }
        };
        request.waits.upstream += began.elapsed();
        if let Some(came) = came {
            return came;
        }
        if silent {
            down.write_event(Bytes::from_static(b":\n\n")).await?;
        }
    }
}

fn head() -> Result<Box<ResponseHeader>, GatewayError> {
    let wrong = |error| GatewayError::new(Code::InternalError).source(error);
    let mut head = ResponseHeader::build_no_case(StatusCode::OK, Some(4)).map_err(wrong)?;
    for (name, value) in [
        (CONTENT_TYPE, MediaType::EventStream.content_type()),
        (CACHE_CONTROL, "no-cache"),
    ] {
        let value = HeaderValue::from_static(value);
        head.insert_header(name, value).map_err(wrong)?;
    }
    Ok(Box::new(head))
}

/// Tells the caller why it goes on no more, if it is there.
async fn broken(request: &Request, down: &mut Downstream, error: GatewayError) -> GatewayError {
    if error.code != Code::ClientDisconnected {
        let event = dialect::in_graphql(request, &error, |error| {
            let (mut result, mut event) = (Vec::new(), Vec::new());
            response::write(&mut result, &[error]);
            response::write_next(&mut event, &result);
            event
        });
        // It may be gone too; the failure is recorded either way.
        let _ = down.write_own(event.into()).await;
        let _ = down.flush().await;
    }
    error
}
