//! Errors in gRPC's own words, whoever failed.

use bytes::Bytes;
use h2::Reason;
use tonic::{Code as Ended, Request, Status};
use weir_telemetry::Code;
use weir_tests::rpc::{Client, Server};
use weir_tests::upstream::http2::{Behaviour, Upstream};
use weir_tests::{Gateway, wire};

use super::{config, gateway};

fn slug(status: &Status) -> &str {
    let value = status.metadata().get("weir-error");
    value.map_or("", |value| value.to_str().unwrap())
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// A call to an upstream that behaves so.
async fn failed(behaviour: Behaviour) -> (Status, Gateway) {
    let upstream = Upstream::start(behaviour).await;
    let (gateway, public) = gateway(upstream.addr(), "", "retries: { max: 0 }").await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/C", Request::new(b"hi")).await;
    (status.unwrap_err(), gateway)
}

#[tokio::test]
async fn an_error_of_the_gateways_has_a_status_a_text_and_details() {
    let dead = weir_tests::Upstream::refusing();
    let (gateway, public) = gateway(dead.addr(), "", "").await;
    let client = Client::connect(public).await;
    let status = client.unary("/a.B/C", Request::new(b"hi")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Ended::Unavailable);
    assert_eq!(slug(&status), Code::ConnectionRefused.slug());
    assert_eq!(status.message(), "The upstream refused the connection.");
    for part in [
        "google.rpc.ErrorInfo",
        "CONNECTION_REFUSED",
        "weir",
        "request_id",
        "runbooks/connection_refused.md",
    ] {
        assert!(has(status.details(), part), "{part}");
    }
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/a.B/C")
        .await;
    assert_eq!(line["http.response.status_code"], 200);
    assert_eq!(line["rpc"]["response.status_code"], "UNAVAILABLE");
}

#[tokio::test]
async fn a_policys_refusal_is_a_status_too() {
    let server = Server::start().await;
    let yaml = config(server.addr(), "", "", "{ kind: key_auth }");
    let gateway = Gateway::start(&yaml).await;
    let client = Client::connect(gateway.addr("public")).await;
    let status = client.unary("/a.B/Echo", Request::new(b"hi")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Ended::Unauthenticated);
    assert_eq!(slug(&status), Code::CredentialMissing.slug());
    let labels = [
        ("weir_route", "calls"),
        ("rpc_response_status_code", "UNAUTHENTICATED"),
    ];
    let name = "rpc_server_call_duration_seconds_count";
    gateway.wait_for_metric(name, &labels, |n| n == 1.0).await;
}

#[tokio::test]
async fn what_ends_without_a_status_gets_one_by_its_http_status() {
    let answer = |status, media: &str, body: &[u8]| Behaviour::Answer {
        status,
        headers: vec![("content-type".into(), media.into())],
        body: body.to_vec(),
        trailers: Vec::new(),
    };
    for (behaviour, code) in [
        (answer(503, "text/html", b"busy"), Ended::Unavailable),
        (answer(404, "text/html", b"what?"), Ended::Unimplemented),
        (
            answer(403, "application/grpc", b""),
            Ended::PermissionDenied,
        ),
        (answer(200, "text/html", b"<html>"), Ended::Unknown),
        (
            answer(200, "application/grpc", b"\0\0\0\0\x02hi"),
            Ended::Unknown,
        ),
    ] {
        let (status, gateway) = failed(behaviour.clone()).await;
        assert_eq!(status.code(), code, "{behaviour:?}");
        assert_eq!(slug(&status), Code::GrpcStatusMissing.slug());
        let line = gateway
            .wait_for_log(|line| line["url.path"] == "/a.B/C")
            .await;
        assert_eq!(line["error.type"], Code::GrpcStatusMissing.slug());
    }
}

#[tokio::test]
async fn a_stream_that_the_upstream_resets_has_the_status_of_its_reason() {
    for (reason, code) in [
        (Reason::CANCEL, Ended::Cancelled),
        (Reason::INTERNAL_ERROR, Ended::Internal),
        (Reason::ENHANCE_YOUR_CALM, Ended::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Ended::PermissionDenied),
        (Reason::REFUSED_STREAM, Ended::Unavailable),
    ] {
        let (status, _gateway) = failed(Behaviour::Reset(reason)).await;
        assert_eq!(status.code(), code, "{reason:?}: {status}");
    }
}

#[tokio::test]
async fn a_call_that_fails_amid_its_answer_never_ends_well() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), "", "").await;
    let client = Client::connect(public).await;
    let mut request = Request::new(futures_util::stream::iter([Bytes::from_static(b"hi")]));
    request
        .metadata_mut()
        .insert("x-code", "15".parse().unwrap());
    let answer = client.call("/a.B/FailLate", request).await;
    let mut answer = answer.unwrap().into_inner();
    assert_eq!(answer.message().await.unwrap().unwrap(), "hi");
    let status = answer.message().await.unwrap_err();
    assert_eq!(status.code(), Ended::DataLoss);
    // It is the server's own word, and its failure.
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/a.B/FailLate")
        .await;
    assert_eq!(line["error.type"], "DATA_LOSS");
    assert_eq!(line["weir.fault"], "upstream");
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_words_of_http() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "", "").await;
    for (head, status, slug) in [
        ("GET /a.B/Echo HTTP/1.1", 405, Code::MethodNotAllowed),
        (
            "POST /a.B/Echo HTTP/1.1\r\ncontent-type: application/json",
            415,
            Code::MediaTypeUnsupported,
        ),
        (
            "POST /a.B/Echo HTTP/1.1\r\ncontent-type: application/grpc",
            505,
            Code::HttpVersionUnsupported,
        ),
    ] {
        let request = format!("{head}\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        let response = wire::exchange(public, request).await;
        assert_eq!(response.status, status, "{head}");
        assert_eq!(response.json()["code"], slug.slug());
    }
    let client = Client::connect(public).await;
    let status = client.unary("/nothing", Request::new(b"hi")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Ended::Unimplemented);
    assert!(status.message().contains("/package.Service/Method"));
    assert!(server.calls().is_empty());
}
