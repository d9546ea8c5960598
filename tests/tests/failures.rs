//! Every way an upstream fails: its code and status, and that all places tell the same story.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use weir_telemetry::Code;
use weir_tests::tls::{Authority, Validity};
use weir_tests::upstream::{Step, When, http2};
use weir_tests::wire::{self, Connection, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

/// The configuration of a gateway before one upstream, `up`, of which `more` is said.
fn config(address: impl std::fmt::Display, more: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{address}" }}], {more} }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    )
}

async fn gateway(address: impl std::fmt::Display, more: &str) -> Gateway {
    Gateway::start(&config(address, more)).await
}

const ONCE: &str = "retries: { max: 0 }";

/// The record of a request, once it is written, as log and flight recorder agree on it.
async fn record(gateway: &Gateway, id: &str, code: Code) -> Value {
    let line = gateway.wait_for_log(|line| line["request_id"] == id).await;
    assert_eq!(line["error.type"], code.slug(), "{line}");
    assert_eq!(line["weir.fault"], code.fault().as_str());
    gateway
        .wait_for_metric("weir_errors_total", &[("error_type", code.slug())], |n| {
            n >= 1.0
        })
        .await;
    let kept = gateway.admin(&format!("/requests/{id}")).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    let kept = kept.json();
    assert_eq!(kept["error.type"], code.slug());
    assert_eq!(kept["runbook"], code.runbook());
    assert_eq!(kept["weir.attempts"], line["weir.attempts"]);
    line
}

/// The caller is told `code` in every way there is, and so is the operator; gives the log line.
async fn told(gateway: &Gateway, response: &Response, code: Code) -> Value {
    assert_eq!(
        response.header("weir-error"),
        Some(code.slug()),
        "{}",
        response.text()
    );
    assert_eq!(response.status, code.status());
    let proxy_status = format!("weir; error={}; details=\"{code}\"", code.proxy_error());
    assert_eq!(response.header("proxy-status"), Some(proxy_status.as_str()));
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
    let problem = response.json();
    assert_eq!(problem["code"], code.slug());
    assert_eq!(problem["status"], code.status());
    assert!(
        problem["type"].as_str().unwrap().contains(code.slug()),
        "{problem}"
    );
    let id = response.header("x-request-id").unwrap();
    assert_eq!(problem["request_id"], id);

    let line = record(gateway, id, code).await;
    assert_eq!(line["http.response.status_code"], code.status());
    assert_eq!(line["trace_id"], problem["trace_id"]);
    line
}

/// The answer had begun, so that its end alone can tell of the failure.
async fn cut(gateway: &Gateway, response: &Response, code: Code) -> Value {
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(
        response.broken.is_some(),
        "a broken answer ended as if it were whole"
    );
    let line = record(gateway, response.header("x-request-id").unwrap(), code).await;
    assert_eq!(line["http.response.status_code"], 200);
    assert_eq!(line["weir.aborted"], true);
    line
}

fn attempts(line: &Value) -> Vec<&str> {
    let attempts = line["weir.attempts"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    attempts
        .iter()
        .map(|attempt| attempt["error"].as_str().unwrap_or("none"))
        .collect()
}

/// A GET to an upstream that behaves like this fails with `code` before its answer began.
async fn fails(behaviour: Behaviour, more: &str, code: Code) -> Value {
    let upstream = Upstream::start(behaviour).await;
    fails_at(upstream.addr(), more, code).await
}

async fn fails_at(address: impl std::fmt::Display, more: &str, code: Code) -> Value {
    let gateway = gateway(address, more).await;
    let response = wire::get(gateway.addr("public"), "/").await;
    let line = told(&gateway, &response, code).await;
    assert_eq!(attempts(&line), [code.slug()]);
    line
}

/// A GET to an upstream that behaves like this is answered with 200 and cut with `code`.
async fn is_cut(behaviour: Behaviour, more: &str, code: Code) -> Value {
    let upstream = Upstream::start(behaviour).await;
    let gateway = gateway(upstream.addr(), more).await;
    let response = wire::get(gateway.addr("public"), "/").await;
    let line = cut(&gateway, &response, code).await;
    assert_eq!(attempts(&line), [code.slug()]);
    line
}

#[tokio::test]
async fn a_refused_connection() {
    let nobody = Upstream::refusing();
    fails_at(nobody.addr(), ONCE, Code::ConnectionRefused).await;
}

#[tokio::test]
async fn a_connection_that_does_not_come_about() {
    let nobody = Upstream::unreachable().await;
    let more = "retries: { max: 0 }, timeouts: { connect: 300ms }";
    fails_at(nobody.addr(), more, Code::ConnectionTimeout).await;
}

#[tokio::test]
async fn a_connection_that_ends_before_any_byte_of_an_answer() {
    for behaviour in [
        Behaviour::reset_on_accept(),
        Behaviour::reset_before_head(),
        Behaviour::close_before_head(),
    ] {
        let line = fails(behaviour, ONCE, Code::ConnectionTerminated).await;
        assert_eq!(line["weir.attempts"][0]["reused"], false);
    }
}

#[tokio::test]
async fn a_connection_that_ends_amid_the_head() {
    // Retries are allowed, and this is none: part of an answer has come.
    let line = fails(
        Behaviour::reset_amid_head(),
        "",
        Code::HttpResponseIncomplete,
    )
    .await;
    assert!(line["weir.attempts"][0].get("retried").is_none(), "{line}");
}

#[tokio::test]
async fn a_name_nobody_knows() {
    let line = fails_at("nobody.invalid:80", ONCE, Code::DnsError).await;
    let detail = line["weir.error.detail"].as_str().unwrap();
    assert!(detail.contains("nobody.invalid"), "{detail}");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for() {
    let authority = Authority::new();
    let certificate = authority.issue(&["127.0.0.1"], Validity::Current);
    let upstream = Upstream::tls(&certificate, [Behaviour::echo()]).await;
    let more = "tls: {}, retries: { max: 0 }";
    fails_at(upstream.addr(), more, Code::TlsCertificateError).await;
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    let authority = Authority::new();
    let certificate = authority.issue(&["elsewhere.example.com"], Validity::Current);
    let upstream = Upstream::tls(&certificate, [Behaviour::echo()]).await;
    let yaml = config(
        upstream.addr(),
        "tls: { ca: ca.pem, sni: here.example.com }, retries: { max: 0 }",
    );
    let builder = Gateway::builder(&yaml);
    authority.write(&builder.dir().join("config"), "ca.pem");
    let gateway = builder.file("ca.pem", authority.pem()).start().await;
    let response = wire::get(gateway.addr("public"), "/").await;
    told(&gateway, &response, Code::TlsCertificateError).await;
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_speaks_no_tls() {
    let behaviour = Behaviour::garbage().at(When::Connected);
    fails(
        behaviour,
        "tls: {}, retries: { max: 0 }",
        Code::TlsProtocolError,
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_is_no_http() {
    fails(Behaviour::garbage(), ONCE, Code::HttpProtocolError).await;
}

#[tokio::test]
async fn an_endpoint_that_switches_protocols_unasked() {
    let steps = [
        Step::Send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_vec()),
        Step::Hang,
    ];
    fails(Behaviour::steps(steps), ONCE, Code::HttpProtocolError).await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_http2() {
    fails(
        Behaviour::garbage().at(When::Connected),
        "protocol: http2, retries: { max: 0 }",
        Code::HttpProtocolError,
    )
    .await;
}

#[tokio::test]
async fn a_bad_chunk_cuts_the_answer() {
    is_cut(Behaviour::bad_chunk(), ONCE, Code::HttpProtocolError).await;
}

#[tokio::test]
async fn what_came_before_a_bad_chunk_is_passed_on_even_if_it_came_with_it() {
    let upstream = Upstream::start(Behaviour::bad_chunk_at_once()).await;
    let gateway = gateway(upstream.addr(), ONCE).await;
    let response = wire::get(gateway.addr("public"), "/").await;
    cut(&gateway, &response, Code::HttpProtocolError).await;
    assert_eq!(response.text(), "0123456789");
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_ends_cleanly() {
    for behaviour in [
        Behaviour::short_body(),
        Behaviour::short_chunks(),
        Behaviour::reset_amid_body(),
    ] {
        is_cut(behaviour, ONCE, Code::HttpResponseIncomplete).await;
    }
}

#[tokio::test]
async fn an_http2_caller_sees_a_reset_instead_of_an_end() {
    let upstream = Upstream::start(Behaviour::short_chunks()).await;
    let gateway = gateway(upstream.addr(), ONCE).await;
    let tcp = tokio::net::TcpStream::connect(gateway.addr("public"))
        .await
        .unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://here.example.com/")
        .body(())
        .unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    // A reset may overtake the head; what it must not do is fail to come.
    let broken = match response.await {
        Err(error) => error,
        Ok(response) => {
            let mut body = response.into_body();
            loop {
                if let Err(error) = body.data().await.expect("it ended as if whole") {
                    break error;
                }
            }
        }
    };
    assert!(broken.is_reset(), "{broken}");
}

#[tokio::test]
async fn http2_resets_before_and_amid_the_answer() {
    use http2::Behaviour::{Reset, ResetAmidBody};
    let more = "protocol: http2, retries: { max: 0 }";
    let upstream = http2::Upstream::start(Reset(h2::Reason::INTERNAL_ERROR)).await;
    fails_at(upstream.addr(), more, Code::ConnectionTerminated).await;

    for reason in [
        h2::Reason::INTERNAL_ERROR,
        h2::Reason::NO_ERROR,
        h2::Reason::CANCEL,
    ] {
        let upstream = http2::Upstream::start(ResetAmidBody(reason)).await;
        let gateway = gateway(upstream.addr(), more).await;
        let response = wire::get(gateway.addr("public"), "/").await;
        cut(&gateway, &response, Code::HttpResponseIncomplete).await;
    }
}

#[tokio::test]
async fn a_refused_stream_when_no_retry_is_left() {
    let upstream = http2::Upstream::start(http2::Behaviour::Refuse { first: 100 }).await;
    let gateway = gateway(upstream.addr(), "protocol: http2, retries: { max: 1 }").await;
    let response = wire::get(gateway.addr("public"), "/").await;
    let line = told(&gateway, &response, Code::StreamRefused).await;
    assert_eq!(attempts(&line), ["stream_refused"; 2]);
}

#[tokio::test]
async fn no_first_byte_in_time() {
    let more = "timeouts: { first_byte: 200ms }";
    fails(Behaviour::hang(), more, Code::HttpResponseTimeout).await;
}

#[tokio::test]
async fn silence_amid_the_answer() {
    let minute = Duration::from_secs(60);
    is_cut(
        Behaviour::slow_body(&["never"], minute),
        "timeouts: { stream_idle: 200ms }",
        Code::ResponseStalled,
    )
    .await;
}

#[tokio::test]
async fn the_total_deadline_before_the_answer() {
    fails(
        Behaviour::hang(),
        "timeouts: { total: 300ms }",
        Code::RequestDeadlineExceeded,
    )
    .await;
}

#[tokio::test]
async fn the_total_deadline_amid_an_answer_without_end() {
    for every in [Duration::from_millis(5), Duration::ZERO] {
        is_cut(
            Behaviour::endless_chunks(every),
            "timeouts: { total: 400ms }",
            Code::RequestDeadlineExceeded,
        )
        .await;
    }
}

#[tokio::test]
async fn a_caller_that_stops_sending_is_not_the_upstreams_fault() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let more = "timeouts: { first_byte: 100ms, total: 500ms }";
    let gateway = gateway(upstream.addr(), more).await;
    let half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345";
    let response = wire::exchange(gateway.addr("public"), half).await;
    assert_eq!(
        response.header("weir-error"),
        Some(Code::RequestBodyTimeout.slug())
    );
    assert_eq!(response.status, 408);
    upstream.wait_for_close().await;
}

/// A request that is under way at the upstream, on its own connection.
async fn begin(public: SocketAddr, upstream: &Upstream) -> Connection {
    let before = upstream.requests().len();
    let mut connection = Connection::open(public).await;
    connection
        .send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    upstream.wait_for_requests(before + 1).await;
    connection
}

#[tokio::test]
async fn as_many_requests_in_flight_as_the_breaker_allows() {
    let upstream = Upstream::start(Behaviour::hang()).await;
    let gateway = gateway(upstream.addr(), "breaker: { max_in_flight: 1 }").await;
    let held = begin(gateway.addr("public"), &upstream).await;
    let response = wire::get(gateway.addr("public"), "/").await;
    let line = told(&gateway, &response, Code::ConnectionLimitReached).await;
    assert!(attempts(&line).is_empty());
    assert!(response.header("retry-after").is_some());

    upstream.set(Behaviour::echo());
    drop(held);
    upstream.wait_for_close().await;
    gateway
        .wait_for_log(|line| line["url.path"] == "/held")
        .await;
    assert_eq!(wire::get(gateway.addr("public"), "/").await.status, 200);
}

#[tokio::test]
async fn as_many_connections_as_an_endpoint_may_have() {
    let upstream = Upstream::start(Behaviour::hang()).await;
    let more = "connections: { max_per_endpoint: 1 }, \
        breaker: { error_percent: 1, minimum_requests: 1, open_for: 60s }";
    let gateway = gateway(upstream.addr(), more).await;
    let held = begin(gateway.addr("public"), &upstream).await;
    let response = wire::get(gateway.addr("public"), "/").await;
    told(&gateway, &response, Code::ConnectionLimitReached).await;

    // A limit of ours is no failure of the endpoint's: the breaker has not opened.
    upstream.set(Behaviour::echo());
    drop(held);
    upstream.wait_for_close().await;
    gateway
        .wait_for_log(|line| line["url.path"] == "/held")
        .await;
    assert_eq!(wire::get(gateway.addr("public"), "/").await.status, 200);
}

#[tokio::test]
async fn an_open_breaker_says_when_to_come_back() {
    let upstream = Upstream::start(Behaviour::answer(500, &[], "no")).await;
    let more = "breaker: { error_percent: 50, minimum_requests: 2, open_for: 60s }";
    let gateway = gateway(upstream.addr(), more).await;
    for _ in 0..2 {
        assert_eq!(wire::get(gateway.addr("public"), "/").await.status, 500);
    }
    let response = wire::get(gateway.addr("public"), "/").await;
    told(&gateway, &response, Code::BreakerOpen).await;
    let after: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert_eq!(upstream.requests().len(), 2);
    assert!(gateway.metric("weir_upstream_breaker_open", &[]).await > 0.0);
}

#[tokio::test]
async fn no_endpoint_is_healthy() {
    let nobody = Upstream::refusing();
    let more =
        "health: { active: { kind: tcp, interval: 50ms, timeout: 50ms, unhealthy_after: 1 } }";
    let gateway = gateway(nobody.addr(), more).await;
    gateway
        .wait_for_metric("weir_upstream_endpoint_healthy", &[], |n| n < 1.0)
        .await;
    let response = wire::get(gateway.addr("public"), "/").await;
    told(&gateway, &response, Code::DestinationUnavailable).await;
    assert!(response.header("retry-after").is_some());
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer() {
    let upstream = Upstream::start(Behaviour::hang()).await;
    let gateway = gateway(upstream.addr(), "").await;
    let held = begin(gateway.addr("public"), &upstream).await;
    held.reset();
    upstream.wait_for_close().await;
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/held")
        .await;
    assert_eq!(line["error.type"], Code::ClientDisconnected.slug());
    assert_eq!(line["http.response.status_code"], 499);
    assert_eq!(attempts(&line), ["client_disconnected"]);
}

#[tokio::test]
async fn a_caller_that_leaves_amid_the_answer() {
    let upstream = Upstream::start(Behaviour::endless_chunks(Duration::from_millis(5))).await;
    let gateway = gateway(upstream.addr(), "").await;
    let mut connection = begin(gateway.addr("public"), &upstream).await;
    assert!(connection.head().await.unwrap().start.contains("200"));
    connection.read_until("0123456789").await;
    connection.reset();
    upstream.wait_for_close().await;
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/held")
        .await;
    assert_eq!(line["error.type"], Code::ClientDisconnected.slug());
    assert_eq!(line["http.response.status_code"], 200);
    assert_eq!(line["weir.aborted"], true);
}
