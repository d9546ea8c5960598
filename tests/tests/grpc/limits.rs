//! Messages that are too long, and bodies that are no messages.

use tonic::{Code as Ended, Request};
use weir_telemetry::Code;
use weir_tests::rpc::{Client, Server};
use weir_tests::upstream::http2::{Behaviour, Upstream};
use weir_tests::wait;

use super::gateway;

fn reason(status: &tonic::Status) -> &str {
    status
        .metadata()
        .get("weir-error")
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_message_beyond_its_limit_ends_the_call() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(
        server.addr(),
        "max_message: { request: 8, response: 4 }",
        "",
    )
    .await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/Echo", Request::new(b"123456789")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Ended::ResourceExhausted);
    assert_eq!(reason(&status), Code::MessageTooLarge.slug());
    assert!(
        status
            .message()
            .contains("is 9 bytes long, more than the 8 allowed"),
        "{status}"
    );
    // Its head may have gone on before the message was there.
    let given_up = || server.given_up() == server.calls().len();
    wait::until_true("nothing of it but a call that is given up", given_up).await;

    let status = client.unary("/a.B/Echo", Request::new(b"12345")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Ended::ResourceExhausted);
    assert_eq!(reason(&status), Code::ResponseMessageTooLarge.slug());
    let echoed = client.unary("/a.B/Echo", Request::new(b"1234")).await;
    assert_eq!(echoed.unwrap(), "1234");
}

#[tokio::test]
async fn an_answer_that_is_no_stream_of_messages_is_the_upstreams_fault() {
    let answer = |body: &[u8]| Behaviour::Answer {
        status: 200,
        headers: vec![("content-type".into(), "application/grpc".into())],
        body: body.to_vec(),
        trailers: vec![("grpc-status".into(), "0".into())],
    };
    for (body, slug) in [
        (&b"<html>"[..], Code::HttpProtocolError),
        (b"\0\0\0\0\x09hi", Code::HttpResponseIncomplete),
    ] {
        let upstream = Upstream::start(answer(body)).await;
        let (gateway, public) = gateway(upstream.addr(), "", "").await;
        let client = Client::connect(public).await;
        let status = client.unary("/a.B/C", Request::new(b"hi")).await;
        assert_eq!(status.unwrap_err().code(), Ended::Internal);
        let line = gateway
            .wait_for_log(|line| line["url.path"] == "/a.B/C")
            .await;
        assert_eq!(line["error.type"], slug.slug());
    }
}
