//! Endpoints that fall ill and recover: health checks, ejection, breakers, names; and what becomes
//! of their connections.

use std::net::SocketAddr;

use serde_json::Value;
use weir_telemetry::Code;
use weir_tests::upstream::{Step, When, http2};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const HEALTHY: &str = "weir_upstream_endpoint_healthy";

/// A gateway before one upstream, `up`, with these endpoints, of which `more` is said.
fn config(endpoints: &[String], more: &str) -> String {
    let endpoints: Vec<String> = endpoints
        .iter()
        .map(|address| format!(r#"{{ address: "{address}" }}"#))
        .collect();
    let endpoints = endpoints.join(", ");
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{endpoints}], {more} }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    )
}

async fn gateway(endpoints: &[SocketAddr], more: &str) -> Gateway {
    let endpoints: Vec<String> = endpoints.iter().map(SocketAddr::to_string).collect();
    Gateway::start(&config(&endpoints, more)).await
}

async fn get(gateway: &Gateway, path: &str) -> wire::Response {
    wire::get(gateway.addr("public"), path).await
}

/// What the admin address says of the upstream.
async fn described(gateway: &Gateway) -> Value {
    gateway.admin("/upstreams").await.json()[0].clone()
}

/// The only attempt of the request for that path.
async fn attempt(gateway: &Gateway, path: &str) -> Value {
    let line = gateway.wait_for_log(|line| line["url.path"] == path).await;
    assert_eq!(
        line["weir.attempts"].as_array().map(Vec::len),
        Some(1),
        "{line}"
    );
    line["weir.attempts"][0].clone()
}

fn probed(path: &str) -> String {
    format!(
        "health: {{ active: {{ kind: http, path: {path}, interval: 50ms, timeout: 50ms, \
         healthy_after: 2, unhealthy_after: 2 }} }}, retries: {{ max: 0 }}"
    )
}

/// Requests that are no probes.
fn calls(upstream: &Upstream) -> usize {
    upstream
        .requests()
        .iter()
        .filter(|request| request.target != "/healthz")
        .count()
}

#[tokio::test]
async fn an_http_check_takes_an_endpoint_out_and_back() {
    let ill = Upstream::start(Behaviour::answer(503, &[], "")).await;
    let well = Upstream::start(Behaviour::echo()).await;
    let gateway = gateway(&[ill.addr(), well.addr()], &probed("/healthz")).await;
    let at = ill.addr().to_string();
    let label = [("endpoint", at.as_str())];
    gateway.wait_for_metric(HEALTHY, &label, |n| n < 1.0).await;
    let before = calls(&ill);
    for _ in 0..6 {
        assert_eq!(get(&gateway, "/").await.status, 200);
    }
    assert_eq!(calls(&ill), before);

    ill.set(Behaviour::echo());
    gateway.wait_for_metric(HEALTHY, &label, |n| n >= 1.0).await;
    for _ in 0..6 {
        assert_eq!(get(&gateway, "/").await.status, 200);
    }
    assert!(calls(&ill) > before);
    let probe = ill
        .requests()
        .into_iter()
        .find(|request| request.target == "/healthz")
        .unwrap();
    assert_eq!(probe.header("host"), Some(at.as_str()));
    assert_eq!(probe.header("user-agent"), Some("weir-health"));
}

#[tokio::test]
async fn a_tcp_check_takes_an_endpoint_out_and_back() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let address = upstream.addr();
    let more = "health: { active: { kind: tcp, interval: 50ms, timeout: 50ms, \
        healthy_after: 1, unhealthy_after: 1 } }";
    let gateway = gateway(&[address], more).await;
    assert_eq!(get(&gateway, "/").await.status, 200);
    upstream.stop().await;
    gateway.wait_for_metric(HEALTHY, &[], |n| n < 1.0).await;
    let refused = get(&gateway, "/").await;
    assert_eq!(
        refused.header("weir-error"),
        Some(Code::DestinationUnavailable.slug())
    );

    let _upstream = Upstream::start_at(address, Behaviour::echo()).await;
    gateway.wait_for_metric(HEALTHY, &[], |n| n >= 1.0).await;
    assert_eq!(get(&gateway, "/").await.status, 200);
}

#[tokio::test]
async fn a_check_speaks_the_protocol_of_its_upstream() {
    let upstream = http2::Upstream::start(http2::Behaviour::Echo).await;
    let more = format!("protocol: http2, {}", probed("/healthz"));
    let gateway = gateway(&[upstream.addr()], &more).await;
    let probes = upstream.wait_for_requests(3).await;
    assert_eq!(probes[0].target, "/healthz");
    assert_eq!(probes[0].version, "HTTP/2");
    assert_eq!(get(&gateway, "/").await.status, 200);
    let ill = http2::Behaviour::Answer {
        status: 503,
        headers: vec![],
        body: vec![],
        trailers: vec![],
    };
    upstream.set(ill);
    gateway.wait_for_metric(HEALTHY, &[], |n| n < 1.0).await;
}

#[tokio::test]
async fn failures_in_a_row_eject_an_endpoint_but_never_too_many() {
    let a = Upstream::start(Behaviour::answer(500, &[], "")).await;
    let b = Upstream::start(Behaviour::answer(500, &[], "")).await;
    let more = "retries: { max: 0 }, \
        health: { passive: { failures: 2, eject_for: 60s, max_ejected_percent: 50 } }";
    let gateway = gateway(&[a.addr(), b.addr()], more).await;
    for _ in 0..12 {
        assert_eq!(get(&gateway, "/").await.status, 500);
    }
    // Two each until one is out; the ceiling keeps the other in, which gets the rest.
    let mut got = [a.requests().len(), b.requests().len()];
    got.sort_unstable();
    assert_eq!(got, [2, 10]);
    assert_eq!(described(&gateway).await["endpoints_ejected"], 1);
    assert!(
        (gateway.metric("weir_upstream_ejections_total", &[]).await - 1.0).abs() < f64::EPSILON
    );
    gateway
        .wait_for_metric(HEALTHY, &[], |n| (n - 1.0).abs() < f64::EPSILON)
        .await;
}

#[tokio::test]
async fn an_ejected_endpoint_comes_back() {
    let ill = Upstream::start(Behaviour::reset_before_head()).await;
    let well = Upstream::start(Behaviour::echo()).await;
    let more = "retries: { max: 0 }, \
        health: { passive: { failures: 1, eject_for: 300ms, max_ejected_percent: 50 } }";
    let gateway = gateway(&[ill.addr(), well.addr()], more).await;
    for _ in 0..2 {
        get(&gateway, "/").await;
    }
    assert!(
        (gateway.metric("weir_upstream_ejections_total", &[]).await - 1.0).abs() < f64::EPSILON
    );
    ill.set(Behaviour::echo());
    wait::until("the endpoint to get requests again", || async {
        get(&gateway, "/").await;
        (ill.requests().len() > 1).then_some(())
    })
    .await;
    // Told also to who only looks at the gauge, some time after it ended by itself.
    gateway
        .wait_for_metric(HEALTHY, &[], |n| (n - 2.0).abs() < f64::EPSILON)
        .await;
}

#[tokio::test]
async fn answers_that_break_off_eject_an_endpoint_too() {
    let ill = Upstream::start(Behaviour::short_body()).await;
    let well = Upstream::start(Behaviour::echo()).await;
    let more = "health: { passive: { failures: 3, eject_for: 60s, max_ejected_percent: 50 } }";
    let gateway = gateway(&[ill.addr(), well.addr()], more).await;
    for _ in 0..12 {
        assert_eq!(get(&gateway, "/").await.status, 200);
    }
    assert_eq!(ill.requests().len(), 3);
}

#[tokio::test]
async fn a_breaker_opens_lets_one_call_try_and_closes() {
    let upstream = Upstream::start(Behaviour::answer(500, &[], "")).await;
    let more = "retries: { max: 0 }, \
        breaker: { error_percent: 50, minimum_requests: 4, window: 10s, open_for: 200ms }";
    let gateway = gateway(&[upstream.addr()], more).await;
    for _ in 0..4 {
        assert_eq!(get(&gateway, "/").await.status, 500);
    }
    let refused = get(&gateway, "/").await;
    assert_eq!(refused.header("weir-error"), Some(Code::BreakerOpen.slug()));
    // The probe fails: it opens again.
    wait::until("the probe", || async {
        (get(&gateway, "/").await.status == 500).then_some(())
    })
    .await;
    assert_eq!(upstream.requests().len(), 5);
    assert!(gateway.metric("weir_upstream_breaker_open", &[]).await > 0.0);

    upstream.set(Behaviour::echo());
    wait::until("the breaker to close", || async {
        (get(&gateway, "/").await.status == 200).then_some(())
    })
    .await;
    assert!(gateway.metric("weir_upstream_breaker_open", &[]).await < 1.0);
    for _ in 0..4 {
        assert_eq!(get(&gateway, "/").await.status, 200);
    }
}

#[tokio::test]
async fn what_was_learned_outlives_a_reload_that_leaves_the_upstream_alone() {
    let a = Upstream::start(Behaviour::echo()).await;
    let b = Upstream::start(Behaviour::reset_before_head()).await;
    let endpoints = [a.addr().to_string(), b.addr().to_string()];
    let more = "retries: { max: 0 }, \
        health: { passive: { failures: 1, eject_for: 60s, max_ejected_percent: 50 } }";
    let yaml = config(&endpoints, more);
    let gateway = Gateway::start(&yaml).await;
    for _ in 0..4 {
        get(&gateway, "/").await;
    }
    assert_eq!((a.requests().len(), b.requests().len()), (3, 1));
    let connections = a.connections();

    let more_routes = yaml.replace(
        "routes: [",
        "routes: [{ name: new, matches: [{ path: { exact: /new } }], respond: { status: 204 } }, ",
    );
    assert_eq!(gateway.reload(&more_routes).await, "ok");
    assert_eq!(get(&gateway, "/new").await.status, 204);
    for _ in 0..4 {
        assert_eq!(get(&gateway, "/").await.status, 200);
    }
    assert_eq!(b.requests().len(), 1, "still ejected");
    assert_eq!(a.connections(), connections, "the pool is still there");

    // A change elsewhere in the upstream keeps its connections, too.
    assert_eq!(
        gateway.reload(&yaml.replace("max: 0", "max: 1")).await,
        "ok"
    );
    for _ in 0..4 {
        assert_eq!(get(&gateway, "/").await.status, 200);
    }
    assert_eq!(b.requests().len(), 1, "still ejected");
    assert_eq!(a.connections(), connections, "the pool is still there");
}

#[tokio::test]
async fn a_name_of_two_families_reaches_a_server_that_listens_on_one() {
    // `localhost` is ::1 and 127.0.0.1 on most machines, and one of them on the others.
    let known: Vec<SocketAddr> = std::net::ToSocketAddrs::to_socket_addrs("localhost:0")
        .unwrap()
        .collect();
    assert!(!known.is_empty());
    for any in known {
        let upstream = Upstream::start_at(any, Behaviour::echo()).await;
        let address = upstream.addr();
        let endpoint = format!("localhost:{}", address.port());
        let gateway = Gateway::start(&config(&[endpoint], "retries: { max: 0 }")).await;
        // At once, so that they all want connections of their own.
        let asked = (0..8).map(|_| get(&gateway, "/"));
        for response in futures_util::future::join_all(asked).await {
            assert_eq!(response.status, 200, "{}", response.text());
        }
        assert!(!upstream.requests().is_empty());
        let addresses = described(&gateway).await["endpoints"][0]["addresses"].clone();
        assert!(
            addresses
                .as_array()
                .unwrap()
                .contains(&address.to_string().into()),
            "{addresses}"
        );
    }
}

#[tokio::test]
async fn an_unused_connection_is_retired() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = gateway(&[upstream.addr()], "timeouts: { pool_idle: 100ms }").await;
    assert_eq!(get(&gateway, "/").await.status, 200);
    upstream.wait_for_close().await;
    wait::until("the slot to be free", || async {
        (described(&gateway).await["endpoints"][0]["connections"] == 0).then_some(())
    })
    .await;
    assert_eq!(get(&gateway, "/").await.status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_record_says_what_its_connection_had_been_through() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = gateway(&[upstream.addr()], "").await;
    assert_eq!(get(&gateway, "/first").await.status, 200);
    let first = attempt(&gateway, "/first").await;
    assert_eq!(get(&gateway, "/second").await.status, 200);
    let second = attempt(&gateway, "/second").await;
    assert_eq!(first["reused"], false);
    assert!(first["connect"].as_f64().is_some(), "{first}");
    assert_eq!(first["connection_idle"], 0.0);
    assert_eq!(second["reused"], true);
    assert!(second.get("connect").is_none(), "{second}");
    assert!(second["connection_idle"].as_f64() > Some(0.0), "{second}");
    assert!(
        second["connection_age"].as_f64() >= second["connection_idle"].as_f64(),
        "{second}"
    );
    let reused = |yes| [("weir_upstream", "up"), ("reused", yes)];
    let connections = "weir_upstream_connections_total";
    assert!((gateway.metric(connections, &reused("true")).await - 1.0).abs() < f64::EPSILON);
    assert!((gateway.metric(connections, &reused("false")).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_used_again() {
    let upstream = Upstream::start(Behaviour::close_idle_after(std::time::Duration::ZERO)).await;
    let gateway = gateway(&[upstream.addr()], "retries: { max: 0 }").await;
    for i in 0..5 {
        let path = format!("/{i}");
        let response = wire::request(gateway.addr("public"), "POST", &path, &[], "pay").await;
        assert_eq!(response.status, 200, "{}", response.text());
        upstream.wait_for_close().await;
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn bytes_behind_an_answer_end_the_connection() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n".to_vec();
    let upstream = Upstream::start(Behaviour::steps([Step::Send(answer)])).await;
    let gateway = gateway(&[upstream.addr()], "").await;
    for _ in 0..3 {
        assert_eq!(get(&gateway, "/").await.text(), "ok");
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn an_endpoint_may_answer_before_it_has_read_the_request() {
    let refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!".to_vec();
    let early = Behaviour::new(When::Head, move |_| {
        vec![Step::Send(refusal.clone()), Step::Hang]
    });
    let upstream = Upstream::start(early).await;
    let gateway = gateway(&[upstream.addr()], "").await;
    let mut connection = Connection::open(gateway.addr("public")).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
    connection
        .send([head.as_bytes(), &[b'x'; 10_000]].concat())
        .await
        .unwrap();
    let response = connection.response().await;
    assert_eq!((response.status, response.text().as_str()), (413, "no!"));
    let line = gateway.wait_for_log(|line| line["url.path"] == "/").await;
    assert!(line.get("error.type").is_none(), "{line}");
    // What was not read whole carries no second request.
    drop(connection);
    upstream.wait_for_close().await;
}

#[tokio::test]
async fn a_tunnel_ends_with_either_side() {
    let agreed =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_vec();
    let asked = "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    for (last, callers_turn) in [(Step::Hang, true), (Step::Close, false)] {
        let steps = [
            Step::Send(agreed.clone()),
            Step::Send(b"hello".to_vec()),
            last,
        ];
        let upstream = Upstream::start(Behaviour::steps(steps)).await;
        let gateway = gateway(&[upstream.addr()], "").await;
        let mut connection = Connection::open(gateway.addr("public")).await;
        connection.send(asked).await.unwrap();
        assert!(connection.head().await.unwrap().start.contains("101"));
        connection.read_until("hello").await;
        if callers_turn {
            connection.finish().await.unwrap();
        }
        connection.expect_close().await;
        upstream.wait_for_close().await;
        let line = gateway
            .wait_for_log(|line| line["url.path"] == "/tunnel")
            .await;
        assert_eq!(line["http.response.status_code"], 101);
        assert!(line.get("error.type").is_none(), "{line}");
    }
}

#[tokio::test]
async fn a_reload_takes_away_the_gauges_of_endpoints_it_takes_away() {
    let addresses = ["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()];
    let gateway = Gateway::start(&config(&addresses, "")).await;
    let all = config(&addresses[..1], "");
    let (before, _) = all.split_once("upstreams:").expect("they are there");
    let none = format!("{before}routes: [{{ name: all, respond: {{}} }}]\n");
    let shown = |text: &str| {
        let of = text.lines().filter(|line| line.starts_with(HEALTHY));
        of.count()
    };
    assert_eq!(shown(&gateway.metrics().await), 2);
    for (yaml, left) in [(&all, 1), (&none, 0)] {
        assert_eq!(Box::pin(gateway.reload(yaml)).await, "ok");
        assert_eq!(shown(&gateway.metrics().await), left);
    }
}
