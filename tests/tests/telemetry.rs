//! What operators see of requests: spans, figures, lines; and that requests never wait for it.

use std::time::Duration;

use weir_tests::child::Kind;
use weir_tests::otlp::{Collector, Kind as SpanKind, StatusCode};
use weir_tests::{Behaviour, Gateway, Upstream, wait, wire};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// One route to `upstream`; `telemetry` is what stands in that section beside the log.
fn yaml(upstream: &str, telemetry: &str) -> String {
    format!(
        r#"version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }}, {telemetry} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{upstream}" }}], retries: {{ max: 1, budget_percent: 100 }} }}]
routes: [{{ name: r, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    )
}

fn otlp(collector: &Collector, ratio: &str) -> String {
    format!(
        "otlp: {{ endpoint: \"{}\", sample_ratio: {ratio} }}",
        collector.endpoint()
    )
}

async fn get(gateway: &Gateway, headers: &[&str]) -> wire::Response {
    wire::request(gateway.addr("public"), "GET", "/x?secret=1", headers, b"").await
}

#[tokio::test]
async fn a_trace_goes_through_with_every_parent_right() {
    let collector = Collector::start().await;
    let upstream = Upstream::start(Behaviour::echo()).await;
    let config = yaml(&upstream.addr().to_string(), &otlp(&collector, "0.0"));
    let gateway = Gateway::start(&config).await;
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01");
    assert_eq!(
        get(&gateway, &[&parent, "tracestate: vendor=a,other=b"])
            .await
            .status,
        200
    );

    let spans = collector.wait_for_trace(TRACE, 2).await;
    let [server, client] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(
        (server.kind, client.kind),
        (SpanKind::Server, SpanKind::Client)
    );
    assert_eq!(
        (&*server.parent_span_id, &client.parent_span_id),
        (PARENT, &server.span_id)
    );
    assert_eq!(server.name, "GET /");
    assert_eq!(server.attribute("http.response.status_code"), 200);
    assert_eq!(server.attribute("url.path"), "/x");
    assert_eq!(server.attribute("weir.export.reason"), "sampled");
    assert_eq!(
        server
            .attribute("weir.config.revision")
            .as_str()
            .unwrap()
            .len(),
        16
    );
    assert_eq!(server.resource["service.name"], "weir");
    assert_eq!(client.attribute("server.port"), upstream.addr().port());
    assert!(server.start <= client.start && client.end <= server.end);
    // Upstream is told of the CLIENT span, with the caller's state untouched.
    let received = &upstream.requests()[0];
    let told = format!("00-{TRACE}-{}-01", client.span_id);
    assert_eq!(received.header("traceparent"), Some(&*told));
    assert_eq!(received.header("tracestate"), Some("vendor=a,other=b"));
    let line = gateway.wait_for_log(|l| l["trace_id"] == TRACE).await;
    assert_eq!(line["span_id"], *server.span_id);
    assert_eq!(line["parent_span_id"], PARENT);
}

#[tokio::test]
async fn every_attempt_has_its_span() {
    let collector = Collector::start().await;
    let upstream = Upstream::sequence([Behaviour::close_before_head(), Behaviour::echo()]).await;
    let config = yaml(&upstream.addr().to_string(), &otlp(&collector, "1.0"));
    let gateway = Gateway::start(&config).await;
    assert_eq!(get(&gateway, &[]).await.status, 200);
    let line = gateway.wait_for_log(|_| true).await;
    let spans = collector
        .wait_for_trace(line["trace_id"].as_str().unwrap(), 3)
        .await;
    let [server, first, second] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(server.parent_span_id, "");
    for attempt in [first, second] {
        assert_eq!(attempt.parent_span_id, server.span_id);
    }
    assert_eq!(first.status, StatusCode::Error);
    assert_eq!(first.attribute("error.type"), "connection_terminated");
    assert_eq!(second.attribute("http.request.resend_count"), 1);
    // Each attempt told the upstream of its own span.
    let told = |n: usize| {
        upstream.requests()[n]
            .header("traceparent")
            .unwrap()
            .to_owned()
    };
    assert!(told(0).contains(&first.span_id) && told(1).contains(&second.span_id));
}

#[tokio::test]
async fn failed_and_slow_requests_are_exported_whatever_the_ratio() {
    let collector = Collector::start().await;
    let refusing = Upstream::refusing();
    let telemetry = otlp(&collector, "0.0") + ", slow_after: 1h";
    let config = yaml(&refusing.addr().to_string(), &telemetry);
    let gateway = Gateway::start(&config).await;
    // A caller that did not sample is obeyed, and its failure is told all the same.
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-00");
    assert_eq!(get(&gateway, &[&parent]).await.status, 502);
    let span = collector
        .wait_for(|s| s.trace_id == TRACE && s.kind == SpanKind::Server)
        .await;
    assert_eq!(span.status, StatusCode::Error);
    assert_eq!(span.attribute("error.type"), "connection_refused");
    assert_eq!(span.attribute("weir.export.reason"), "failed");

    let upstream = Upstream::start(Behaviour::slow_head(Duration::from_millis(30))).await;
    let healthy = config.replace(&refusing.addr().to_string(), &upstream.addr().to_string());
    assert_eq!(gateway.reload(&healthy).await, "ok");
    assert_eq!(get(&gateway, &[]).await.status, 200);
    // What counts as slow is reloaded, and so is the ratio.
    assert_eq!(
        gateway
            .reload(&healthy.replace("slow_after: 1h", "slow_after: 10ms"))
            .await,
        "ok"
    );
    assert_eq!(get(&gateway, &[]).await.status, 200);
    let slow = collector
        .wait_for(|s| s.attribute("weir.export.reason") == "slow")
        .await;
    assert_eq!(
        gateway
            .reload(&healthy.replace("ratio: 0.0", "ratio: 1.0"))
            .await,
        "ok"
    );
    assert_eq!(get(&gateway, &[]).await.status, 200);
    collector
        .wait_for(|s| s.attribute("weir.export.reason") == "sampled")
        .await;
    // The quick-enough one in between was not exported: two traces begun here, not three.
    let lines = gateway.access_log();
    assert_eq!(lines.len(), 4);
    assert!(
        collector
            .spans()
            .iter()
            .all(|s| s.trace_id != lines[1]["trace_id"].as_str().unwrap())
    );
    assert_eq!(slow.trace_id, lines[2]["trace_id"].as_str().unwrap());
}

#[tokio::test]
async fn a_dead_collector_costs_spans_and_no_request() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let nobody = Upstream::refusing();
    let telemetry = format!(
        "otlp: {{ endpoint: \"http://{}\", sample_ratio: 1.0 }}",
        nobody.addr()
    );
    let gateway = Gateway::builder(&yaml(&upstream.addr().to_string(), &telemetry))
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "4")
        .env("OTEL_BSP_SCHEDULE_DELAY", "10")
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
        .start()
        .await;
    for _ in 0..100 {
        assert_eq!(get(&gateway, &[]).await.status, 200);
    }
    let dropped = "weir_telemetry_dropped_total";
    gateway
        .wait_for_metric(dropped, &[("signal", "span")], |n| n > 0.0)
        .await;
    assert_eq!(
        gateway.metric(dropped, &[("signal", "access_log")]).await,
        0.0
    );
    assert_eq!(gateway.access_log().len(), 100);
    // Why, it is told once.
    let told = gateway.log();
    let told = told
        .iter()
        .filter(|line| line.contains("the collector does not take spans"));
    assert_eq!(told.count(), 1);
    assert_eq!(gateway.stop().await.code(), Some(0));
}

#[tokio::test]
async fn the_log_is_reopened_on_sigusr1() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&yaml(&upstream.addr().to_string(), "")).await;
    let log = gateway.dir().join("access.log");
    let old = gateway.dir().join("access.log.1");
    get(&gateway, &[]).await;
    gateway.wait_for_log(|_| true).await;
    std::fs::rename(&log, &old).unwrap();
    gateway.signal(Kind::SIGUSR1);
    // Until the signal has arrived lines go to the old file: none is lost, and then a new one is there.
    let mut asked = 1;
    wait::until("the new file", || {
        asked += 1;
        async {
            get(&gateway, &[]).await;
            log.exists().then_some(())
        }
    })
    .await;
    get(&gateway, &[]).await;
    asked += 1;
    let lines = || {
        [&old, &log]
            .iter()
            .map(|f| std::fs::read_to_string(f).unwrap().lines().count())
            .sum::<usize>()
    };
    wait::until_true("every line in one of the files", || lines() == asked).await;
    assert_eq!(
        gateway.metric("weir_telemetry_dropped_total", &[]).await,
        0.0
    );
}

#[tokio::test]
async fn a_log_that_nobody_reads_blocks_no_request() {
    let upstream = Upstream::start(Behaviour::answer(200, &[], b"ok")).await;
    let builder = Gateway::builder(&yaml(&upstream.addr().to_string(), ""));
    let pipe = builder.dir().join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .unwrap();
    assert!(made.success());
    // Held open on both sides, and never read: the pipe takes 64 KiB and then blocks its writer.
    let held = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    let gateway = builder
        .env("ACCESS_LOG", pipe.to_str().unwrap())
        .start()
        .await;
    let public = gateway.addr("public");
    let dropped = [("signal", "access_log")];
    let clients = (0..8).map(|_| async move {
        let mut connection = wire::Connection::open(public).await;
        for _ in 0..1_200 {
            connection
                .send(wire::message(public, "GET", "/", &[], b""))
                .await
                .unwrap();
            assert_eq!(connection.response().await.status, 200);
        }
    });
    futures_util::future::join_all(clients).await;
    assert!(
        gateway
            .metric("weir_telemetry_dropped_total", &dropped)
            .await
            > 0.0
    );
    let served = gateway
        .metric("http_server_request_duration_seconds_count", &[])
        .await;
    assert_eq!(served, 9_600.0);
    assert_eq!(gateway.stop().await.code(), Some(0));
    drop(held);
}

#[tokio::test]
async fn time_is_split_where_it_is_spent() {
    let upstream = Upstream::start(Behaviour::slow_head(Duration::from_millis(300))).await;
    let gateway = Gateway::start(&yaml(&upstream.addr().to_string(), "")).await;
    assert_eq!(get(&gateway, &[]).await.status, 200);
    let route = [("weir_route", "r")];
    let sum = async |name: &str| gateway.metric(&format!("{name}_seconds_sum"), &route).await;
    let total = sum("http_server_request_duration").await;
    let waited = sum("weir_upstream_wait_duration").await;
    let own = sum("weir_gateway_duration").await;
    // No bound on time is asserted: only that the parts are parts, and the wait was the upstream's.
    assert!(
        waited >= 0.29 && own > 0.0 && own + waited <= total + 0.001,
        "{own} {waited} {total}"
    );
    let attempts = [("weir_upstream", "up"), ("outcome", "2xx")];
    assert_eq!(
        gateway
            .metric("http_client_request_duration_seconds_count", &attempts)
            .await,
        1.0
    );
    let first = gateway
        .metric("weir_upstream_first_byte_duration_seconds_sum", &[])
        .await;
    assert!(first >= 0.29, "{first}");
    let ok = [("weir_route", "r"), ("http_response_status_code", "200")];
    assert_eq!(
        gateway
            .metric("http_server_request_duration_seconds_count", &ok)
            .await,
        1.0
    );
    assert_eq!(gateway.metric("weir_requests_active", &route).await, 0.0);
}

#[tokio::test]
async fn a_failure_is_counted_by_its_code_and_fault() {
    let refusing = Upstream::refusing();
    let gateway = Gateway::start(&yaml(&refusing.addr().to_string(), "")).await;
    assert_eq!(get(&gateway, &[]).await.status, 502);
    let labels = [
        ("weir_route", "r"),
        ("error_type", "connection_refused"),
        ("fault", "upstream"),
    ];
    assert_eq!(gateway.metric("weir_errors_total", &labels).await, 1.0);
    let line = gateway.wait_for_log(|_| true).await;
    assert_eq!(line["error.type"], "connection_refused");
    assert_eq!(line["weir.fault"], "upstream");
    assert_eq!(line["url.path"], "/x");
}

#[tokio::test]
async fn an_upstream_without_a_way_to_it_is_named_as_such() {
    // No TCP connection can be made to a multicast address, on any machine.
    let gateway = Gateway::start(&yaml("224.0.0.1:9", "")).await;
    let failed = get(&gateway, &[]).await;
    assert_eq!(failed.status, 502);
    assert_eq!(failed.header("weir-error"), Some("destination_unroutable"));
    let line = gateway.wait_for_log(|_| true).await;
    assert_eq!(line["error.type"], "destination_unroutable");
}

#[tokio::test]
async fn the_log_has_the_lines_and_fields_chosen_and_all_that_failed() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let chosen = "output: \"${ACCESS_LOG}\", exclude: [{ user_agent_prefix: probe/ }], \
        fields: { include: [http.response.status_code, url.path, weir.route] }";
    let config = yaml(&upstream.addr().to_string(), "slow_after: 60s")
        .replace("output: \"${ACCESS_LOG}\"", chosen);
    let gateway = Gateway::start(&config).await;
    let probe = "User-Agent: probe/1";
    let public = gateway.addr("public");
    assert_eq!(get(&gateway, &[probe]).await.status, 200);
    upstream.set(Behaviour::close_before_head());
    assert_eq!(
        wire::request(public, "POST", "/lost", &[probe], b"")
            .await
            .status,
        502
    );
    upstream.set(Behaviour::echo());
    assert_eq!(get(&gateway, &[]).await.status, 200);
    gateway.wait_for_logs(2, |_| true).await;
    let lines = gateway.access_log();
    let told: Vec<_> = lines.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            r#"{"http.response.status_code":502,"url.path":"/lost","weir.route":"r"}"#,
            r#"{"http.response.status_code":200,"url.path":"/x","weir.route":"r"}"#,
        ]
    );
}
