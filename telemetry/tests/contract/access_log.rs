//! Lines parse, and a writer that does not keep up only costs lines.

use crate::sample::{self, ms};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_telemetry::access_log::Output;
use weir_telemetry::{AccessLog, Handles, Metrics, Telemetry};

const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

#[test]
fn a_line_is_json_with_the_documented_fields() {
    let written = Shared::default();
    let metrics = Metrics::new();
    let log = AccessLog::to_writer(Box::new(written.clone()), 8, &metrics).expect("a thread");
    log.write(&Arc::new(sample::full()));
    assert!(log.flush(LONG));
    let lines = lines(&written.0.lock().expect("not poisoned"));
    let [line] = lines.as_slice() else {
        panic!("one line, not {}", lines.len());
    };
    for (field, expected) in [
        ("timestamp", json!("2023-11-14T22:13:20.000001Z")),
        ("request_id", json!("req-1")),
        ("trace_id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("parent_span_id", json!("00f067aa0ba902b7")),
        ("trace_sampled", json!(true)),
        ("http.request.method", json!("POST")),
        ("url.scheme", json!("http")),
        ("server.address", json!("shop.example.com")),
        ("server.port", json!(8080)),
        ("url.path", json!("/v1/chat/completions")),
        ("network.protocol.version", json!("2")),
        ("client.address", json!("192.0.2.7")),
        ("network.peer.address", json!("192.0.2.7")),
        ("user_agent.original", json!("curl/8.0 \"quoted\"\n")),
        ("http.response.status_code", json!(200)),
        ("http.request.body.size", json!(120)),
        ("http.response.body.size", json!(3400)),
        ("weir.duration", json!(0.03)),
        ("weir.gateway.duration", json!(0.000_085)),
        ("weir.upstream.wait.duration", json!(0.022)),
        ("weir.listener", json!("public")),
        ("weir.route", json!("chat")),
        ("weir.team", json!("shop")),
        ("weir.consumer", json!("checkout")),
        ("weir.action", json!("llm")),
        ("weir.config.revision", json!("0000000000000003")),
    ] {
        assert_eq!(line[field], expected, "{field}");
    }
    assert_eq!(
        line.get("error.type"),
        None,
        "what does not apply is left out"
    );
    assert_eq!(line["weir.attempts"][0]["error"], "connection_refused");
    assert_eq!(line["weir.attempts"][1]["connect"], 0.003);
    assert_eq!(line["weir.policies"][0]["kind"], "quota");
    assert_eq!(line["weir.quotas"][0]["used"], 42);
    assert_eq!(line["weir.attempts"][0]["model"], "claude-opus-4-6");
    for (field, expected) in [
        ("request.model", json!("smart")),
        ("response.model", json!("gpt-4o")),
        ("provider.name", json!("openai")),
        ("weir.provider", json!("openai-eu")),
        ("usage.output_tokens", json!(12)),
        ("usage.cache_read.input_tokens", json!(10)),
        ("usage.cache_creation.input_tokens", json!(5)),
        ("usage.reasoning.output_tokens", json!(4)),
        ("cost_dollars", json!(0.000_157_5)),
        ("first_chunk", json!(0.009)),
        ("cache", json!("semantic_hit")),
        ("cache.similarity", json!(0.97)),
    ] {
        assert_eq!(line["gen_ai"][field], expected, "{field}");
    }
    assert_eq!(line["messaging"]["kafka.offset"], 1234);
    assert_eq!(line["weir.websocket"]["close.initiator"], "gateway");
    assert_eq!(line["weir.websocket"]["messages.received.size"], 70);
    let asked = json!({ "operation.type": "query", "operation.name": "Orders", "operations": 1, "cost": 12 });
    assert_eq!(line["graphql"], asked);
}

#[test]
fn a_failure_names_its_code_and_whose_fault_it_was() {
    let written = Shared::default();
    let log = AccessLog::to_writer(Box::new(written.clone()), 8, &Metrics::new());
    let log = log.expect("a thread");
    log.write(&sample::failed(weir_telemetry::Code::DnsError));
    assert!(log.flush(LONG));
    let lines = lines(&written.0.lock().expect("not poisoned"));
    assert_eq!(lines[0]["error.type"], "dns_error");
    assert_eq!(lines[0]["weir.fault"], "upstream");
}

/// Says when it is first written to, then blocks until it is let go.
struct Stuck {
    reached: SyncSender<()>,
    release: Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Both ends gone: the test is over.
        let _told = self.reached.try_send(());
        let _released = self.release.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn dropped(metrics: &Metrics) -> String {
    let text = metrics.encode();
    let series = "weir_telemetry_dropped_total{signal=\"access_log\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.expect("the series is there").to_owned()
}

#[test]
fn a_stuck_writer_holds_no_request_up_and_lost_lines_are_counted() {
    let (reached, on_reached) = sync_channel(1);
    let (release, on_release) = sync_channel::<()>(0);
    let metrics = Metrics::new();
    let stuck = Stuck {
        reached,
        release: on_release,
    };
    let log = AccessLog::to_writer(Box::new(stuck), 4, &metrics).expect("a thread");
    let listener = metrics.listener("public");
    let telemetry = Telemetry {
        access_log: Some(log),
        ..Telemetry::of(metrics.clone(), LONG)
    };
    let finish = || telemetry.finish(sample::plain(), Handles::of(&listener));
    finish();
    on_reached.recv_timeout(LONG).expect("the writer began");
    // The writer is stuck for good now: were `finish` to wait for it, this
    // test would never end.
    for _ in 0..100 {
        finish();
    }
    assert_eq!(dropped(&metrics), "96", "four wait, the others are gone");
    let log = telemetry.access_log.as_ref().expect("set");
    assert!(!log.flush(ms(1)), "a flush gives up");
    drop(release);
    assert!(log.flush(LONG), "and succeeds once the writer is free");
    assert_eq!(dropped(&metrics), "96");
}

/// A full disk.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_a_broken_output_loses_are_counted() {
    let metrics = Metrics::new();
    let log = AccessLog::to_writer(Box::new(Full), 8, &metrics).expect("a thread");
    for _ in 0..3 {
        log.write(&Arc::new(sample::plain()));
        assert!(log.flush(LONG));
    }
    assert_eq!(dropped(&metrics), "3");
}

#[test]
fn a_file_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let moved = folder.path().join("access.log.1");
    let output = Output::Path(path.clone());
    let log = AccessLog::start(output, &Arc::default(), &Metrics::new()).expect("a file");
    log.write(&Arc::new(sample::plain()));
    assert!(log.flush(LONG));
    std::fs::rename(&path, &moved).expect("moved");
    log.reopen();
    assert!(log.flush(LONG));
    log.write(&Arc::new(sample::plain()));
    log.write(&Arc::new(sample::plain()));
    assert!(log.flush(LONG));
    let count = |path| lines(&std::fs::read(path).expect("readable")).len();
    assert_eq!((count(moved), count(path)), (1, 2));
}

#[test]
fn a_file_that_cannot_be_opened_is_said_at_once() {
    let path = "/nonexistent/folder/access.log".into();
    let error = AccessLog::start(Output::Path(path), &Arc::default(), &Metrics::new()).err();
    assert_eq!(error.expect("an error").kind(), io::ErrorKind::NotFound);
}
