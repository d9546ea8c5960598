//! One call of a source by HTTP and JSON: its head, and what its answer says.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora_http::RequestHeader;
use serde_json::Value as Json;
use weir_telemetry::Code;

use super::calls::{Call, Fault, Outcome};
use crate::error::GatewayError;
use crate::large;
use crate::proxy::identify::{REQUEST_ID, WEIR_CONSUMER, WEIR_TEAM};
use crate::proxy::{Aside, Downstream, Request};
use crate::upstream::{self, Body, Upstream};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 8 << 20;

/// Who answers for a part of the graph.
pub(super) struct Source {
    /// Where it is.
    pub(super) upstream: Arc<Upstream>,
    /// What of the caller's head goes along.
    pub(super) headers: Vec<HeaderName>,
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

    /// Makes a call beside the caller's request.
    pub(super) async fn call(
        &self,
        call: &Call,
        along: HeaderMap,
        request: &mut Request,
        down: Aside,
    ) -> Outcome {
        let asked = async {
            let mut down = down.begin().await?;
            self.exchange(call, &along, request, &mut down).await
        };
        let (status, body) = asked.await.map_err(|error| failed(call, &error))?;
        if !(200..300).contains(&status) {
            return Err(refused(call, status));
        }
        if body.is_empty() {
            return Ok(Arc::new(Json::Null));
        }
        let read = large::work(body.len(), || serde_json::from_slice(&body));
        read.map(Arc::new).map_err(|_| no_json(call))
    }

    /// The status and the body that come back.
    async fn exchange(
        &self,
        asked: &Call,
        along: &HeaderMap,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(u16, Bytes), GatewayError> {
        let mut call = upstream::Call {
            body: asked.body.clone().map_or(Body::None, Body::Whole),
            hash_key: None,
            deadline: Instant::now() + self.upstream.timeouts.total,
            hasty: false,
        };
        let head = |request: &Request, _: &Downstream, span| self.head(asked, along, request, span);
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

    fn head(
        &self,
        call: &Call,
        along: &HeaderMap,
        request: &Request,
        span: [u8; 8],
    ) -> RequestHeader {
        let target = call.target.as_bytes();
        let mut head = RequestHeader::build_no_case(call.method.clone(), target, Some(12))
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
        put(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(body) = &call.body {
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

fn refused(call: &Call, status: u16) -> Arc<Fault> {
    Arc::new(Fault {
        code: "source_status",
        message: format!("The source answered {status}."),
        source: Some(call.source),
        status: Some(status),
    })
}

fn no_json(call: &Call) -> Arc<Fault> {
    Arc::new(Fault {
        code: "source_answer_invalid",
        message: "The source answered something that is no JSON.".to_owned(),
        source: Some(call.source),
        status: None,
    })
}
