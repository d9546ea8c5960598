//! The end of a connection whose head was refused: an answer, a record, a close.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::StatusCode;
use pingora_core::protocols::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weir_protocols::problem::Problem;
use weir_telemetry::record::Record;
use weir_telemetry::trace::{Context, RequestId};
use weir_telemetry::{Code, Handles};

use super::guard::Refusal;
use crate::gateway::Gateway;
use crate::proxy::Connection;

/// Answers a refused head, records it and closes.
pub(crate) async fn refuse(
    gateway: &Gateway,
    connection: &Arc<Connection>,
    mut stream: Stream,
    seen: &BytesMut,
    refusal: Refusal,
    begun: Instant,
) {
    let request_id = RequestId::random();
    let mut record = Record::begin(
        request_id.clone(),
        Context::root(),
        connection.listener.clone(),
        connection.peer.ip().to_canonical(),
    );
    record.peer = Some(connection.peer);
    record.tls = connection.tls;
    record.code = Some(refusal.code);
    record.status = refusal.code.status();
    record.detail = Some(refusal.reason.to_owned());
    record.config_revision = gateway.snapshot().revision;
    if refusal.code != Code::ClientDisconnected {
        let answer = answer(gateway, &refusal, &request_id, &record);
        record.response_bytes = answer.len() as u64;
        // A client that sends garbage may not read either: it gets a second.
        let _ = tokio::time::timeout(LINGER, say_goodbye(&mut stream, &answer)).await;
    }
    record.request_bytes = seen.len() as u64;
    record.duration = begun.elapsed();
    record.gateway_time = Duration::ZERO;
    gateway.telemetry.finish(record, Handles::of(&connection.metrics));
}

const LINGER: Duration = Duration::from_secs(1);

/// Closing with unread bytes would reset the connection and take the answer with it, so what
/// still comes is read away first.
async fn say_goodbye(stream: &mut Stream, answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

fn answer(gateway: &Gateway, refusal: &Refusal, id: &RequestId, record: &Record) -> Vec<u8> {
    let code = refusal.code;
    let body = Problem {
        type_uri: &gateway.runbook_url(code),
        title: code.title(),
        status: code.status(),
        detail: Some(refusal.reason),
        instance: None,
        code: code.slug(),
        request_id: Some(id.as_str()),
        trace_id: Some(&record.trace.trace_id_hex()),
        extra: &[],
    }
    .to_json();
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         weir-error: {code}\r\nproxy-status: weir; error={}; details=\"{code}\"\r\n\
         x-request-id: {id}\r\nconnection: close\r\n\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
        code.proxy_error(),
    );
    [head.into_bytes(), body].concat()
}
