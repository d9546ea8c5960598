//! Calls that go well: all four kinds, and what the server gets to see.

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code as Ended, Request};
use weir_tests::rpc::{Client, Server};

use super::{config, gateway};
use weir_tests::Gateway;

#[tokio::test]
async fn messages_go_both_ways_as_they_come() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "", "").await;
    let client = Client::connect(public).await;
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let request = Request::new(ReceiverStream::new(messages));
    sender.send(Bytes::from_static(b"one")).await.unwrap();
    let mut answer = client
        .call("/a.B/Echo", request)
        .await
        .unwrap()
        .into_inner();
    // Each is answered before the next is sent.
    for next in ["two", "", "four"] {
        assert!(answer.message().await.unwrap().is_some());
        sender.send(next.into()).await.unwrap();
    }
    assert_eq!(answer.message().await.unwrap().unwrap(), "four");
    drop(sender);
    assert_eq!(answer.message().await.unwrap(), None);
}

#[tokio::test]
async fn large_messages_pass_whole() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "max_message: { request: 8MiB }", "").await;
    let client = Client::connect(public).await;
    let large = Bytes::from(vec![7; 5 << 20]);
    let messages = futures_util::stream::iter(vec![large.clone(); 3]);
    let answer = client.call("/a.B/Echo", Request::new(messages)).await;
    let echoed: Vec<_> = answer.unwrap().into_inner().collect().await;
    assert_eq!(echoed.len(), 3);
    assert!(echoed.into_iter().all(|message| message.unwrap() == large));
}

#[tokio::test]
async fn metadata_goes_up_and_trailers_come_back_as_they_are() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), "rewrite: { host: orders.internal }", "").await;
    let client = Client::connect(public).await;
    let mut request = Request::new(&b"hi"[..]);
    request
        .metadata_mut()
        .insert("x-code", "9".parse().unwrap());
    let binary = tonic::metadata::MetadataValue::from_bytes(b"\0\xff");
    request.metadata_mut().insert_bin("x-some-bin", binary);
    let status = client.unary("/a.B/Fail", request).await.unwrap_err();
    assert_eq!(status.code(), Ended::FailedPrecondition);
    assert_eq!(status.message(), "told to fail: 100% \u{fc}");
    assert!(status.metadata().get("weir-error").is_none());

    let calls = server.calls();
    let headers = &calls[0].headers;
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["x-some-bin"], "AP8");
    assert!(headers.contains_key("traceparent"));
    assert!(!headers.contains_key("grpc-timeout"), "nobody gave one");
    // It is as the server says and nobody's failure.
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/a.B/Fail")
        .await;
    assert_eq!(line["http.response.status_code"], 200);
    assert!(line["error.type"].is_null(), "{line}");
    assert_eq!(line["rpc"]["response.status_code"], "FAILED_PRECONDITION");
}

#[tokio::test]
async fn policies_apply_by_service_and_method() {
    let server = Server::start().await;
    let yaml = config(server.addr(), "", "", "").replace(
        "routes: [",
        r#"routes:
  - name: one
    matches: [{ rpc: { service: a.B, method: Echo } }]
    grpc: { backends: [{ upstream: up }], max_message: { request: 1 } }
  - name: service
    matches: [{ rpc: { service: a.C } }]
    grpc: { backends: [{ upstream: up }], max_message: { request: 2 } }
  - name: method
    matches: [{ rpc: { method: Drop } }]
    grpc: { backends: [{ upstream: up }], max_message: { request: 3 } }
"#,
    );
    let yaml = match yaml.split_once("{ name: calls") {
        Some((before, _)) => before.to_owned(),
        None => yaml,
    };
    let gateway = Gateway::start(&yaml).await;
    let client = Client::connect(gateway.addr("public")).await;
    for (path, refused) in [
        ("/a.B/Echo", "more than the 1 allowed"),
        ("/a.C/Echo", "more than the 2 allowed"),
        ("/a.D/Drop", "more than the 3 allowed"),
        ("/a.B/Other", "No route matches"),
    ] {
        let status = client.unary(path, Request::new(b"four")).await.unwrap_err();
        assert!(status.message().contains(refused), "{path}: {status}");
    }
}
