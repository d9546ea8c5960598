//! A subscriber that is told by server-sent events (HTML, 9.2). Each carries the cursor after it as its id,
//! which pages send when they come again. It ends when the subscriber leaves, when the gateway does, or when
//! it can go on no more: then an event says why, and the answer breaks off.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use tokio::time::sleep;
use weir_telemetry::Code;

use super::course::Course;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request, reply, respond};

/// How long a subscriber is told nothing before it is told where it is.
pub(in crate::action) const SILENCE: Duration = Duration::from_secs(15);

/// Answers until it ends.
pub(super) async fn run(
    request: &mut Request,
    down: &mut Downstream,
    mut course: Course<'_>,
) -> Result<(), GatewayError> {
    request.record.long_lived = true;
    if let Some(instead) = respond::head(request, down, head()?, false).await? {
        return reply::send(request, down, instead).await;
    }
    // So that who leaves before the first record can come again and misses none.
    let mut first = Vec::new();
    course.voice.here(&mut first, course.at());
    down.write_event(first.into()).await?;
    down.flush().await?;
    loop {
        let next = next(request, down, &mut course).await;
        course.tally.note(request);
        match next {
            Ok(told) => down.write_event(told).await?,
            Err(error) => return Err(broken(request, down, &course, error).await),
        }
    }
}

/// What it is told next, while it is there; now and then where it is.
pub(super) async fn next(
    request: &mut Request,
    down: &mut Downstream,
    course: &mut Course<'_>,
) -> Result<Bytes, GatewayError> {
    loop {
        if down.unsent() {
            down.flush().await?;
        }
        let began = Instant::now();
        let came = tokio::select! {
            biased;
            () = request.gateway.drain.must_end() => {
                let error = GatewayError::new(Code::Draining);
                Some(Err(error.source("it had not ended when the drain timeout passed")))
            }
            next = course.next() => Some(next),
            gone = down.read() => gone.err().map(Err),
            () = sleep(SILENCE) => {
                let mut here = Vec::new();
                course.voice.here(&mut here, course.at());
                Some(Ok(here.into()))
            }
        };
        request.waits.upstream += began.elapsed();
        if let Some(came) = came {
            return came;
        }
    }
}

pub(in crate::action) fn head() -> Result<Box<ResponseHeader>, GatewayError> {
    let wrong = |error| GatewayError::new(Code::InternalError).source(error);
    let mut head = ResponseHeader::build_no_case(StatusCode::OK, Some(4)).map_err(wrong)?;
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache"),
    ] {
        let value = HeaderValue::from_static(value);
        head.insert_header(name, value).map_err(wrong)?;
    }
    Ok(Box::new(head))
}

/// Tells the subscriber why it goes on no more, if it is there.
async fn broken(
    request: &Request,
    down: &mut Downstream,
    course: &Course<'_>,
    error: GatewayError,
) -> GatewayError {
    if error.code != Code::ClientDisconnected {
        let problem = reply::problem(request, &error);
        let mut event = Vec::new();
        course.voice.failure(&mut event, &problem);
        // It may be gone too; the failure is recorded either way.
        let _ = down.write_own(event.into()).await;
        let _ = down.flush().await;
    }
    error
}
