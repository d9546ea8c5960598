//! Endpoints that are checked by gRPC, or watched by how their calls end.

use tonic::{Code as Ended, Request};
use weir_telemetry::Code;
use weir_tests::rpc::{Client, Server};

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
