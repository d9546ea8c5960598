//! Deadlines, whoever sets them, and calls that are given up.

use std::time::Duration;

use bytes::Bytes;
use tonic::{Code as Ended, Request};
use weir_telemetry::Code;
use weir_tests::rpc::{Client, Server};
use weir_tests::upstream::http2::{Behaviour, Upstream};
use weir_tests::{wait, wire};

use super::gateway;

fn within(time: &str) -> Request<&'static [u8]> {
    let mut request = Request::new(&b"hi"[..]);
    let timeout = time.parse().unwrap();
    request.metadata_mut().insert("grpc-timeout", timeout);
    request
}

#[tokio::test]
async fn a_call_ends_at_its_callers_deadline_and_the_server_learns_of_it() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), "", "").await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/Drip", within("300m")).await.unwrap_err();
    assert_eq!(status.code(), Ended::DeadlineExceeded, "{status}");
    wait::until_true("the server's stream is reset", || server.given_up() == 1).await;
    let told = &server.calls()[0].headers["grpc-timeout"];
    assert!(
        told.to_str().unwrap().ends_with(['u', 'n', 'm']),
        "{told:?}"
    );
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/a.B/Drip")
        .await;
    assert_eq!(line["error.type"], Code::RequestDeadlineExceeded.slug());
    assert_eq!(line["rpc"]["response.status_code"], "DEADLINE_EXCEEDED");
    assert_eq!(line["rpc"]["response.messages"], 1);
}

#[tokio::test]
async fn a_route_shortens_what_its_callers_ask_for() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "timeout: 300ms", "").await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/Drip", within("1H")).await.unwrap_err();
    assert_eq!(status.code(), Ended::DeadlineExceeded, "{status}");
    // What is told to the server is less than what the route allows.
    let told = server.calls()[0].headers["grpc-timeout"].clone();
    let told = weir_protocols::grpc::timeout::parse(told.as_bytes()).unwrap();
    assert!(told <= Duration::from_millis(300), "{told:?}");
}

#[tokio::test]
async fn a_caller_with_no_time_to_give_speaks_not_against_an_endpoint() {
    let upstream = Upstream::start(Behaviour::Hang).await;
    let breaker = "breaker: { error_percent: 1, minimum_requests: 1, open_for: 1h }";
    let (_gateway, public) = gateway(upstream.addr(), "", breaker).await;
    // By gRPC-Web, since tonic's client would be done first.
    for time in ["0n", "100m", "100m"] {
        let request = format!(
            "POST /a.B/C HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc-web\r\n\
             grpc-timeout: {time}\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0"
        );
        let answer = wire::exchange(public, request).await;
        assert_eq!(answer.header("grpc-status"), Some("4"));
        let slug = Code::RequestDeadlineExceeded.slug();
        assert_eq!(answer.header("weir-error"), Some(slug));
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "", "").await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/Echo", within("soon")).await.unwrap_err();
    assert_eq!(status.code(), Ended::Internal);
    assert!(status.message().contains("like 250m"), "{status}");
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn what_a_caller_gives_up_is_given_up_at_the_server_at_once() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), "", "").await;
    let client = Client::connect(public).await;
    // Before any answer, and amid one.
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.unary("/a.B/Hang", Request::new(b"hi")).await })
    };
    wait::until_true("the call at the server", || server.calls().len() == 1).await;
    waiting.abort();
    wait::until_true("one given up", || server.given_up() == 1).await;

    let messages = futures_util::stream::iter([Bytes::from_static(b"hi")]);
    let answer = client.call("/a.B/Drip", Request::new(messages)).await;
    let mut answer = answer.unwrap().into_inner();
    assert_eq!(answer.message().await.unwrap().unwrap(), "hi");
    drop(answer);
    wait::until_true("both given up", || server.given_up() == 2).await;
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/a.B/Drip")
        .await;
    assert_eq!(line["rpc"]["response.status_code"], "CANCELLED");
    assert_eq!(line["rpc"]["request.messages"], 1);
}

#[tokio::test]
async fn a_stream_without_a_deadline_outlasts_the_upstreams_total_and_ends_by_silence() {
    let server = Server::start().await;
    let timeouts = "timeouts: { total: 200ms, stream_idle: 1s }";
    let (gateway, public) = gateway(server.addr(), "", timeouts).await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/Drip", Request::new(b"hi")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Ended::DeadlineExceeded);
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/a.B/Drip")
        .await;
    assert_eq!(line["error.type"], Code::ResponseStalled.slug());
}
