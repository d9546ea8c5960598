//! The harness tested on itself: HTTP/2, TLS, the model provider, the trace collector, processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use h2::Reason;
use http::Request;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1 as proto;
use serde_json::json;
use weir_tests::child::{self, Child, Kind};
use weir_tests::openai::{Provider, Reply};
use weir_tests::otlp::Collector;
use weir_tests::tls::{Authority, Client, Validity};
use weir_tests::upstream::http2;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Upstream};

/// One HTTP/2 request on a connection of its own: the status and body, or the reset's reason.
async fn h2_get(upstream: &http2::Upstream) -> Result<(u16, String), h2::Error> {
    let tcp = tokio::net::TcpStream::connect(upstream.addr())
        .await
        .unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await?;
    tokio::spawn(connection);
    let request = Request::get(upstream.url("/x")).body(()).unwrap();
    let (response, _) = client.send_request(request, true)?;
    let response = response.await?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok((status, String::from_utf8(bytes).unwrap()))
}

#[tokio::test]
async fn http2_echoes_and_refuses() {
    let upstream = http2::Upstream::start(http2::Behaviour::Refuse { first: 1 }).await;
    let refused = h2_get(&upstream).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::REFUSED_STREAM));
    let (status, body) = h2_get(&upstream).await.unwrap();
    assert_eq!(status, 200);
    let echo: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(echo["target"], "/x");
    assert_eq!(upstream.wait_for_requests(2).await[1].version, "HTTP/2");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn http2_goes_away() {
    let behaviour = http2::Behaviour::GoAwayUnprocessed { connections: 1 };
    let upstream = http2::Upstream::start(behaviour).await;
    let error = h2_get(&upstream).await.unwrap_err();
    assert!(error.is_go_away() && error.is_remote(), "{error:?}");
    assert!(upstream.requests().is_empty());
    assert_eq!(h2_get(&upstream).await.unwrap().0, 200);

    upstream.set(http2::Behaviour::GoAwayAfter { requests: 1 });
    assert_eq!(h2_get(&upstream).await.unwrap().0, 200);
}

#[tokio::test]
async fn http2_resets_with_the_reason_given() {
    let upstream = http2::Upstream::start(http2::Behaviour::Reset(Reason::ENHANCE_YOUR_CALM)).await;
    let error = h2_get(&upstream).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
    upstream.set(http2::Behaviour::ResetAmidBody(Reason::INTERNAL_ERROR));
    let error = h2_get(&upstream).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn tls_upstreams_show_good_and_faulty_certificates() {
    let authority = Authority::new();
    let trusting = |name| Client {
        name,
        authority: Some(authority.pem()),
        ..Client::default()
    };
    let good = authority.issue(&["localhost", "127.0.0.1"], Validity::Current);
    let upstream = Upstream::tls(&good, [Behaviour::echo()]).await;
    let mut connection = Connection::open_tls(upstream.addr(), &trusting("localhost"))
        .await
        .unwrap();
    connection
        .send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(connection.response().await.status, 200);

    let wrong = Connection::open_tls(upstream.addr(), &trusting("other.test")).await;
    assert!(wrong.unwrap_err().contains("certificate verify failed"));

    let expired = authority.issue(&["localhost"], Validity::Expired);
    let upstream = Upstream::tls(&expired, [Behaviour::echo()]).await;
    let error = Connection::open_tls(upstream.addr(), &trusting("localhost")).await;
    assert!(error.unwrap_err().contains("certificate verify failed"));
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn tls_agrees_on_http2() {
    let authority = Authority::new();
    let certificate = authority.issue(&["localhost"], Validity::Current);
    let upstream = http2::Upstream::tls(&certificate, http2::Behaviour::Echo).await;
    let client = Client {
        name: "localhost",
        authority: Some(authority.pem()),
        protocols: &["h2", "http/1.1"],
        ..Client::default()
    };
    let connection = Connection::open_tls(upstream.addr(), &client)
        .await
        .unwrap();
    assert_eq!(connection.into_parts().0.alpn(), Some(&b"h2"[..]));
}

fn chat(stream: bool) -> Vec<u8> {
    let body = json!({
        "model": "m",
        "stream": stream,
        "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "Hi" }],
    });
    body.to_string().into_bytes()
}

async fn complete(provider: &Provider, stream: bool) -> wire::Response {
    let headers = ["Authorization: Bearer k", "Content-Type: application/json"];
    wire::request(
        provider.addr(),
        "POST",
        "/v1/chat/completions",
        &headers,
        chat(stream),
    )
    .await
}

#[tokio::test]
async fn the_provider_completes_and_streams() {
    let provider = Provider::start(Reply::completion(&["Hel", "lo"], 7, 2)).await;
    let whole = complete(&provider, false).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], "Hello");
    assert_eq!(whole["usage"]["total_tokens"], 9);

    let streamed = complete(&provider, true).await.text();
    assert!(streamed.contains("\"content\":\"Hel\""), "{streamed}");
    assert!(streamed.contains("\"total_tokens\":9"), "{streamed}");
    assert!(streamed.ends_with("data: [DONE]\n\n"), "{streamed}");

    provider.set(Reply::completion(&["x"], 1, 1).without_usage());
    assert!(!complete(&provider, true).await.text().contains("usage"));
    assert_eq!(
        provider.requests()[0].header("authorization"),
        Some("Bearer k")
    );
    assert_eq!(provider.requests()[0].json()["model"], "m");
}

#[tokio::test]
async fn the_provider_fails_as_told() {
    let replies = [
        Reply::rate_limited(3),
        Reply::error(500),
        Reply::completion(&["a", "b", "c"], 1, 3).cut_after(2),
    ];
    let provider = Provider::sequence(replies).await;
    let limited = complete(&provider, false).await;
    assert_eq!(
        (limited.status, limited.header("retry-after")),
        (429, Some("3"))
    );
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(complete(&provider, false).await.status, 500);
    let cut = complete(&provider, true).await;
    assert_eq!(cut.broken, Some(std::io::ErrorKind::ConnectionReset));
    assert_eq!(cut.text().matches("data: ").count(), 2);
}

#[tokio::test]
async fn the_collector_keeps_spans() {
    let collector = Collector::start().await;
    let span = proto::Span {
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        name: "GET".to_owned(),
        kind: 2,
        ..proto::Span::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![proto::ResourceSpans {
            scope_spans: vec![proto::ScopeSpans {
                spans: vec![span],
                ..proto::ScopeSpans::default()
            }],
            ..proto::ResourceSpans::default()
        }],
    };
    let mut client = TraceServiceClient::connect(collector.endpoint())
        .await
        .unwrap();
    collector.fail(true);
    assert!(client.export(request.clone()).await.is_err());
    collector.fail(false);
    client.export(request).await.unwrap();
    let span = collector.wait_for(|span| span.name == "GET").await;
    assert_eq!(span.trace_id, "ab".repeat(16));
    assert_eq!(span.kind, weir_tests::otlp::Kind::Server);
    assert_eq!(collector.wait_for_trace(&span.trace_id, 1).await.len(), 1);
}

#[tokio::test]
async fn children_are_heard_signalled_and_killed() {
    let mut command = child::command("sh");
    let script = "trap 'exit 7' TERM; echo out; echo err >&2; while :; do sleep 0.01; done";
    command.args(["-c", script]);
    let child = Child::start("sh", command);
    let heard = child.ready(weir_tests::wait::DEADLINE, || {
        std::future::ready(child.lines().len() == 2)
    });
    assert!(heard.await);
    child.signal(Kind::SIGTERM);
    assert_eq!(child.wait_exit().await.code(), Some(7));

    let mut command = child::command("sleep");
    command.arg("1000");
    let child = Child::start("sleep", command);
    let pid = child.pid();
    drop(child);
    assert!(!std::path::Path::new("/proc").join(pid.to_string()).exists());
}
