//! Calls that are tried again: where the route says so, and where that is safe anyway.

use bytes::Bytes;
use tonic::{Code as Ended, Request};
use weir_tests::rpc::{Client, Server};
use weir_tests::upstream::http2::{Behaviour, Upstream};

use super::gateway;

const UP: &str = "retries: { max: 2, budget_percent: 100 }";
const ROUTE: &str = "retries: { on: [unavailable] }";

fn failing(code: &'static str, until: &'static str) -> Request<&'static [u8]> {
    let mut request = Request::new(&b"hi"[..]);
    for (name, value) in [("x-code", code), ("x-until", until)] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_call_is_tried_again_after_a_status_that_the_route_names() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), ROUTE, UP).await;
    let client = Client::connect(public).await;
    let answer = client.unary("/a.B/Fail", failing("14", "3")).await;
    assert_eq!(answer.unwrap(), "hi");
    assert_eq!(server.calls().len(), 3);
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/a.B/Fail")
        .await;
    assert_eq!(line["weir.attempts"][0]["retried"], "grpc_status");
    assert_eq!(line["weir.attempts"][0]["rpc_status"], "UNAVAILABLE");
    assert_eq!(line["rpc"]["response.status_code"], "OK");
}

#[tokio::test]
async fn no_other_status_is_and_no_more_often_than_the_upstream_allows() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), ROUTE, UP).await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/Fail", failing("13", "9")).await;
    assert_eq!(status.unwrap_err().code(), Ended::Internal);
    assert_eq!(server.calls().len(), 1);
    let status = client.unary("/a.B/Fail", failing("14", "9")).await;
    assert_eq!(status.unwrap_err().code(), Ended::Unavailable);
    assert_eq!(server.calls().len(), 1 + 3);
}

#[tokio::test]
async fn nothing_is_tried_again_once_a_message_came_or_more_was_sent_than_is_kept() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), ROUTE, UP).await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/FailLate", failing("14", "9")).await;
    assert_eq!(status.unwrap_err().code(), Ended::Unavailable);
    assert_eq!(server.calls().len(), 1);

    let pieces = futures_util::stream::iter(vec![Bytes::from(vec![0; 1 << 20]); 3]);
    let mut request = Request::new(pieces);
    request
        .metadata_mut()
        .insert("x-code", "14".parse().unwrap());
    let (route, limits) = ("retries: { on: [unavailable] }", UP);
    let late = Upstream::start(Behaviour::Answer {
        status: 200,
        headers: vec![("content-type".into(), "application/grpc".into())],
        body: Vec::new(),
        trailers: vec![("grpc-status".into(), "14".into())],
    })
    .await;
    let (_gateway, public) = super::gateway(late.addr(), route, limits).await;
    let client = Client::connect(public).await;
    let status = client.call("/a.B/C", request).await;
    let failed = match status {
        Ok(answer) => answer.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(failed.code(), Ended::Unavailable);
    assert_eq!(late.requests().len(), 1);
}

#[tokio::test]
async fn a_server_says_how_long_to_wait_or_that_it_wants_no_other_try() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), ROUTE, UP).await;
    let client = Client::connect(public).await;
    let pushed = |pushback: &'static str, until| {
        let mut request = failing("14", until);
        request
            .metadata_mut()
            .insert("x-pushback", pushback.parse().unwrap());
        request
    };
    let answer = client.unary("/a.B/Fail", pushed("50", "2")).await;
    assert_eq!(answer.unwrap(), "hi");
    assert_eq!(server.calls().len(), 2);
    // Not at all, and longer than anybody waits.
    for (pushback, calls) in [("-1", 3), ("3600000", 4)] {
        let status = client.unary("/a.B/Fail", pushed(pushback, "99")).await;
        let status = status.unwrap_err();
        assert_eq!(status.code(), Ended::Unavailable);
        let told = status.metadata().get("grpc-retry-pushback-ms");
        assert_eq!(told.unwrap(), pushback);
        assert_eq!(server.calls().len(), calls);
    }
}

#[tokio::test]
async fn what_an_upstream_did_not_process_is_tried_again_unasked() {
    let upstream = Upstream::start(Behaviour::Refuse { first: 2 }).await;
    let (_gateway, public) = gateway(upstream.addr(), "", UP).await;
    let client = Client::connect(public).await;
    // An echo in JSON is no answer to a call; that one came shows that it was tried again.
    let status = client.unary("/a.B/C", Request::new(b"hi")).await;
    assert_eq!(status.unwrap_err().code(), Ended::Unknown);
    assert_eq!(upstream.requests().len(), 3);
}
