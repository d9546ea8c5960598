//! The way back: an upstream's answer through the response policies to the caller.

use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use pingora_http::ResponseHeader;
use weir_telemetry::Code;

use super::downstream::Downstream;
use super::head;
use super::identify::REQUEST_ID;
use super::reply::{self, Reply};
use super::request::Request;
use crate::error::GatewayError;
use crate::upstream::{Answer, Body, Exchange, Incoming};

/// Runs the response policies and sends the head. `Some` when a policy answered instead.
pub(crate) async fn head(
    request: &mut Request,
    down: &mut Downstream,
    mut answer: Box<ResponseHeader>,
    bodiless: bool,
) -> Result<Option<Reply>, GatewayError> {
    head::strip_answer(&mut answer);
    if let Some(route) = request.route.clone()
        && let Some(reply) = route
            .chain
            .after(request, down, &mut answer, !bodiless)
            .await?
    {
        return Ok(Some(reply));
    }
    if !down.response_filters.is_empty() {
        // What a filter makes of the body has another length.
        answer.remove_header(&CONTENT_LENGTH);
    }
    for (name, value) in request.answer_headers.drain(..) {
        answer
            .append_header(name, value)
            .expect("a typed header is valid");
    }
    answer
        .insert_header(REQUEST_ID, request.record.request_id.as_str())
        .expect("a request id is a valid value");
    request.record.status = answer.status.as_u16();
    if request.gateway.drain.closing() {
        down.close_after();
    }
    down.write_head(answer, bodiless).await?;
    Ok(None)
}

/// Passes on a whole answer, chunk by chunk, while the request body may still be going up.
pub(crate) async fn stream(
    request: &mut Request,
    down: &mut Downstream,
    answer: Answer,
    body: &mut Body,
) -> Result<(), GatewayError> {
    let Answer {
        head: answer_head,
        mut exchange,
    } = answer;
    if answer_head.status == StatusCode::SWITCHING_PROTOCOLS && !head::wants_upgrade(down.head()) {
        let error = GatewayError::new(Code::HttpProtocolError).source("nobody asked for this 101");
        exchange.abandon(request, &error);
        return Err(error);
    }
    let bodiless = down.head().method == Method::HEAD || exchange.bodiless();
    if let Some(reply) = head(request, down, answer_head, bodiless).await? {
        return reply::send(request, down, reply).await;
    }
    match pump(request, down, &mut exchange, body).await {
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

async fn pump(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
) -> Result<(), GatewayError> {
    if exchange.has_left_http() {
        down.tunnel()?;
    }
    loop {
        match exchange.next(request, down, body).await? {
            Incoming::Chunk(chunk) => down.write_chunk(chunk).await?,
            Incoming::End(trailers) => return down.write_end(trailers).await,
            // The final head is out; nothing more can be said with one.
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
}
