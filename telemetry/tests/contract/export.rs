//! Spans reach a collector; one that is stuck or gone costs only spans.

use crate::collector::Collector;
use crate::sample::{self, ms};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use weir_telemetry::export::{Settings, StartError};
use weir_telemetry::spans::Reason;
use weir_telemetry::{Code, Exporter, Handles, Metrics, Telemetry};

const LONG: Duration = Duration::from_secs(30);

fn settings(endpoint: String) -> Settings {
    Settings {
        endpoint: Some(endpoint),
        ..Settings::default()
    }
}

fn start(settings: Settings, metrics: &Metrics) -> Exporter {
    let resolved = settings.resolve(|_| None).expect("usable settings");
    let started = Exporter::start(&resolved, metrics).expect("starts");
    started.expect("an endpoint is named")
}

fn count(metrics: &Metrics, series: &str) -> u64 {
    let text = metrics.encode();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.expect("the series is there")
        .trim()
        .parse()
        .expect("a number")
}

/// Wait for another thread to get there; a minute is for ever.
fn eventually(there: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if there() {
            return;
        }
        std::thread::sleep(ms(5));
    }
    panic!("it never came to that");
}

const DROPPED: &str = "weir_telemetry_dropped_total{signal=\"span\"}";
const EXPORTED: &str = "weir_spans_exported_total";

#[test]
fn spans_arrive_with_resource_and_headers() {
    let collector = Collector::start();
    let metrics = Metrics::new();
    let exporter = start(
        Settings {
            headers: vec![("X-Tenant".into(), "acme".into())],
            service_name: Some("edge".into()),
            resource: vec![("deployment.environment.name".into(), "test".into())],
            ..settings(collector.endpoint())
        },
        &metrics,
    );
    let record = Arc::new(sample::full());
    exporter.export(&record, Reason::Sampled, None);
    assert!(exporter.flush(LONG));
    assert_eq!(count(&metrics, EXPORTED), 4);
    assert_eq!(count(&metrics, DROPPED), 0);

    let requests = collector.received.requests.lock().expect("not poisoned");
    let (metadata, request) = &requests[0];
    assert_eq!(metadata.get("x-tenant").expect("sent"), "acme");
    let resource = request.resource_spans[0].resource.as_ref().expect("sent");
    let resource = format!("{resource:?}");
    for value in [
        "edge",
        "deployment.environment.name",
        "test",
        "service.version",
    ] {
        assert!(resource.contains(value), "{value} is missing in {resource}");
    }
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.len(), 4);
    assert_eq!(spans[0].trace_id, record.trace.trace_id);
    assert_eq!(spans[1].parent_span_id, record.trace.span_id);
}

#[test]
fn a_batch_is_sent_without_being_asked() {
    let collector = Collector::start();
    let metrics = Metrics::new();
    let exporter = start(
        Settings {
            batch: Some(2),
            interval: Some(LONG * 100),
            ..settings(collector.endpoint())
        },
        &metrics,
    );
    for _ in 0..2 {
        exporter.export(&Arc::new(sample::plain()), Reason::Sampled, None);
    }
    eventually(|| count(&metrics, EXPORTED) == 2);
    exporter.export(&Arc::new(sample::plain()), Reason::Sampled, None);
    drop(exporter);
    // What was queued is still sent when the exporter is let go.
    eventually(|| count(&metrics, EXPORTED) == 3);
}

#[test]
fn a_refused_export_is_tried_again() {
    let collector = Collector::start();
    collector.received.refusals.store(2, Ordering::SeqCst);
    let metrics = Metrics::new();
    let exporter = start(settings(collector.endpoint()), &metrics);
    exporter.export(&Arc::new(sample::plain()), Reason::Sampled, None);
    assert!(exporter.flush(LONG));
    assert_eq!(count(&metrics, EXPORTED), 1);
    assert_eq!(collector.received.refusals.load(Ordering::SeqCst), 0);
}

#[test]
fn a_stuck_collector_holds_no_request_up_and_lost_spans_are_counted() {
    // It accepts connections and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = silent.local_addr().expect("bound");
    let metrics = Metrics::new();
    let exporter = start(
        Settings {
            queue: Some(4),
            batch: Some(1),
            timeout: Some(LONG * 100),
            ..settings(format!("http://{address}"))
        },
        &metrics,
    );
    let listener = metrics.listener("public");
    let telemetry = Telemetry {
        exporter: Some(exporter),
        ..Telemetry::of(metrics.clone(), LONG)
    };
    // The exporter takes one off its queue and is stuck with it: were
    // `finish` to wait for it, this test would never end.
    for _ in 0..100 {
        telemetry.finish(sample::plain(), Handles::of(&listener));
    }
    let lost = count(&metrics, DROPPED);
    assert!((95..=96).contains(&lost), "{lost}");
    telemetry.shutdown(ms(50));
    // The five that were queued or under way are given up at the deadline.
    eventually(|| count(&metrics, DROPPED) == 100);
    assert_eq!(count(&metrics, EXPORTED), 0);
}

#[test]
fn a_collector_that_is_gone_costs_spans_only() {
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = unused.local_addr().expect("bound");
    drop(unused);
    let metrics = Metrics::new();
    let exporter = start(settings(format!("http://{address}")), &metrics);
    exporter.export(&sample::failed(Code::DnsError), Reason::Failed, None);
    assert!(!exporter.flush(ms(100)));
    eventually(|| count(&metrics, DROPPED) == 1);
}

#[test]
fn settings_that_make_no_sense_are_named_and_secrets_are_not() {
    let header = |name: &str, value: &str| Settings {
        headers: vec![(name.into(), value.into())],
        ..settings("http://127.0.0.1:4317".into())
    };
    for (settings, part) in [
        (settings("https://collector:4317".into()), "http://"),
        (settings("collector:4317".into()), "http://"),
        (settings("http://[bad".into()), "http://[bad"),
        (header("bad name", "x"), "bad name"),
        (header("authorization", "hush\n"), "authorization"),
    ] {
        let resolved = settings.resolve(|_| None).expect("resolves");
        let error = Exporter::start(&resolved, &Metrics::new()).err();
        let error = error.expect("must be refused");
        assert!(matches!(error, StartError::Settings(_)), "{error}");
        let error = error.to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn without_an_endpoint_there_is_no_exporter() {
    let resolved = Settings::default().resolve(|_| None).expect("resolves");
    let started = Exporter::start(&resolved, &Metrics::new()).expect("fine");
    assert!(started.is_none());
}
