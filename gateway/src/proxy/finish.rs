//! The last stage: settle, record, tell. Runs exactly once per request, whatever ended it.
//!
//! It is called from a destructor, because a task may be dropped at any await; so it never waits.

use std::sync::atomic::Ordering;

use weir_telemetry::Handles;

use super::downstream::{Answered, Downstream};
use super::grpc;
use super::request::Request;

impl Request {
    /// Takes over from the caller's side what the record needs of it.
    pub(super) fn close(&mut self, down: &Downstream) {
        let (received, sent) = down.bytes();
        self.record.request_bytes = received;
        self.record.response_bytes = sent;
        self.waits.client += down.waited();
        if let (Some(call), Some(messages)) = (&mut self.record.rpc, &self.messages) {
            call.request_messages = messages.load(Ordering::Relaxed);
        }
    }
}

/// Finishes a request. `down` is there if the way was broken off by the task being dropped.
pub(super) fn finish(mut request: Box<Request>, down: Option<&Downstream>) {
    if let Some(down) = down {
        request.close(down);
        broken_off(&mut request, down);
    }
    request.take_in(usize::MAX);
    grpc::settle(&mut request);
    request.record.duration = request.began.elapsed();
    request.record.upstream_wait = request.waits.upstream;
    request.record.gateway_time = request
        .record
        .duration
        .saturating_sub(request.waits.upstream)
        .saturating_sub(request.waits.client);
    crate::policy::quota::settle(&mut request);
    if let Some(route) = &request.route {
        route.chain.finish(&request);
    }
    for (attempt, metrics) in request
        .record
        .attempts
        .iter()
        .zip(&request.upstream_metrics)
    {
        metrics.attempt(attempt);
    }
    crate::usage::tell(&request);
    tell(request);
}

/// The task was dropped before the way was over: by shutdown, or by a panic outside of it.
fn broken_off(request: &mut Request, down: &Downstream) {
    let (elapsed, code) = (request.began.elapsed(), request.cut());
    let record = &mut request.record;
    if let Some(attempt) = record.attempts.last_mut()
        && attempt.total.is_zero()
    {
        attempt.total = elapsed.saturating_sub(attempt.started);
    }
    record.aborted = down.answered() != Answered::Whole;
    if record.aborted && record.code.is_none() {
        record.code = Some(code);
        if record.status == 0 {
            record.status = code.status();
        }
    }
}

/// Hands the record over: nothing can be written into it any more.
fn tell(request: Box<Request>) {
    let Request {
        gateway,
        connection,
        record,
        route,
        model_metrics,
        content,
        topic_metrics,
        websocket_metrics,
        ..
    } = *request;
    let handles = Handles {
        listener: &connection.metrics,
        route: route.as_ref().map(|route| &*route.metrics),
        models: &model_metrics,
        topic: topic_metrics.as_deref(),
        websocket: websocket_metrics.as_deref(),
    };
    gateway.telemetry.finish_with(record, handles, content);
}
