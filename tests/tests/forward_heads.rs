//! `forward` end to end: what an upstream is told and what it is not, where a request goes, and
//! the actions that ask nobody.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::net::SocketAddr;

use serde_json::Value;
use weir_telemetry::Code;
use weir_tests::upstream::Received;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream};

/// A gateway with these routes (and more top-level sections) in front of an upstream called `up`.
async fn gateway(upstream: SocketAddr, more: &str) -> Gateway {
    gateway_to(upstream, "", more).await
}

/// The same, with more said of the upstream.
async fn gateway_to(upstream: SocketAddr, said: &str, more: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
{more}
upstreams:
  - {{ name: up, endpoints: [{{ address: "{upstream}" }}]{said} }}
"#
    ))
    .await
}

const PLAIN: &str = r#"
server: { data_dir: "${DATA_DIR}" }
routes: [{ name: all, forward: { backends: [{ upstream: up }] } }]
"#;

const TRUSTING: &str = r#"
server: { data_dir: "${DATA_DIR}", trusted_proxies: [127.0.0.0/8, 10.0.0.0/8] }
routes: [{ name: all, forward: { backends: [{ upstream: up }] } }]
"#;

async fn echo(more: &str) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = gateway(upstream.addr(), more).await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

fn last(upstream: &Upstream) -> Received {
    upstream
        .requests()
        .pop()
        .expect("the upstream saw a request")
}

#[tokio::test]
async fn an_upstream_is_told_who_asks() {
    let (upstream, gateway, public) = echo(PLAIN).await;
    let headers = [
        "Host: shop.example.com",
        "X-Forwarded-For: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example.com",
        "X-Request-Id: chosen-by-a-stranger",
        "Weir-Consumer: admin",
        "weir-team: root",
    ];
    let answer = wire::request(public, "GET", "/who", &headers, "").await;
    let seen = last(&upstream);
    assert_eq!(seen.header("host"), Some("shop.example.com"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example.com"));
    for name in ["weir-consumer", "weir-team", "forwarded"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let id = seen.header("x-request-id").unwrap();
    assert_ne!(id, "chosen-by-a-stranger");
    assert_eq!(answer.header("x-request-id"), Some(id));
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/who")
        .await;
    let traceparent = seen.header("traceparent").unwrap();
    let trace_id = line["trace_id"].as_str().unwrap();
    assert!(
        traceparent.starts_with(&format!("00-{trace_id}-")),
        "{traceparent}"
    );
    assert_eq!(line["client.address"], "127.0.0.1");
}

#[tokio::test]
async fn a_trace_is_continued() {
    let (upstream, _gateway, public) = echo(PLAIN).await;
    let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    wire::request(public, "GET", "/", &[parent, "tracestate: a=1,b=2"], "").await;
    let seen = last(&upstream);
    let traceparent = seen.header("traceparent").unwrap();
    assert!(
        traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
        "{traceparent}"
    );
    assert!(traceparent.ends_with("-01") && !traceparent.contains("b7ad6b7169203331"));
    assert_eq!(seen.headers.all("traceparent").count(), 1);
    assert_eq!(seen.header("tracestate"), Some("a=1,b=2"));
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_continued() {
    let (upstream, gateway, public) = echo(TRUSTING).await;
    let headers = [
        "X-Forwarded-For: 6.6.6.6, 203.0.113.9",
        "X-Forwarded-For: 10.1.1.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example.com",
        "X-Request-Id: from-the-edge",
    ];
    wire::request(public, "GET", "/trusted", &headers, "").await;
    let seen = last(&upstream);
    let hops = "6.6.6.6, 203.0.113.9, 10.1.1.1, 127.0.0.1";
    assert_eq!(
        seen.headers.all("x-forwarded-for").collect::<Vec<_>>(),
        [hops]
    );
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example.com"));
    assert_eq!(seen.header("x-request-id"), Some("from-the-edge"));
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/trusted")
        .await;
    assert_eq!(line["client.address"], "203.0.113.9");
    assert_eq!(line["request_id"], "from-the-edge");
}

#[tokio::test]
async fn fields_between_neighbours_are_not_passed_on_either_way() {
    let (upstream, _gateway, public) = echo(PLAIN).await;
    let mut connection = Connection::open(public).await;
    connection
        .send(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop, host\r\nX-Hop: 1\r\n\
             Connection: x-other\r\nX-Other: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n\
             TE: trailers, deflate\r\nX-End: 3\r\n\r\n",
        )
        .await
        .unwrap();
    assert_eq!(connection.response().await.status, 200);
    let seen = last(&upstream);
    for gone in [
        "connection",
        "x-hop",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "te",
    ] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    // Nobody may talk a neighbour out of what routes the message.
    assert_eq!(
        (seen.header("host"), seen.header("x-end")),
        (Some("a"), Some("3"))
    );

    let lines = [
        "Connection: X-Hop, keep-alive",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: x",
        "Upgrade: h2c",
        "X-End: 3",
    ];
    upstream.set(Behaviour::answer(200, &lines, "x"));
    connection
        .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let answer = connection.response().await;
    for gone in ["x-hop", "keep-alive", "proxy-connection", "upgrade"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_eq!(
        (answer.header("connection"), answer.header("x-end")),
        (Some("keep-alive"), Some("3"))
    );
}

/// What becomes of spelled names: the upstream's request head, and the names of the answer.
async fn respelled(said: &str) -> (String, Vec<String>) {
    let lines = ["X-API-KeY: 1", "sOAPAction: 2"];
    let upstream = Upstream::start(Behaviour::answer(200, &["X-StrangE: 1"], "x")).await;
    let gateway = gateway_to(upstream.addr(), said, PLAIN).await;
    let answer = wire::request(gateway.addr("public"), "GET", "/", &lines, "").await;
    assert_eq!(
        (answer.status, answer.header("x-strange")),
        (200, Some("1"))
    );
    let head = String::from_utf8(last(&upstream).raw_head).unwrap();
    let names = answer.headers.0.into_iter().map(|(name, _)| name);
    (head, names.collect())
}

#[tokio::test]
async fn names_go_in_small_letters() {
    let (head, names) = respelled("").await;
    for line in ["x-api-key: 1", "soapaction: 2"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert!(names.contains(&"x-strange".to_owned()), "{names:?}");
}

#[tokio::test]
async fn names_stay_as_they_were_spelled_where_an_upstream_wants_that() {
    let (head, names) = respelled(", preserve_header_case: true").await;
    for line in ["X-API-KeY: 1", "sOAPAction: 2"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert!(names.contains(&"X-StrangE".to_owned()), "{names:?}");
}

#[tokio::test]
async fn an_upgrade_to_http2_in_the_clear_is_no_way_past_the_routes() {
    let (upstream, _gateway, public) = echo(PLAIN).await;
    let headers = [
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
    ];
    assert_eq!(
        wire::request(public, "GET", "/", &headers, "").await.status,
        200
    );
    for gone in ["upgrade", "http2-settings", "connection"] {
        assert_eq!(last(&upstream).header(gone), None, "{gone}");
    }
    // Without `Connection: upgrade` the field is a neighbour's leftover.
    wire::request(public, "GET", "/", &["Upgrade: websocket"], "").await;
    assert_eq!(last(&upstream).header("upgrade"), None);
}

#[tokio::test]
async fn an_absolute_target_is_asked_for_in_origin_form() {
    let more = r#"
server: { data_dir: "${DATA_DIR}" }
routes: [{ name: shop, hosts: [shop.example.com], forward: { backends: [{ upstream: up }] } }]
"#;
    let (upstream, _gateway, public) = echo(more).await;
    let requests = [
        "GET http://shop.example.com/p?q=1 HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        "GET http://shop.example.com/p?q=1 HTTP/1.0\r\n\r\n",
    ];
    for request in requests {
        assert_eq!(
            wire::exchange(public, request).await.status,
            200,
            "{request}"
        );
        let seen = last(&upstream);
        assert_eq!(
            (seen.target.as_str(), seen.header("host")),
            ("/p?q=1", Some("shop.example.com"))
        );
    }
}

#[tokio::test]
async fn paths_are_normalised_before_they_are_matched_and_sent() {
    let more = r#"
server: { data_dir: "${DATA_DIR}" }
routes:
  - { name: open, matches: [{ path: { prefix: /open } }], forward: { backends: [{ upstream: up }] } }
  - { name: closed, matches: [{ path: { prefix: /closed } }], respond: { status: 403 } }
"#;
    let (upstream, _gateway, public) = echo(more).await;
    for target in [
        "/open/../closed/x",
        "/open/%2e%2e/closed",
        "/x/../closed",
        "/./closed",
    ] {
        assert_eq!(wire::get(public, target).await.status, 403, "{target}");
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(
        wire::get(public, "/open/a/./b/../c?x=/../y").await.status,
        200
    );
    assert_eq!(last(&upstream).target, "/open/a/c?x=/../y");
    let above = wire::get(public, "/open/../../closed").await;
    assert!(matches!(above.status, 400 | 403), "{}", above.status);
}

#[tokio::test]
async fn rewrites_change_the_path_and_the_host_and_keep_the_query() {
    let more = r#"
server: { data_dir: "${DATA_DIR}" }
routes:
  - name: strip
    matches: [{ path: { prefix: /api } }]
    forward: { backends: [{ upstream: up }], rewrite: { path: { strip_prefix: /api }, host: orders.internal } }
  - name: captured
    matches: [{ path: { template: "/users/{id}/posts/{*rest}" } }]
    forward: { backends: [{ upstream: up }], rewrite: { path: { template: "/v2/{path.id}/{path.rest}" } } }
  - name: replaced
    matches: [{ path: { exact: /old } }]
    forward: { backends: [{ upstream: up }], rewrite: { path: { replace: /new } } }
"#;
    let (upstream, _gateway, public) = echo(more).await;
    for (asked, sent) in [
        ("/api/orders/7?a=1&b=%20", "/orders/7?a=1&b=%20"),
        ("/api", "/"),
        ("/api?x", "/?x"),
        ("/users/7/posts/a/b?c", "/v2/7/a/b?c"),
        ("/old?d=1", "/new?d=1"),
    ] {
        assert_eq!(wire::get(public, asked).await.status, 200, "{asked}");
        assert_eq!(last(&upstream).target, sent, "{asked}");
    }
    wire::get(public, "/api/x").await;
    let seen = last(&upstream);
    assert_eq!(
        seen.headers.all("host").collect::<Vec<_>>(),
        ["orders.internal"]
    );
    assert_eq!(
        seen.header("x-forwarded-host"),
        Some(public.to_string().as_str())
    );
    let missed = wire::get(public, "/apiary").await;
    assert_eq!(
        missed.header("weir-error"),
        Some(Code::RouteNotFound.slug())
    );
}

#[tokio::test]
async fn backends_share_requests_by_weight() {
    let other = Upstream::start(Behaviour::answer(200, &[], "other")).await;
    let upstream = Upstream::start(Behaviour::answer(200, &[], "up")).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
upstreams:
  - {{ name: up, endpoints: [{{ address: "{}" }}] }}
  - {{ name: other, endpoints: [{{ address: "{}" }}] }}
  - {{ name: out, endpoints: [{{ address: "127.0.0.1:9" }}] }}
routes:
  - name: shared
    forward: {{ backends: [{{ upstream: up, weight: 3 }}, {{ upstream: other }}, {{ upstream: out, weight: 0 }}] }}
"#,
        upstream.addr(),
        other.addr()
    ))
    .await;
    let mut counts: HashMap<String, u32> = HashMap::new();
    for _ in 0..40 {
        let answer = wire::get(gateway.addr("public"), "/").await;
        *counts.entry(answer.text()).or_default() += 1;
    }
    assert_eq!(
        counts,
        HashMap::from([("up".to_owned(), 30), ("other".to_owned(), 10)])
    );
}

#[tokio::test]
async fn a_route_may_answer_or_redirect_by_itself() {
    let more = r#"
server: { data_dir: "${DATA_DIR}" }
routes:
  - name: teapot
    matches: [{ path: { exact: /teapot } }]
    policies: [{ kind: headers, response: { set: { x-kind: own } } }]
    respond: { status: 418, body: "short and stout", headers: { content-type: text/plain, x-a: b } }
  - { name: empty, matches: [{ path: { exact: /empty } }], respond: { status: 204 } }
  - name: moved
    matches: [{ path: { template: "/old/{*rest}" } }]
    redirect: { location: "https://new.example.com/{path.rest}", status: 308 }
"#;
    let (upstream, gateway, public) = echo(more).await;
    let teapot = wire::get(public, "/teapot").await;
    assert_eq!(
        (teapot.status, teapot.text().as_str()),
        (418, "short and stout")
    );
    assert_eq!(
        (teapot.header("content-type"), teapot.header("x-a")),
        (Some("text/plain"), Some("b"))
    );
    assert_eq!(
        teapot.header("x-kind"),
        Some("own"),
        "response policies see it too"
    );
    // A small body that nobody reads does not cost the connection, and is not the next request.
    let mut connection = Connection::open(public).await;
    for _ in 0..2 {
        connection
            .send(wire::message(
                public,
                "POST",
                "/teapot",
                &[],
                b"GET / HTTP/1.1",
            ))
            .await
            .unwrap();
        assert_eq!(connection.response().await.status, 418);
    }
    let head = wire::request(public, "HEAD", "/teapot", &[], "").await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (418, Some("15"))
    );
    assert_eq!(wire::get(public, "/empty").await.status, 204);
    let moved = wire::get(public, "/old/a/b").await;
    assert_eq!(
        (moved.status, moved.header("location")),
        (308, Some("https://new.example.com/a/b"))
    );
    assert!(upstream.requests().is_empty());
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/old/a/b")
        .await;
    assert_eq!(
        (&line["weir.action"], &line["weir.route"]),
        (&"redirect".into(), &"moved".into())
    );
}

#[tokio::test]
async fn an_unknown_path_and_an_unserved_method_are_told_apart() {
    let more = r#"
server: { data_dir: "${DATA_DIR}" }
routes: [{ name: orders, matches: [{ path: { prefix: /orders }, methods: [GET, POST] }], forward: { backends: [{ upstream: up }] } }]
"#;
    let (upstream, gateway, public) = echo(more).await;
    for (method, path, code) in [
        ("GET", "/nowhere", Code::RouteNotFound),
        ("DELETE", "/orders", Code::MethodNotAllowed),
    ] {
        let answer = wire::request(public, method, path, &["Connection: close"], "").await;
        assert_problem(&answer, code);
        let line = gateway
            .wait_for_log(|line| line["error.type"] == code.slug())
            .await;
        assert_eq!(line["request_id"], answer.json()["request_id"]);
        let labels = [("listener", "public"), ("error_type", code.slug())];
        gateway
            .wait_for_metric("weir_requests_refused_total", &labels, |n| n >= 1.0)
            .await;
    }
    let refused = wire::request(public, "DELETE", "/orders", &["Connection: close"], "").await;
    assert_eq!(refused.header("allow"), Some("GET, POST"));
    assert!(upstream.requests().is_empty());
    // A HEAD is served where a GET is.
    let head = wire::request(public, "HEAD", "/orders", &["Connection: close"], "").await;
    assert_eq!(head.status, 200);
}

/// An error says in header, `Proxy-Status` and body what it is.
fn assert_problem(answer: &wire::Response, code: Code) {
    assert_eq!(answer.status, code.status());
    assert_eq!(answer.header("weir-error"), Some(code.slug()));
    let status = format!("weir; error={}; details=\"{code}\"", code.proxy_error());
    assert_eq!(answer.header("proxy-status"), Some(status.as_str()));
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let body = answer.json();
    assert_eq!(
        (&body["code"], &body["status"]),
        (&Value::from(code.slug()), &code.status().into())
    );
    assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(body["trace_id"].as_str().unwrap().len(), 32);
    assert!(body["type"].as_str().unwrap().contains(code.slug()));
}
