//! What operators see of calls: figures and spans in the words of OpenTelemetry's RPC conventions.

use bytes::Bytes;
use futures_util::StreamExt as _;
use tonic::Request;
use weir_tests::Gateway;
use weir_tests::otlp::{Collector, Kind, StatusCode};
use weir_tests::rpc::{Client, Server};

use super::config;

#[tokio::test]
async fn calls_are_counted_by_status_and_messages_by_direction() {
    let server = Server::start().await;
    let (gateway, public) = super::gateway(server.addr(), "", "").await;
    let client = Client::connect(public).await;
    let messages = futures_util::stream::iter(vec![Bytes::from_static(b"hi"); 3]);
    let answer = client.call("/a.B/Echo", Request::new(messages)).await;
    assert_eq!(answer.unwrap().into_inner().count().await, 3);
    let calls = async |status| {
        let labels = [
            ("weir_route", "calls"),
            ("rpc_response_status_code", status),
        ];
        let name = "rpc_server_call_duration_seconds_count";
        gateway.wait_for_metric(name, &labels, |n| n == 1.0).await;
    };
    calls("OK").await;
    for direction in ["request", "response"] {
        let labels = [("weir_route", "calls"), ("direction", direction)];
        let passed = gateway.metric("weir_rpc_messages_total", &labels).await;
        assert_eq!(passed, 3.0, "{direction}");
    }
    let mut request = Request::new(&b"hi"[..]);
    request
        .metadata_mut()
        .insert("x-code", "14".parse().unwrap());
    assert!(client.unary("/a.B/Fail", request).await.is_err());
    calls("UNAVAILABLE").await;
    // HTTP's own figures stay HTTP's; whose fault it was is told apart.
    let labels = [("http_response_status_code", "200")];
    let name = "http_server_request_duration_seconds_count";
    assert_eq!(gateway.metric(name, &labels).await, 2.0);
    let labels = [("error_type", "UNAVAILABLE"), ("fault", "upstream")];
    assert_eq!(gateway.metric("weir_errors_total", &labels).await, 1.0);
}

#[tokio::test]
async fn spans_are_named_after_what_is_called() {
    let server = Server::start().await;
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    let yaml = config(server.addr(), "", "", "").replace(
        "telemetry: {",
        &format!("telemetry: {{ otlp: {{ endpoint: \"{endpoint}\", sample_ratio: 1.0 }},"),
    );
    let gateway = Gateway::start(&yaml).await;
    let client = Client::connect(gateway.addr("public")).await;
    let mut request = Request::new(&b"hi"[..]);
    request
        .metadata_mut()
        .insert("x-code", "14".parse().unwrap());
    assert!(client.unary("/a.B/Fail", request).await.is_err());
    for kind in [Kind::Server, Kind::Client] {
        let span = collector.wait_for(|span| span.kind == kind).await;
        assert_eq!(span.name, "a.B/Fail");
        assert_eq!(span.attribute("rpc.system.name"), "grpc");
        assert_eq!(span.attribute("rpc.method"), "a.B/Fail");
        assert_eq!(span.attribute("rpc.response.status_code"), "UNAVAILABLE");
        assert_eq!(span.attribute("error.type"), "UNAVAILABLE");
        assert_eq!(span.status, StatusCode::Error);
    }
}
