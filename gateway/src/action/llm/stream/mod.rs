//! An answer that is streamed.
//!
//! | Module | Knows |
//! |---|---|
//! | `flow` | events, as they pass |
//! | `meter` | what they use up, and whether there is room for more |
//! | `cut` | the end of a stream for which there is none |
//! | `silence` | when the caller of a silent stream is to be told that it lives on |
//!
//! The caller is sent nothing before the model has said something: until then, somebody else can be
//! asked. A stream that breaks after that ends with an error event, never cleanly.

mod cut;
mod flow;
mod meter;
mod silence;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use weir_telemetry::Code;
use weir_telemetry::code::Fault;

use flow::Flow;
use meter::Meter;
use silence::Silence;

use super::answer::Wanted;
use super::budget::Budget;
use super::events::ping;
use super::fault::{self, Failed};
use crate::error::GatewayError;
use crate::policy::quota;
use crate::proxy::{Downstream, Request, reply, respond};
use crate::upstream::{Body, Exchange, Incoming};

/// Passes a stream on.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    head: Box<ResponseHeader>,
    mut exchange: Exchange,
    body: &mut Body,
    wanted: Wanted<'_>,
    budget: Option<&mut Budget<'_>>,
) -> Result<(), Failed> {
    let meter = budget.map(|budget| Meter::new(budget, wanted.choices));
    let mut flow = Flow::new(&wanted, meter);
    if let Err(failed) = gate(request, down, &mut exchange, body, &mut flow).await {
        exchange.abandon(request, failed.error());
        if flow.heard {
            flow.settle(request).await;
        }
        return Err(failed);
    }
    wanted.turn.spoke(request, true);
    let head = answer_head(head, &wanted)?;
    if let Some(answered) = respond::head(request, down, head, false).await? {
        return Ok(reply::send(request, down, answered).await?);
    }
    flow.coalesces = down.response_filters.is_empty();
    let silence = Silence::new(wanted.keep_alive, ping(wanted.caller));
    match run(request, down, &mut exchange, body, &mut flow, silence).await {
        Ok(()) => {}
        Err(broken) => {
            let (error, tell) = match broken {
                Broken::Caller(error) => (error, false),
                Broken::Stream(error) => {
                    let tell = error.code != Code::ClientDisconnected;
                    (error, tell)
                }
            };
            if tell {
                // The caller may be gone too; the failure is recorded either way.
                let _ = down.write_own(flow.failed(&error)).await;
            }
            exchange.abandon(request, &error);
            flow.settle(request).await;
            return Err(Failed::Final(error));
        }
    }
    // If it was not read to its end, this closes it: the provider shall stop before the caller, who
    // may be slow, is told.
    exchange.finish(request);
    if flow.cut.is_some() && flow.release().is_ok() {
        show(down, &mut flow).await?;
    }
    match (flow.cut.take(), &mut flow.meter) {
        (Some(cut), Some(meter)) => {
            cut.tell(request, down, meter, &mut flow.sink).await?;
            // It is not all that there was to say.
            flow.tape = None;
        }
        (_, Some(meter)) => {
            meter.settle(request).await;
            meter.learn(request);
        }
        (_, None) => {}
    }
    if let (Some(keeping), Some(tape)) = (&wanted.keeping, flow.tape.take()) {
        keeping.stream(tape);
    }
    Ok(())
}

/// Reads until the model has said something.
async fn gate(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    flow: &mut Flow<'_, '_>,
) -> Result<(), Failed> {
    while !flow.begun && flow.cut.is_none() {
        match exchange.next(request, down, body).await? {
            Incoming::Chunk(chunk) => flow.take(request, chunk).await.map_err(failed)?,
            Incoming::End(_) => {
                flow.end(request).await.map_err(failed)?;
                if !flow.begun {
                    let error = GatewayError::new(Code::ProviderResponseInvalid)
                        .source("the stream ended before the model said anything");
                    return Err(Failed::Next(error));
                }
                flow.ended = true;
            }
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
    Ok(())
}

/// What a policy does not let pass would be no better from anybody else.
fn failed(error: GatewayError) -> Failed {
    match error.code.fault() {
        Fault::Policy => Failed::Final(error),
        _ => Failed::Next(error),
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
async fn run(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    flow: &mut Flow<'_, '_>,
    mut silence: Silence,
) -> Result<(), Broken> {
    let mut trailers = None;
    loop {
        if let Some(usage) = request.usage {
            quota::declare(request, usage);
        }
        if show(down, flow).await.map_err(Broken::Caller)? {
            silence.broken();
        }
        if flow.cut.is_some() {
            return Ok(());
        }
        if flow.ended {
            break;
        }
        let until = silence.until();
        let incoming = exchange.next_or_silence(request, down, body, until).await;
        let Some(incoming) = incoming.map_err(|stop| Broken::Stream(stop.into()))? else {
            flow.ready.push(silence.ping());
            continue;
        };
        match incoming {
            Incoming::Chunk(chunk) => {
                if let Err(error) = flow.take(request, chunk).await {
                    // What came before it in the same piece was said.
                    show(down, flow).await.map_err(Broken::Caller)?;
                    return Err(Broken::Stream(error));
                }
            }
            Incoming::End(last) => {
                flow.end(request).await.map_err(Broken::Stream)?;
                trailers = last;
                flow.ended = true;
            }
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
    if flow.done {
        return down.write_end(trailers).await.map_err(Broken::Caller);
    }
    let error = GatewayError::new(Code::HttpResponseIncomplete)
        .source("the stream ended without the end that its dialect has");
    Err(Broken::Stream(error))
}

/// Sends what is ready; whether there was anything.
async fn show(down: &mut Downstream, flow: &mut Flow<'_, '_>) -> Result<bool, GatewayError> {
    let any = !flow.ready.is_empty();
    if flow.coalesces && flow.ready.len() > 1 {
        let all = flow.ready.concat();
        flow.ready.clear();
        flow.ready.push(all.into());
    }
    for bytes in flow.ready.drain(..) {
        down.write_event(bytes).await?;
    }
    Ok(any)
}

/// The head of the answer: the provider's, or one of ours where the body is.
fn answer_head(
    mut head: Box<ResponseHeader>,
    wanted: &Wanted<'_>,
) -> Result<Box<ResponseHeader>, GatewayError> {
    if wanted.is_alike() {
        // An event may be hidden or added, so that it has no length known before.
        head.remove_header(&CONTENT_LENGTH);
        return Ok(head);
    }
    let sent = match wanted.array {
        true => "application/json",
        false => "text/event-stream",
    };
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static(sent)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    fault::head(StatusCode::OK, fields)
}
