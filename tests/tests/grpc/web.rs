//! gRPC-Web, binary and text, over HTTP/1.1.

use weir_telemetry::Code;
use weir_tests::Gateway;
use weir_tests::rpc::Server;
use weir_tests::wire::{self, Response};

use super::{config, gateway};

async fn post(public: std::net::SocketAddr, path: &str, fields: &[&str], body: &[u8]) -> Response {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nx-grpc-web: 1\r\ncontent-length: {}\r\n{fields}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    wire::exchange(public, request).await
}

const MESSAGE: &[u8] = b"\0\0\0\0\x02hi";

#[tokio::test]
async fn a_browser_gets_messages_and_then_trailers_in_a_frame() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "", "").await;
    let media = "content-type: application/grpc-web+proto";
    let answer = post(public, "/a.B/Echo", &[media], MESSAGE).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/grpc-web"));
    let trailers = b"\x80\0\0\0\x10grpc-status: 0\r\n";
    assert_eq!(answer.body, [MESSAGE, trailers].concat());
    let headers = &server.calls()[0].headers;
    assert_eq!(headers["content-type"], "application/grpc+proto");
    assert_eq!(headers["te"], "trailers");
    assert!(!headers.contains_key("x-grpc-web"));
}

#[tokio::test]
async fn text_is_the_same_in_base64() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "", "").await;
    let media = "content-type: application/grpc-web-text";
    let answer = post(public, "/a.B/Echo", &[media], b"AAAAAAJoaQ==").await;
    assert_eq!(answer.text(), "AAAAAAJoaQ==gAAAABBncnBjLXN0YXR1czogMA0K");
    let wrong = post(public, "/a.B/Echo", &[media], b"AAAA!").await;
    assert_eq!(wrong.header("grpc-status"), Some("13"));
    assert_eq!(
        wrong.header("weir-error"),
        Some(Code::RequestBodyInvalid.slug())
    );
}

#[tokio::test]
async fn a_status_alone_is_in_the_head_and_one_after_messages_in_the_body() {
    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), "", "").await;
    let fields = ["content-type: application/grpc-web", "x-code: 5"];
    let alone = post(public, "/a.B/Fail", &fields, MESSAGE).await;
    assert_eq!(alone.header("grpc-status"), Some("5"));
    assert_eq!(alone.body, b"");
    let late = post(public, "/a.B/FailLate", &fields, MESSAGE).await;
    assert!(late.body.starts_with(MESSAGE));
    assert!(late.text().contains("grpc-status: 5\r\n"));
    let fields = ["content-type: application/grpc-web", "grpc-timeout: 300m"];
    let cut = post(public, "/a.B/Drip", &fields, MESSAGE).await;
    assert!(cut.text().contains("grpc-status: 4\r\n"), "{}", cut.text());
    assert!(
        cut.text()
            .contains("weir-error: request_deadline_exceeded\r\n")
    );
}

#[tokio::test]
async fn a_page_of_another_origin_may_call_and_read_how_it_ended() {
    let server = Server::start().await;
    let cors = "{ kind: cors, origins: [\"https://shop.example.com\"], methods: [POST], headers: [content-type, x-grpc-web], expose: [grpc-status, grpc-message] }";
    let gateway = Gateway::start(&config(server.addr(), "", "", cors)).await;
    let public = gateway.addr("public");
    let origin = "origin: https://shop.example.com";
    let preflight = wire::exchange(
        public,
        format!(
            "OPTIONS /a.B/Echo HTTP/1.1\r\nhost: a\r\n{origin}\r\naccess-control-request-method: POST\r\naccess-control-request-headers: content-type,x-grpc-web\r\n\r\n"
        ),
    )
    .await;
    assert_eq!(preflight.status, 204);
    let fields = ["content-type: application/grpc-web", origin, "x-code: 7"];
    let answer = post(public, "/a.B/Fail", &fields, MESSAGE).await;
    assert_eq!(answer.header("grpc-status"), Some("7"));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("grpc-status"), "{exposed}");
}
