//! Log records and metrics by OTLP from a running gateway, and outputs of the access log that take nothing.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use weir_tests::otlp::Collector;
use weir_tests::upstream::Behaviour;
use weir_tests::{Gateway, Upstream, wait, wire};

fn yaml(upstream: &Upstream, telemetry: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ {telemetry} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes:
  - {{ name: probes, matches: [{{ path: {{ exact: /healthz }} }}], respond: {{ body: fine }} }}
  - {{ name: plain, matches: [{{ path: {{ prefix: / }} }}], forward: {{ backends: [{{ upstream: up }}] }} }}
"#,
        upstream.addr()
    )
}

async fn get(gateway: &Gateway, path: &str) -> u16 {
    wire::get(gateway.addr("public"), path).await.status
}

#[tokio::test]
async fn log_records_go_to_the_collector_as_lines_would_to_the_file() {
    let collector = Collector::start().await;
    let upstream = Upstream::start(Behaviour::answer(200, &[], b"ok")).await;
    let telemetry = format!(
        "access_log: {{ output: none, exclude: [{{ path: /healthz }}], fields: {{ exclude: [server.address] }} }}, \
         otlp: {{ endpoint: \"{}\", sample_ratio: 1.0, logs: true }}",
        collector.endpoint()
    );
    let gateway = Gateway::start(&yaml(&upstream, &telemetry)).await;
    assert_eq!(get(&gateway, "/healthz").await, 200);
    assert_eq!(get(&gateway, "/good").await, 200);
    upstream.stop().await;
    assert_eq!(get(&gateway, "/bad").await, 502);
    assert_eq!(gateway.stop().await.code(), Some(0));
    // What was queued has been sent before the end, and probes are left out here too.
    let logs = collector.logs();
    let paths: Vec<_> = logs.iter().map(|log| &log.attributes["url.path"]).collect();
    assert_eq!(paths, ["/good", "/bad"]);
    let [good, bad] = &logs[..] else {
        panic!("two")
    };
    assert_eq!((&*good.severity, &*bad.severity), ("INFO", "ERROR"));
    assert_eq!(bad.body, "GET /bad 502 connection_refused");
    assert_eq!(
        bad.attributes["weir.attempts"][0]["error"],
        "connection_refused"
    );
    assert!(!bad.attributes.contains_key("server.address"));
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.trace_id == bad.trace_id));
}

#[tokio::test]
async fn metrics_go_to_the_collector_and_say_what_a_scrape_says() {
    let collector = Collector::start().await;
    let upstream = Upstream::start(Behaviour::answer(200, &[], b"ok")).await;
    let telemetry = format!(
        "otlp: {{ endpoint: \"{}\", metrics: {{ interval: 1s }} }}",
        collector.endpoint()
    );
    let gateway = Gateway::start(&yaml(&upstream, &telemetry)).await;
    for _ in 0..7 {
        assert_eq!(get(&gateway, "/").await, 200);
    }
    let served = || {
        let metrics = collector.metrics().into_iter().rev();
        let points = metrics.filter_map(|metric| match (&*metric.name, metric.data) {
            ("http.server.request.duration", Some(Data::Histogram(one))) => Some(one.data_points),
            _ => None,
        });
        points.flatten().find(|point| {
            let route = point.attributes.iter().find(|one| one.key == "weir.route");
            route.is_some_and(|route| format!("{:?}", route.value).contains("plain"))
        })
    };
    wait::until_true("a reading of all seven", || {
        served().is_some_and(|point| point.count == 7)
    })
    .await;
    let buckets = served().map(|point| point.bucket_counts.iter().sum::<u64>());
    assert_eq!(buckets, Some(7));
    // The last reading is taken on the way out.
    assert_eq!(get(&gateway, "/").await, 200);
    assert_eq!(gateway.stop().await.code(), Some(0));
    assert_eq!(served().map(|point| point.count), Some(8));
}

#[tokio::test]
async fn what_the_environment_switches_off_is_not_sent() {
    let collector = Collector::start().await;
    let upstream = Upstream::start(Behaviour::answer(200, &[], b"ok")).await;
    let telemetry = format!(
        "otlp: {{ endpoint: \"{}\", sample_ratio: 1.0, logs: true, metrics: {{}} }}",
        collector.endpoint()
    );
    let gateway = Gateway::builder(&yaml(&upstream, &telemetry))
        .env("OTEL_LOGS_EXPORTER", "none")
        .env("OTEL_METRICS_EXPORTER", "none")
        .start()
        .await;
    assert_eq!(get(&gateway, "/").await, 200);
    assert_eq!(gateway.stop().await.code(), Some(0));
    assert!(!collector.spans().is_empty());
    assert!(collector.logs().is_empty() && collector.metrics().is_empty());
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_no_request() {
    let upstream = Upstream::start(Behaviour::answer(200, &[], b"ok")).await;
    let config = yaml(&upstream, "access_log: { output: /dev/full }");
    let gateway = Gateway::start(&config).await;
    for _ in 0..20 {
        assert_eq!(get(&gateway, "/").await, 200);
    }
    let log = [("signal", "access_log")];
    gateway
        .wait_for_metric("weir_telemetry_dropped_total", &log, |lost| lost >= 20.0)
        .await;
    assert_eq!(gateway.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_pipe_without_a_reader_holds_nothing_up_and_one_that_comes_gets_the_lines() {
    let upstream = Upstream::start(Behaviour::answer(200, &[], b"ok")).await;
    let builder = Gateway::builder(&yaml(
        &upstream,
        "access_log: { output: \"${ACCESS_LOG}\" }",
    ));
    let pipe = builder.dir().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|made| made.success()));
    let path = pipe.display().to_string();
    let gateway = builder.env("ACCESS_LOG", &path).start().await;
    assert_eq!(get(&gateway, "/first").await, 200);
    // Whoever comes now finds what was written before.
    let read = tokio::task::spawn_blocking(move || {
        use std::io::BufRead as _;
        let file = std::fs::File::open(pipe).ok()?;
        std::io::BufReader::new(file).lines().next()?.ok()
    });
    let line = read.await.ok().flatten();
    assert!(line.is_some_and(|line| line.contains("/first")));
    // And when it goes away, that breaks nothing.
    assert_eq!(get(&gateway, "/second").await, 200);
    assert_eq!(gateway.stop().await.code(), Some(0));
}
