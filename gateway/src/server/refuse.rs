//! The end of a connection whose head was refused: an answer, a record, a close.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_error::BError;
use pingora_http::ResponseHeader;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weir_protocols::problem::Problem;
use weir_telemetry::record::Record;
use weir_telemetry::trace::{Context, RequestId};
use weir_telemetry::{Code, Handles};

use super::guard::Refusal;
use crate::gateway::Gateway;
use crate::proxy::Connection;

/// What is left of a connection whose head is refused.
pub(crate) enum Caller {
    /// The bare stream: nothing but the guard has seen the head.
    Stream(Stream),
    /// Pingora's session, which refused a head that the guard let through.
    Session(Box<ServerSession>),
}

/// Answers a refused head, records it and closes.
pub(crate) async fn refuse(
    gateway: &Gateway,
    connection: &Arc<Connection>,
    caller: Caller,
    seen: usize,
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
        let body = problem(gateway, &refusal, &request_id, &record);
        record.response_bytes = body.len() as u64;
        let fields = fields(refusal.code, &request_id, body.len());
        let goodbye = async {
            // The client may be gone already; the record says what was tried.
            match caller {
                Caller::Stream(stream) => {
                    drop(say_goodbye(stream, refusal.code, &fields, body).await);
                }
                Caller::Session(session) => {
                    drop(say_goodbye_over(*session, refusal.code, &fields, body).await);
                }
            }
        };
        // A client that sends garbage may not read either: it gets a second.
        let _ = tokio::time::timeout(LINGER, goodbye).await;
    }
    record.request_bytes = seen as u64;
    record.duration = begun.elapsed();
    record.gateway_time = Duration::ZERO;
    gateway
        .telemetry
        .finish(record, Handles::of(&connection.metrics));
}

const LINGER: Duration = Duration::from_secs(1);

type Fields = [(&'static str, String); 5];

/// Closing with unread bytes would reset the connection and take the answer with it, so what
/// still comes is read away first.
async fn say_goodbye(
    mut stream: Stream,
    code: Code,
    fields: &Fields,
    body: Vec<u8>,
) -> std::io::Result<()> {
    let status = status(code);
    let reason = status.canonical_reason().unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {} {reason}\r\n", status.as_str());
    for (name, value) in fields {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer.push_str("connection: close\r\n\r\n");
    stream
        .write_all(&[answer.into_bytes(), body].concat())
        .await?;
    stream.flush().await?;
    stream.shutdown().await?;
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// As [`say_goodbye`], where the stream is out of reach. The session says `connection: close`.
async fn say_goodbye_over(
    mut session: ServerSession,
    code: Code,
    fields: &Fields,
    body: Vec<u8>,
) -> Result<(), BError> {
    let mut head = ResponseHeader::build(status(code), Some(fields.len() + 2))?;
    for (name, value) in fields {
        head.insert_header(*name, value)?;
    }
    session.write_response_header(Box::new(head)).await?;
    session.write_response_body(body.into(), true).await?;
    session.finish_body().await?;
    session.shutdown().await;
    session.read_body_or_idle(true).await.map(drop)
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

fn fields(code: Code, id: &RequestId, length: usize) -> Fields {
    [
        ("content-type", "application/problem+json".to_owned()),
        ("content-length", length.to_string()),
        ("weir-error", code.to_string()),
        (
            "proxy-status",
            format!("weir; error={}; details=\"{code}\"", code.proxy_error()),
        ),
        ("x-request-id", id.to_string()),
    ]
}

fn problem(gateway: &Gateway, refusal: &Refusal, id: &RequestId, record: &Record) -> Vec<u8> {
    let code = refusal.code;
    Problem {
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
    .to_json()
}
