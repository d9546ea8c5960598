//! Answers the gateway gives itself: a policy's, an action's, an error in the caller's dialect.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use pingora_http::{RequestHeader, ResponseHeader};
use weir_protocols::problem;
use weir_telemetry::Code;

use super::dialect;
use super::downstream::{Answered, Downstream};
use super::filters::Filters;
use super::grpc;
use super::identify::REQUEST_ID;
use super::request::Request;
use crate::error::GatewayError;
use crate::runtime::Dialect;

/// The name of an error of ours.
pub(super) const WEIR_ERROR: HeaderName = HeaderName::from_static("weir-error");
/// The same as proxies say it.
pub(super) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// A whole answer of our own.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Header fields besides the framing.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Reply {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// An answer with a JSON body.
    pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let json = HeaderValue::from_static("application/json");
        Reply {
            status,
            headers: vec![(CONTENT_TYPE, json)],
            body: body.into(),
        }
    }

    /// Adds a header field.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Sends what an action answers by itself: response policies see its head as they see an
/// upstream's.
pub(crate) async fn answer(
    request: &mut Request,
    down: &mut Downstream,
    reply: Reply,
) -> Result<(), GatewayError> {
    let mut head = head_of(&reply)?;
    if let Some(route) = request.route.clone()
        && let Some(instead) = route.chain.after(request, down, &mut head, false).await?
    {
        return send(request, down, instead).await;
    }
    deliver(request, down, head, reply.body).await
}

/// Sends an answer of a policy's, or an error.
pub(crate) async fn send(
    request: &mut Request,
    down: &mut Downstream,
    reply: Reply,
) -> Result<(), GatewayError> {
    deliver(request, down, head_of(&reply)?, reply.body).await
}

fn head_of(reply: &Reply) -> Result<Box<ResponseHeader>, GatewayError> {
    let mut head = ResponseHeader::build_no_case(reply.status, Some(reply.headers.len() + 6))
        .map_err(|e| GatewayError::new(Code::InternalError).source(e))?;
    for (name, value) in &reply.headers {
        put(&mut head, name.clone(), value.clone());
    }
    Ok(Box::new(head))
}

async fn deliver(
    request: &mut Request,
    down: &mut Downstream,
    mut head: Box<ResponseHeader>,
    body: Bytes,
) -> Result<(), GatewayError> {
    request.record.status = head.status.as_u16();
    for (name, value) in request.answer_headers.drain(..) {
        put(&mut head, name, value);
    }
    put(
        &mut head,
        REQUEST_ID,
        text(request.record.request_id.to_string()),
    );
    if head.status != StatusCode::NO_CONTENT && head.status != StatusCode::NOT_MODIFIED {
        put(&mut head, CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let bodiless = body.is_empty() || down.head().method == Method::HEAD;
    down.skip_ready();
    // Our own answers are not an upstream's: response filters do not see their bodies.
    down.response_filters = Filters::default();
    if request.gateway.drain.closing() {
        down.close_after();
    }
    down.write_head(head, bodiless).await?;
    if !bodiless {
        down.write_own(body).await?;
    }
    down.write_end(None).await
}

/// Answers a failed request, or breaks off an answer already begun.
pub(crate) async fn fail(request: &mut Request, down: &mut Downstream, error: GatewayError) {
    note(request, down, &error);
    if down.answered() != Answered::Nothing {
        request.record.aborted = true;
        down.abort().await;
        return;
    }
    if error.code == Code::ClientDisconnected {
        down.abort().await;
        return;
    }
    let reply = render(request, down.head(), &error);
    if let Err(unsent) = send(request, down, reply).await {
        request.record.aborted = true;
        request
            .record
            .detail
            .get_or_insert_with(|| unsent.to_string());
        down.abort().await;
    }
}

/// Writes down why the request failed. A status that is already out stays what it was.
pub(crate) fn note(request: &mut Request, down: &Downstream, error: &GatewayError) {
    request.record.code = Some(error.code);
    request.record.detail.clone_from(&error.source);
    grpc::failed(request, error);
    if down.answered() == Answered::Nothing {
        request.record.status = error.code.status();
    }
}

/// An error as its caller's dialect writes it.
pub(crate) fn render(request: &Request, head: &RequestHeader, error: &GatewayError) -> Reply {
    let body = match request.dialect {
        Dialect::Grpc(wire) => return grpc::reply(request, head, wire, error),
        Dialect::Rpc => grpc::json(request, error),
        Dialect::Problem => problem(request, error),
        dialect => dialect::own(request, dialect, error),
    };
    let content_type = dialect::content_type(request.dialect);
    let mut reply = Reply {
        status: dialect::status(request.dialect, error),
        headers: Vec::with_capacity(6),
        body,
    };
    reply
        .headers
        .push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
    reply
        .headers
        .push((WEIR_ERROR, HeaderValue::from_static(error.code.slug())));
    reply.headers.push((PROXY_STATUS, proxy_status(error)));
    reply
        .headers
        .extend(retry_after(error).map(|after| (RETRY_AFTER, after)));
    reply.headers.extend(error.headers.iter().cloned());
    reply
}

/// When to come back, in seconds.
pub(super) fn retry_after(error: &GatewayError) -> Option<HeaderValue> {
    let after = error.retry_after?;
    // Rounded up: a caller that comes back too early is refused again.
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    Some(HeaderValue::from(seconds.max(1)))
}

/// RFC 9209, with our slug as the details.
pub(super) fn proxy_status(error: &GatewayError) -> HeaderValue {
    text(format!(
        "weir; error={}; details=\"{}\"",
        error.code.proxy_error(),
        error.code
    ))
}

/// An error as a problem document (RFC 9457).
pub(crate) fn problem(request: &Request, error: &GatewayError) -> Bytes {
    problem::Problem {
        type_uri: &request.gateway.runbook_url(error.code),
        title: error.code.title(),
        status: error.code.status(),
        detail: Some(&error.public),
        instance: None,
        code: error.code.slug(),
        request_id: Some(request.record.request_id.as_str()),
        trace_id: Some(&request.record.trace.trace_id_hex()),
        extra: error.member.as_deref().map_or(&[], std::slice::from_ref),
    }
    .to_json()
    .into()
}

/// A header value of text we made ourselves.
pub(super) fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
}

fn put(head: &mut ResponseHeader, name: HeaderName, value: HeaderValue) {
    head.append_header(name, value)
        .expect("a typed header is valid");
}
