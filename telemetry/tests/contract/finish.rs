//! One record reaches everybody it concerns, and nobody else.

use crate::collector::Collector;
use crate::sample::{self, ms};
use std::sync::Arc;
use std::time::Duration;
use weir_telemetry::access_log::Output;
use weir_telemetry::export::Settings;
use weir_telemetry::recorder::Limits;
use weir_telemetry::trace::{Context, RequestId};
use weir_telemetry::{AccessLog, Code, Exporter, Handles, Metrics, Record, Recorder, Telemetry};

const LONG: Duration = Duration::from_secs(30);

fn record(id: &str) -> Record {
    Record {
        request_id: RequestId::from_header(id.as_bytes()).expect("harmless"),
        trace: Context::root(),
        ..sample::plain()
    }
}

#[test]
fn a_good_request_is_logged_and_a_bad_one_is_also_traced_and_kept() {
    let collector = Collector::start();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let metrics = Metrics::new();
    let settings = Settings {
        endpoint: Some(collector.endpoint()),
        sample_ratio: Some(0.0),
        ..Settings::default()
    };
    let resolved = settings.resolve(|_| None).expect("usable settings");
    let telemetry = Telemetry {
        access_log: AccessLog::start(Output::Path(path.clone()), &Arc::default(), &metrics).ok(),
        exporter: Exporter::start(&resolved, &metrics).expect("starts"),
        recorder: Recorder::new(Limits {
            slowest: 0,
            ..Limits::default()
        }),
        ..Telemetry::of(metrics, ms(1_000))
    };
    let listener = telemetry.metrics.listener("public");
    let route = telemetry.metrics.route("chat", "shop", &[]);
    let handles = Handles {
        route: Some(&route),
        ..Handles::of(&listener)
    };
    telemetry.finish(record("good"), handles);
    let bad = Record {
        status: 502,
        code: Some(Code::HttpResponseIncomplete),
        ..record("bad")
    };
    let trace_id = bad.trace.trace_id;
    telemetry.finish(bad, handles);
    telemetry.shutdown(LONG);

    let log = std::fs::read_to_string(path).expect("written");
    assert_eq!(log.lines().count(), 2);
    let requests = collector.received.requests.lock().expect("not poisoned");
    let [(_, request)] = requests.as_slice() else {
        panic!("one export, not {}", requests.len());
    };
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].trace_id, trace_id);
    assert!(telemetry.recorder.find("bad").is_some());
    assert!(telemetry.recorder.find("good").is_none());
    let text = telemetry.metrics.encode();
    let total = "weir_gateway_duration_seconds_count{weir_route=\"chat\",weir_team=\"shop\"} 2";
    assert!(text.contains(total), "{text}");
}
