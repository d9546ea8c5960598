//! One call of a source beside the caller's request: its head, and how it goes.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pingora_http::RequestHeader;
use weir_telemetry::Code;

use super::calls::{Call, Fault, Outcome, What};
use super::{document, grpc, rest};
use crate::error::GatewayError;
use crate::proxy::identify::{REQUEST_ID, WEIR_CONSUMER, WEIR_TEAM};
use crate::proxy::{Downstream, Request};
use crate::upstream::{self, Body, Upstream};

/// The longest answer that is read, in bytes.
pub(super) const MAX_ANSWER: usize = 8 << 20;

/// Who answers for a part of the graph.
pub(super) struct Source {
    /// Where it is.
    pub(super) upstream: Arc<Upstream>,
    /// What of the caller's head goes along.
    pub(super) headers: Vec<HeaderName>,
}

/// What is sent to a source.
pub(super) struct Sent<'a> {
    /// The method.
    pub(super) method: &'a Method,
    /// The path and the query; what is put into them is escaped.
    pub(super) target: &'a str,
    /// The media type that is wanted.
    pub(super) accept: HeaderValue,
    /// The body, as JSON.
    pub(super) body: Option<&'a Bytes>,
}

impl Source {
    /// What of the caller's head goes along with a call.
    pub(super) fn along(&self, head: &HeaderMap) -> HeaderMap {
        let mut along = HeaderMap::new();
        for name in &self.headers {
            for value in head.get_all(name) {
                along.append(name.clone(), value.clone());
            }
        }
        along
    }

    /// Makes calls beside the caller's request: one, or several that go together. What comes of each.
    pub(super) async fn call(
        &self,
        calls: &[&Call],
        along: HeaderMap,
        request: &mut Request,
    ) -> Vec<Outcome> {
        let Some(call) = calls.first() else {
            return Vec::new();
        };
        let asked = async {
            let mut down = Downstream::aside().await?;
            self.answer(calls, call, &along, request, &mut down).await
        };
        match asked.await {
            Ok(outcomes) => outcomes,
            Err(error) => vec![Err(failed(call, &error)); calls.len()],
        }
    }

    /// What comes of calls, of which `first` says how they go.
    async fn answer(
        &self,
        calls: &[&Call],
        first: &Call,
        along: &HeaderMap,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Vec<Outcome>, GatewayError> {
        match &first.what {
            What::Rest {
                method,
                target,
                body,
            } => {
                let sent = rest::sent(method, target, body.as_ref());
                let (status, body) = self.exchange(&sent, along, request, down).await?;
                Ok(vec![rest::read(first, status, &body)])
            }
            What::Grpc {
                called, message, ..
            } => {
                let answer = grpc::call(self, (called, message), along, request, down).await?;
                Ok(vec![grpc::read(first, answer)])
            }
            What::Graphql(ask) => {
                let asks: Vec<_> = calls.iter().filter_map(|call| call.ask()).collect();
                let document = document::body(&asks);
                let sent = document::sent(&ask.endpoint, &document);
                let (status, body) = self.exchange(&sent, along, request, down).await?;
                Ok(document::read(first, &asks, status, &body))
            }
        }
    }

    /// The status and the body that come back.
    async fn exchange(
        &self,
        sent: &Sent<'_>,
        along: &HeaderMap,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(u16, Bytes), GatewayError> {
        let mut call = upstream::Call {
            body: sent.body.cloned().map_or(Body::None, Body::Whole),
            hash_key: None,
            deadline: Instant::now() + self.upstream.timeouts.total,
            hasty: false,
        };
        let head = |request: &Request, _: &Downstream, span| self.head(sent, along, request, span);
        let answer = upstream::call(&self.upstream, request, down, &mut call, head).await?;
        let status = answer.head.status.as_u16();
        let too_long = || {
            GatewayError::new(Code::HttpProtocolError)
                .source(format!("its answer is longer than {MAX_ANSWER} bytes"))
        };
        let reading = answer
            .exchange
            .whole(request, down, &mut call.body, MAX_ANSWER, too_long);
        Ok((status, reading.await?))
    }

    /// The head of an attempt.
    pub(super) fn head(
        &self,
        sent: &Sent<'_>,
        along: &HeaderMap,
        request: &Request,
        span: [u8; 8],
    ) -> RequestHeader {
        let target = sent.target.as_bytes();
        let mut head = RequestHeader::build_no_case(sent.method.clone(), target, Some(12))
            .expect("paths are checked, and what is put into them is escaped");
        let mut put = |name: HeaderName, value: HeaderValue| {
            head.append_header(name, value)
                .expect("a typed header is valid");
        };
        for (name, value) in along {
            put(name.clone(), value.clone());
        }
        let host = HeaderValue::from_str(self.upstream.authority());
        put(HOST, host.unwrap_or(HeaderValue::from_static("source")));
        put(ACCEPT, sent.accept.clone());
        if let Some(body) = sent.body {
            put(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            put(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let record = &request.record;
        let consumer = request.consumer.as_deref();
        let told = [
            (REQUEST_ID, Some(record.request_id.as_str().to_owned())),
            (
                HeaderName::from_static("traceparent"),
                Some(record.trace.traceparent_of(span).to_string()),
            ),
            (
                HeaderName::from_static("tracestate"),
                record.trace.state.clone(),
            ),
            (WEIR_CONSUMER, consumer.map(|c| c.name.to_string())),
            (
                WEIR_TEAM,
                consumer.and_then(|c| c.team.as_ref().map(ToString::to_string)),
            ),
        ];
        for (name, value) in told {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                put(name, value);
            }
        }
        head
    }
}

fn failed(call: &Call, error: &GatewayError) -> Arc<Fault> {
    Arc::new(Fault {
        code: error.code.slug(),
        message: error.public.clone().into_owned(),
        source: Some(call.source),
        status: None,
    })
}
