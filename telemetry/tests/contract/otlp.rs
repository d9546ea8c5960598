//! Log records and metrics reach a collector by OTLP; one that is stuck or gone costs only them.

use crate::collector::Collector;
use crate::sample::{self, ms};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use weir_telemetry::access_log::Fields;
use weir_telemetry::export::{Resolved, Settings};
use weir_telemetry::{Choice, Code, Handles, LogExporter, MetricExporter, Metrics, Telemetry};

const LONG: Duration = Duration::from_secs(30);

fn resolved(endpoint: String) -> Resolved {
    let settings = Settings {
        endpoint: Some(endpoint),
        headers: vec![("X-Tenant".into(), "acme".into())],
        logs: true,
        metrics: true,
        metrics_interval: Some(LONG * 100),
        ..Settings::default()
    };
    let gzip = |name: &str| (name == "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION").then(|| "gzip".into());
    settings.resolve(gzip).expect("usable settings")
}

fn logs(resolved: &Resolved, choice: Choice, metrics: &Metrics) -> LogExporter {
    let started = LogExporter::start(resolved, &Arc::new(choice), metrics).expect("starts");
    started.expect("an endpoint is named")
}

fn flush(logs: &LogExporter) -> bool {
    logs.flushing(Instant::now() + LONG).wait()
}

fn dropped(metrics: &Metrics, signal: &str) -> u64 {
    let series = format!("weir_telemetry_dropped_total{{signal=\"{signal}\"}} ");
    let text = metrics.encode();
    let line = text.lines().find_map(|line| line.strip_prefix(&*series));
    line.expect("the series is there")
        .parse()
        .expect("a number")
}

fn received(collector: &Collector) -> Vec<LogRecord> {
    let logs = collector.received.logs.lock().expect("not poisoned");
    let groups = logs.iter().flat_map(|(_, message)| &message.resource_logs);
    groups
        .flat_map(|group| &group.scope_logs)
        .flat_map(|scope| scope.log_records.clone())
        .collect()
}

fn names(record: &LogRecord) -> Vec<&str> {
    record.attributes.iter().map(|one| &*one.key).collect()
}

#[test]
fn a_log_record_says_what_the_line_says_and_belongs_to_its_trace() {
    let collector = Collector::start();
    let metrics = Metrics::new();
    let exporter = logs(&resolved(collector.endpoint()), Choice::default(), &metrics);
    let failed = sample::failed(Code::ConnectionRefused);
    exporter.export(&failed);
    exporter.export(&Arc::new(sample::plain()));
    assert!(flush(&exporter));
    let [bad, good] = &received(&collector)[..] else {
        panic!("two were exported");
    };
    assert_eq!(bad.trace_id, failed.trace.trace_id);
    assert_eq!(bad.span_id, failed.trace.span_id);
    assert_eq!(
        (&*bad.severity_text, &*good.severity_text),
        ("ERROR", "INFO")
    );
    let body = format!("{:?}", bad.body);
    assert!(body.contains("connection_refused"), "{body}");
    for name in [
        "request_id",
        "url.path",
        "error.type",
        "weir.fault",
        "weir.duration",
    ] {
        assert!(names(bad).contains(&name), "{name} in {:?}", names(bad));
    }
    assert!(
        !names(bad).contains(&"trace_id"),
        "it has a field of its own"
    );
    let (metadata, message) = &collector.received.logs.lock().expect("not poisoned")[0];
    assert_eq!(metadata.get("x-tenant").expect("sent"), "acme");
    let resource = format!("{:?}", message.resource_logs[0].resource);
    assert!(resource.contains("service.name"), "{resource}");
}

#[test]
fn what_is_not_to_stand_in_a_line_is_in_no_log_record() {
    let collector = Collector::start();
    let metrics = Metrics::new();
    let without = Fields::Exclude(vec![
        "url.path".into(),
        "client.address".into(),
        "network.peer.address".into(),
    ]);
    let choice = Choice::new(1.0, Vec::new(), without).expect("a ratio");
    let exporter = logs(&resolved(collector.endpoint()), choice, &metrics);
    let record = Arc::new(sample::plain());
    exporter.export(&record);
    assert!(flush(&exporter));
    let told = format!("{:?}", received(&collector));
    assert!(told.contains("request_id"), "{told}");
    assert!(!told.contains(&record.path), "{told}");
    assert!(!told.contains(&record.client.to_string()), "{told}");
}

#[test]
fn log_records_are_sent_again_and_those_refused_are_counted() {
    let collector = Collector::start();
    collector.received.refusals.store(2, Ordering::SeqCst);
    let metrics = Metrics::new();
    let exporter = logs(&resolved(collector.endpoint()), Choice::default(), &metrics);
    exporter.export(&Arc::new(sample::plain()));
    assert!(flush(&exporter), "the third try succeeds");
    assert_eq!(received(&collector).len(), 1);
    collector
        .received
        .refused_records
        .store(1, Ordering::SeqCst);
    exporter.export(&Arc::new(sample::plain()));
    exporter.export(&Arc::new(sample::plain()));
    assert!(!flush(&exporter));
    assert_eq!(dropped(&metrics, "log"), 1);
}

#[test]
fn a_stuck_collector_holds_no_request_up_and_lost_log_records_are_counted() {
    // It accepts connections and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = silent.local_addr().expect("bound");
    let metrics = Metrics::new();
    let settings = Settings {
        endpoint: Some(format!("http://{address}")),
        timeout: Some(LONG * 100),
        logs: true,
        queue: Some(4),
        batch: Some(1),
        ..Settings::default()
    };
    let resolved = settings.resolve(|_| None).expect("usable settings");
    let telemetry = Telemetry {
        log_exporter: Some(logs(&resolved, Choice::default(), &metrics)),
        ..Telemetry::of(metrics.clone(), LONG)
    };
    let listener = metrics.listener("public");
    // The exporter takes one off its queue and is stuck with it: were `finish` to wait for it, this
    // test would never end.
    for _ in 0..100 {
        telemetry.finish(sample::plain(), Handles::of(&listener));
    }
    let lost = dropped(&metrics, "log");
    assert!((95..=96).contains(&lost), "{lost}");
    telemetry.shutdown(ms(50));
}

/// The metrics of the last reading, by name.
fn reading(collector: &Collector) -> BTreeMap<String, Metric> {
    let messages = collector.received.metrics.lock().expect("not poisoned");
    let groups = messages
        .iter()
        .flat_map(|(_, message)| &message.resource_metrics);
    groups
        .flat_map(|group| &group.scope_metrics)
        .flat_map(|scope| scope.metrics.clone())
        .map(|metric| (metric.name.clone(), metric))
        .collect()
}

#[test]
fn metrics_are_what_a_scrape_would_show() {
    let collector = Collector::start();
    let metrics = Metrics::new();
    let resolved = resolved(collector.endpoint());
    let exporter = MetricExporter::start(&resolved, &metrics).expect("starts");
    let exporter = exporter.expect("an endpoint is named");
    let telemetry = Telemetry::of(metrics.clone(), LONG);
    let listener = metrics.listener("public");
    let route = metrics.route("chat", "shop", &[]);
    let handles = Handles {
        route: Some(&route),
        ..Handles::of(&listener)
    };
    for took in [3, 7, 90_000] {
        let mut record = sample::plain();
        record.duration = ms(took);
        telemetry.finish(record, handles);
    }
    assert!(exporter.flushing(Instant::now() + LONG).wait());
    let metrics = reading(&collector);
    let duration = &metrics["http.server.request.duration"];
    assert_eq!(duration.unit, "s");
    let Some(Data::Histogram(histogram)) = &duration.data else {
        panic!("{duration:?}");
    };
    let point = &histogram.data_points[0];
    assert_eq!(point.count, 3);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3);
    assert_eq!(
        point.bucket_counts.last(),
        Some(&1),
        "beyond the last bound"
    );
    let labels: Vec<_> = point.attributes.iter().map(|one| &*one.key).collect();
    assert_eq!(
        labels,
        ["http.response.status_code", "weir.route", "weir.team"]
    );
    let dropped = &metrics["weir_telemetry_dropped"];
    assert!(matches!(&dropped.data, Some(Data::Sum(sum)) if sum.is_monotonic));
    assert!(matches!(
        metrics["weir_draining"].data,
        Some(Data::Gauge(_))
    ));
    let started = metrics["process_start_time_seconds"].unit.as_str();
    assert_eq!(started, "s");
}

#[test]
fn very_many_series_come_in_several_messages_and_none_is_missing() {
    let collector = Collector::start();
    let metrics = Metrics::new();
    let routes = (0..2_000).map(|n| metrics.route(&format!("route-{n:04}"), "shop", &[]));
    let routes: Vec<_> = routes.collect();
    let telemetry = Telemetry::of(metrics.clone(), LONG);
    let listener = metrics.listener("public");
    for route in &routes {
        let handles = Handles {
            route: Some(route),
            ..Handles::of(&listener)
        };
        telemetry.finish(sample::plain(), handles);
    }
    let exporter = MetricExporter::start(&resolved(collector.endpoint()), &metrics);
    let exporter = exporter.expect("starts").expect("an endpoint is named");
    assert!(exporter.flushing(Instant::now() + LONG).wait());
    let messages = collector.received.metrics.lock().expect("not poisoned");
    assert!(messages.len() > 1, "one message would be too long");
    let points = messages
        .iter()
        .flat_map(|(_, message)| &message.resource_metrics[0].scope_metrics[0].metrics)
        .filter_map(|metric| match (&*metric.name, &metric.data) {
            ("weir_gateway_duration_seconds", Some(Data::Histogram(one))) => {
                Some(one.data_points.len())
            }
            _ => None,
        });
    assert_eq!(points.sum::<usize>(), 2_000);
}

#[test]
fn metrics_that_do_not_arrive_are_counted() {
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = unused.local_addr().expect("bound");
    drop(unused);
    let metrics = Metrics::new();
    let settings = Settings {
        endpoint: Some(format!("http://{address}")),
        timeout: Some(ms(50)),
        metrics: true,
        ..Settings::default()
    };
    let resolved = settings.resolve(|_| None).expect("usable settings");
    let exporter = MetricExporter::start(&resolved, &metrics).expect("starts");
    let exporter = exporter.expect("an endpoint is named");
    assert!(!exporter.flushing(Instant::now() + LONG).wait());
    assert!(dropped(&metrics, "metric") > 0);
}
