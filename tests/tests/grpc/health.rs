//! Endpoints that are checked by gRPC, or watched by how their calls end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code as Ended, Request};
use weir_telemetry::Code;
use weir_tests::rpc::{Client, Server};
use weir_tests::wait;

use super::gateway;

#[tokio::test]
async fn an_endpoint_that_does_not_serve_is_left_out_until_it_does() {
    let server = Server::start().await;
    let probe = "health: { active: { kind: grpc, service: a.B, interval: 50ms, timeout: 50ms, healthy_after: 1, unhealthy_after: 1 } }";
    let (gateway, public) = gateway(server.addr(), "", probe).await;
    let client = Client::connect(public).await;
    let healthy = "weir_upstream_endpoint_healthy";
    gateway.wait_for_metric(healthy, &[], |n| n == 1.0).await;
    server.unwell(true);
    gateway.wait_for_metric(healthy, &[], |n| n == 0.0).await;
    let status = client.unary("/a.B/Echo", Request::new(b"hi")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Ended::Unavailable);
    let slug = status.metadata().get("weir-error").unwrap();
    assert_eq!(slug, Code::DestinationUnavailable.slug());
    server.unwell(false);
    gateway.wait_for_metric(healthy, &[], |n| n == 1.0).await;
    let answer = client.unary("/a.B/Echo", Request::new(b"hi")).await;
    assert_eq!(answer.unwrap(), "hi");
}

#[tokio::test]
async fn statuses_that_speak_of_the_server_open_the_breaker_and_others_do_not() {
    let server = Server::start().await;
    let breaker = "breaker: { error_percent: 1, minimum_requests: 1, open_for: 1h }";
    let (_gateway, public) = gateway(server.addr(), "", breaker).await;
    let client = Client::connect(public).await;
    let failing = |code: &'static str| {
        let mut request = Request::new(&b"hi"[..]);
        request
            .metadata_mut()
            .insert("x-code", code.parse().unwrap());
        request
    };
    for (code, expected) in [("5", Ended::NotFound), ("14", Ended::Unavailable)] {
        let status = client.unary("/a.B/Fail", failing(code)).await.unwrap_err();
        assert_eq!(status.code(), expected);
        assert!(status.metadata().get("weir-error").is_none());
    }
    let status = client.unary("/a.B/Echo", Request::new(b"hi")).await;
    let status = status.unwrap_err();
    let slug = status.metadata().get("weir-error").unwrap();
    assert_eq!(slug, Code::BreakerOpen.slug());
    assert_eq!(server.calls().len(), 2);
}

/// Says of itself that it is well, each time it is asked, and takes nothing of the question.
async fn answer_unread(tcp: TcpStream, asked: Arc<AtomicUsize>) -> Result<(), h2::Error> {
    let mut server = h2::server::Builder::new();
    let mut connection = server.initial_window_size(0).handshake(tcp).await?;
    while let Some(request) = connection.accept().await {
        let (_question, mut answer) = request?;
        let mut body = answer.send_response(http::Response::new(()), false)?;
        body.send_data(Bytes::from_static(b"\0\0\0\0\x02\x08\x01"), false)?;
        let ok = ("grpc-status".parse().unwrap(), HeaderValue::from(0));
        body.send_trailers(HeaderMap::from_iter([ok]))?;
        asked.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_answers_before_it_reads_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (
        listener.local_addr().unwrap(),
        Arc::<AtomicUsize>::default(),
    );
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(answer_unread(tcp, counted.clone()));
        }
    });
    let probe = "health: { active: { kind: grpc, service: a.B, interval: 300ms, timeout: 300ms, healthy_after: 1, unhealthy_after: 1 } }";
    let (gateway, _) = gateway(address, "", probe).await;
    // The last may not have been judged yet, those before it have.
    wait::until_true("checks", || asked.load(Ordering::Relaxed) > 3).await;
    let healthy = gateway.metric("weir_upstream_endpoint_healthy", &[]).await;
    assert_eq!(healthy, 1.0);
}
