//! An answer that is streamed.
//!
//! | Module | Knows |
//! |---|---|
//! | `scan` | events, as they pass |
//! | `meter` | what they use up, and whether there is room for more |
//! | `cut` | the end of a stream for which there is none |
//!
//! Bytes pass as they came. The usage report that the gateway asked for is held back from callers
//! who did not ask; a stream that breaks ends with an error event, never cleanly.

mod cut;
mod meter;
mod scan;

use bytes::{Bytes, BytesMut};
use weir_protocols::openai::error as openai_error;
use weir_protocols::sse::{Outgoing, write_event};
use weir_telemetry::Code;

pub(super) use cut::Cut;
pub(super) use meter::Meter;
use scan::{Passing, Scan};

use crate::error::GatewayError;
use crate::policy::quota;
use crate::proxy::{Downstream, Request};
use crate::upstream::{Body, Exchange, Incoming};

/// How a stream ended, if it did not break.
pub(super) enum Ended<'a> {
    /// By itself.
    Whole,
    /// For want of room: the caller is yet to be told.
    Cut(Cut, Box<Meter<'a>>),
}

/// Passes a stream on. `usage` is whether the caller asked for it.
pub(super) async fn pass<'a>(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    usage: bool,
    meter: Option<Meter<'a>>,
) -> Result<Ended<'a>, GatewayError> {
    let mut scan = Scan::new(usage, meter);
    match flow(request, down, exchange, body, &mut scan).await {
        Ok(()) => {}
        Err(Broken::Caller(error)) => return Err(error),
        Err(Broken::Stream(error)) => {
            if error.code != Code::ClientDisconnected {
                // The caller may be gone too; the failure is recorded either way.
                let _ = down.write_chunk(error_event(&error)).await;
            }
            return Err(error);
        }
    }
    match (scan.cut, scan.meter) {
        (Some(cut), Some(meter)) => Ok(Ended::Cut(cut, Box::new(meter))),
        (_, Some(mut meter)) => {
            meter.settle(request).await;
            meter.learn(request);
            Ok(Ended::Whole)
        }
        (_, None) => Ok(Ended::Whole),
    }
}

/// Why a stream did not come to an end.
enum Broken {
    /// The caller did not take it.
    Caller(GatewayError),
    /// It broke, and the caller is to be told.
    Stream(GatewayError),
}

/// Passes events until the stream ends or is cut.
async fn flow(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    scan: &mut Scan<'_>,
) -> Result<(), Broken> {
    loop {
        let incoming = exchange.next(request, down, body).await;
        match incoming.map_err(|stop| Broken::Stream(stop.into()))? {
            Incoming::Chunk(chunk) => {
                first_chunk(request);
                let passing = scan.pass(request, chunk).await.map_err(Broken::Stream)?;
                if let Some(usage) = request.usage {
                    quota::declare(request, usage);
                }
                show(down, scan, passing).await.map_err(Broken::Caller)?;
                if scan.cut.is_some() {
                    return Ok(());
                }
            }
            Incoming::End(trailers) => {
                if let Some(last) = scan.end(request).await {
                    down.write_event(last).await.map_err(Broken::Caller)?;
                }
                if scan.cut.is_some() {
                    return Ok(());
                }
                if scan.done {
                    return down.write_end(trailers).await.map_err(Broken::Caller);
                }
                let error = GatewayError::new(Code::HttpResponseIncomplete)
                    .source("the stream ended before [DONE]");
                return Err(Broken::Stream(error));
            }
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
}

async fn show(
    down: &mut Downstream,
    scan: &mut Scan<'_>,
    passing: Passing,
) -> Result<(), GatewayError> {
    match passing {
        Passing::Chunk(chunk) if down.response_filters.is_empty() => {
            down.write_chunk(chunk).await?;
        }
        Passing::Chunk(_) | Passing::Events => {
            for event in scan.events.drain(..) {
                down.write_event(event).await?;
            }
        }
    }
    scan.events.clear();
    Ok(())
}

fn first_chunk(request: &mut Request) {
    let since = request.began.elapsed();
    if let Some(llm) = &mut request.record.llm {
        llm.first_chunk.get_or_insert(since);
    }
}

fn error_event(error: &GatewayError) -> Bytes {
    let mut data = Vec::new();
    openai_error::write(
        &mut data,
        &openai_error::Error {
            message: &error.public,
            kind: "api_error",
            param: None,
            code: Some(error.code.slug()),
            extra: None,
        },
    );
    let mut out = BytesMut::new();
    let event = Outgoing {
        data: &data,
        ..Outgoing::default()
    };
    write_event(&mut out, &event).expect("no name and no id, so no line break in them");
    out.freeze()
}
