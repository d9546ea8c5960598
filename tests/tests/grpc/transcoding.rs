//! Calls by HTTP and JSON: the methods of a real server by the rules of their descriptors.

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::rpc::{SHOP, Server};
use weir_tests::wire::{self, Connection, Response};
use weir_tests::{Gateway, Upstream};

use super::config;

const JSON: &str = "Content-Type: application/json";

/// A gateway whose route transcodes; `more` goes into `transcoding`, `route` into the action.
async fn shop(server: &Server, more: &str, route: &str) -> Gateway {
    start(server.addr(), more, route, "").await
}

async fn start(up: std::net::SocketAddr, more: &str, route: &str, policies: &str) -> Gateway {
    let route = format!("transcoding: {{ descriptors: ../shop.binpb, {more} }}, {route}");
    let yaml = config(up, &route, "", policies);
    Gateway::builder(&yaml)
        .file("shop.binpb", SHOP)
        .start()
        .await
}

async fn call(
    gateway: &Gateway,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &str,
) -> Response {
    wire::request(gateway.addr("public"), method, target, headers, body).await
}

fn slug(response: &Response) -> &str {
    response.header("weir-error").unwrap_or_default()
}

fn details(response: &Response) -> Value {
    response.json()["details"][0].clone()
}

#[tokio::test]
async fn a_method_is_called_by_its_rules() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let target = "/v1/shelves/1/books/2?title=Weirs&pageCount=7&tags=a&tags=b&genre=NOVEL";
    let response = call(
        &gateway,
        "GET",
        target,
        &["X-Shop: 7", "Accept-Encoding: gzip"],
        "",
    )
    .await;
    let book = json!({
        "name": "shelves/1/books/2", "title": "Weirs", "pageCount": 7, "genre": "NOVEL",
        "tags": ["a", "b"],
    });
    assert_eq!((response.status, response.json()), (200, book.clone()));
    assert_eq!(response.header("content-type"), Some("application/json"));
    for name in ["grpc-status", "grpc-encoding", "trailer"] {
        assert_eq!(response.header(name), None, "{name}");
    }
    let response = call(&gateway, "POST", "/v1/books", &[JSON], &book.to_string()).await;
    assert_eq!((response.status, response.json()), (200, book));

    let calls = server.calls();
    assert_eq!(calls[0].path, "/shop.Books/Echo");
    let headers = &calls[0].headers;
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["grpc-accept-encoding"], "identity");
    assert_eq!(headers["x-shop"], "7");
    // What is no stream has an end.
    assert!(headers.contains_key("grpc-timeout"));
    for name in ["accept-encoding", "content-encoding"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/v1/shelves/1/books/2")
        .await;
    assert_eq!(line["rpc"]["method"], "shop.Books/Echo");
    assert_eq!(line["rpc"]["response.status_code"], "OK");
    assert_eq!(line["rpc"]["request.messages"], 1);
    assert_eq!(line["rpc"]["response.messages"], 1);
}

#[tokio::test]
async fn native_calls_go_on_beside() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let client = weir_tests::rpc::Client::connect(gateway.addr("public")).await;
    let answer = client
        .unary("/shop.Books/Echo", tonic::Request::new(b"\x0a\x01a"))
        .await;
    assert_eq!(answer.unwrap(), &b"\x0a\x01a"[..]);
}

#[tokio::test]
async fn a_method_is_called_by_its_name_where_the_route_says_so() {
    let server = Server::start().await;
    let gateway = shop(
        &server,
        "plain: true, json: { defaults: true, proto_names: true, enum_numbers: true }",
        "",
    )
    .await;
    let response = call(
        &gateway,
        "POST",
        "/shop.Books/Echo",
        &[JSON],
        r#"{"pageCount":7}"#,
    )
    .await;
    let book = json!({ "name": "", "title": "", "page_count": 7, "genre": 0, "tags": [] });
    assert_eq!((response.status, response.json()), (200, book));
    drop(gateway);
    let gateway = shop(&server, "", "").await;
    let response = call(&gateway, "POST", "/shop.Books/Echo", &[JSON], "{}").await;
    assert_eq!(
        (response.status, slug(&response)),
        (404, Code::RouteNotFound.slug())
    );
}

#[tokio::test]
async fn what_is_no_method_is_told_in_words_of_http() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let response = call(&gateway, "GET", "/v2/books", &[], "").await;
    assert_eq!(
        (response.status, slug(&response)),
        (404, Code::RouteNotFound.slug())
    );
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
    let response = call(&gateway, "DELETE", "/v1/books", &[], "").await;
    assert_eq!(
        (response.status, slug(&response)),
        (405, Code::MethodNotAllowed.slug())
    );
    assert_eq!(response.header("allow"), Some("POST"));
    assert!(server.calls().is_empty());
}

/// A body of more than 64 bytes.
const LONG: &str =
    r#"{"title":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;

/// Requests, by method, path, media type and body; the status and the code they are answered with, and
/// a part of the text.
const WRONG: [(&str, &str, &str, &str, u16, u8, &str); 8] = [
    (
        "GET",
        "/v1/shelves/1/books/2?pages=1",
        "",
        "",
        400,
        3,
        "In the query, `pages` is no field",
    ),
    (
        "GET",
        "/v1/shelves/1/books/2?pageCount=x",
        "",
        "",
        400,
        3,
        "`pageCount` is to be",
    ),
    (
        "GET",
        "/v1/shelves/1/books/2",
        JSON,
        "{}",
        400,
        3,
        "takes no body",
    ),
    (
        "POST",
        "/v1/books",
        JSON,
        "{\n \"pageCount\": \"x\" }",
        400,
        3,
        "In the body, line 2",
    ),
    ("POST", "/v1/books", JSON, "[1", 400, 3, "In the body"),
    (
        "POST",
        "/v1/books",
        "Content-Type: text/plain",
        "{}",
        415,
        12,
        "application/json",
    ),
    ("POST", "/v1/books", "", "{}", 415, 12, "application/json"),
    ("POST", "/v1/books", JSON, LONG, 413, 8, "64 bytes"),
];

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_where() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "max_message: { request: 64 }").await;
    for (method, target, media, body, status, code, text) in WRONG {
        let headers: Vec<_> = [media]
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        let response = call(&gateway, method, target, &headers, body).await;
        assert_eq!(
            response.status,
            status,
            "{target} {body}: {}",
            response.text()
        );
        assert_eq!(response.header("content-type"), Some("application/json"));
        let said = response.json();
        assert_eq!(said["code"], code, "{said}");
        assert!(said["message"].as_str().unwrap().contains(text), "{said}");
        assert_eq!(
            details(&response)["@type"],
            "type.googleapis.com/google.rpc.ErrorInfo"
        );
        assert_eq!(details(&response)["domain"], "weir");
    }
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_failed_call_has_the_http_status_of_its_code() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    for (code, status) in [
        (3, 400),
        (5, 404),
        (7, 403),
        (8, 429),
        (12, 501),
        (14, 503),
        (16, 401),
    ] {
        let header = format!("x-code: {code}");
        let response = call(&gateway, "GET", "/v1/fail/a", &[&header], "").await;
        assert_eq!(response.status, status, "{code}");
        assert_eq!(response.json()["code"], code);
        assert_eq!(response.json()["message"], "told to fail: 100% \u{fc}");
        assert_eq!(
            (slug(&response), response.header("grpc-message")),
            ("", None)
        );
    }
    let labels = [
        ("weir_route", "calls"),
        ("rpc_response_status_code", "NOT_FOUND"),
    ];
    let name = "rpc_server_call_duration_seconds_count";
    gateway.wait_for_metric(name, &labels, |n| n == 1.0).await;
}

#[tokio::test]
async fn a_call_is_tried_again_as_a_native_one() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "retries: { on: [unavailable] }").await;
    let headers = ["x-code: 14", "x-until: 2"];
    let response = call(&gateway, "GET", "/v1/fail/a", &headers, "").await;
    assert_eq!(
        (response.status, response.json()),
        (200, json!({ "name": "a" }))
    );
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn the_gateways_own_errors_are_statuses_too() {
    let dead = Upstream::refusing();
    let gateway = start(dead.addr(), "", "", "").await;
    let response = call(&gateway, "GET", "/v1/shelves/1/books/2", &[], "").await;
    assert_eq!(
        (response.status, slug(&response)),
        (502, Code::ConnectionRefused.slug())
    );
    assert_eq!(response.json()["code"], 14);
    assert_eq!(details(&response)["reason"], "CONNECTION_REFUSED");
    drop(gateway);

    let gateway = start(dead.addr(), "", "", "{ kind: key_auth }").await;
    let response = call(&gateway, "GET", "/v1/shelves/1/books/2", &[], "").await;
    assert_eq!(
        (response.status, slug(&response)),
        (401, Code::CredentialMissing.slug())
    );
    assert_eq!(response.json()["code"], 16);
    drop(gateway);

    let server = Server::start().await;
    let gateway = shop(&server, "", "timeout: 200ms").await;
    let response = call(&gateway, "GET", "/v1/hang/a", &[], "").await;
    assert_eq!(
        (response.status, slug(&response)),
        (504, Code::RequestDeadlineExceeded.slug())
    );
    assert_eq!(response.json()["code"], 4);
}

#[tokio::test]
async fn an_answer_that_is_not_as_described_is_the_upstreams_fault() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "max_message: { response: 16 }").await;
    let response = call(&gateway, "POST", "/v1/misfit", &[JSON], r#"{"name":"a"}"#).await;
    assert_eq!(
        (response.status, slug(&response)),
        (502, Code::GrpcMessageInvalid.slug())
    );
    assert_eq!(response.json()["code"], 13);
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/v1/misfit")
        .await;
    let detail = line["weir.error.detail"].as_str().unwrap();
    assert!(detail.contains("shop.Count"), "{detail}");

    let target = "/v1/shelves/1/books/2?title=a";
    let response = call(&gateway, "GET", target, &[], "").await;
    assert_eq!(
        (response.status, slug(&response)),
        (502, Code::ResponseMessageTooLarge.slug())
    );
}

#[tokio::test]
async fn streams_are_lines_or_events() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let lines = "{\"name\":\"a\"}\n\n{\"name\":\"b\"}\n";
    let ndjson = "Content-Type: application/x-ndjson";
    let response = call(&gateway, "POST", "/v1/feed", &[ndjson], lines).await;
    assert_eq!(
        response.header("content-type"),
        Some("application/x-ndjson")
    );
    assert_eq!(response.text(), "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
    let sse = "Accept: text/event-stream";
    let response = call(&gateway, "POST", "/v1/feed", &[ndjson, sse], lines).await;
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        response.text(),
        "data: {\"name\":\"a\"}\n\ndata: {\"name\":\"b\"}\n\n"
    );
    drop(gateway);
    let gateway = shop(&server, "stream: sse", "").await;
    let response = call(&gateway, "POST", "/v1/feed", &[ndjson], "").await;
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert_eq!((response.status, response.text().as_str()), (200, ""));
}

#[tokio::test]
async fn messages_of_a_stream_go_on_as_they_come() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let mut connection = Connection::open(gateway.addr("public")).await;
    let head = "POST /v1/feed HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
                Content-Type: application/x-ndjson\r\n\r\n";
    connection
        .send(format!("{head}d\r\n{{\"name\":\"a\"}}\n\r\n"))
        .await
        .unwrap();
    connection.read_until("{\"name\":\"a\"}\n").await;
    connection
        .send("d\r\n{\"name\":\"b\"}\n\r\n")
        .await
        .unwrap();
    connection.read_until("{\"name\":\"b\"}\n").await;
    connection.send("2\r\nx\n\r\n").await.unwrap();
    // The head is out: what is wrong with the third is said at the end.
    let end = connection.read_until("\n\r\n0\r\n\r\n").await;
    assert!(end.contains("{\"error\":{\"code\":3,"), "{end}");
    assert!(end.contains("message 3"), "{end}");
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_at_its_end() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let headers = ["x-code: 15", "Accept: text/event-stream"];
    let response = call(&gateway, "GET", "/v1/late/a", &headers, "").await;
    assert_eq!(response.status, 200);
    let text = response.text();
    assert!(
        text.starts_with("data: {\"name\":\"a\"}\n\nevent: error\ndata: {\"code\":15,"),
        "{text}"
    );
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/v1/late/a")
        .await;
    assert_eq!(line["rpc"]["response.status_code"], "DATA_LOSS");
    drop(gateway);

    let gateway = shop(&server, "", "timeout: 300ms").await;
    let response = call(&gateway, "GET", "/v1/drip/a", &[], "").await;
    let text = response.text();
    assert!(
        text.starts_with("{\"name\":\"a\"}\n{\"error\":{\"code\":4,"),
        "{text}"
    );
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/v1/drip/a")
        .await;
    assert_eq!(line["error.type"], Code::RequestDeadlineExceeded.slug());
}

#[tokio::test]
async fn raw_bodies_go_both_ways() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let response = call(
        &gateway,
        "PUT",
        "/v1/files/a",
        &["Content-Type: text/css"],
        "a { }",
    )
    .await;
    assert_eq!((response.status, response.text().as_str()), (200, "a { }"));
    assert_eq!(response.header("content-type"), Some("text/css"));
    assert_eq!(response.header("content-length"), Some("5"));
}

#[tokio::test]
async fn a_head_is_answered_as_a_get_without_its_body() {
    let server = Server::start().await;
    let gateway = shop(&server, "", "").await;
    let response = call(&gateway, "HEAD", "/v1/shelves/1/books/2", &[], "").await;
    assert_eq!((response.status, response.text().as_str()), (200, ""));
    assert_eq!(response.header("content-length"), Some("28"));
}
