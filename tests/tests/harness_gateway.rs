//! The harness tested on itself: a gateway's life, with a shell script in the gateway's place.
//!
//! The script keeps the contract of `weir run` (its lines on standard error), and a scripted
//! upstream stands where its metrics would be.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use weir_tests::child::Kind;
use weir_tests::gateway::Builder;
use weir_tests::scratch::Scratch;
use weir_tests::{Behaviour, Gateway, Upstream};

const SCRIPT: &str = r#"#!/bin/sh
[ "$1" = run ] && [ "$2" = --config ] || exit 2
grep -q broken "$3" && { echo "routes[0]: broken" >&2; exit 1; }
echo "listening name=public address=$PUBLIC" >&2
echo "listening name=metrics address=$PUBLIC" >&2
trap 'exit 0' TERM
trap 'printf "%s\n%s" "{\"status\": 200}" "{\"half" >"$ACCESS_LOG.new"; mv "$ACCESS_LOG.new" "$ACCESS_LOG"' USR1
echo '{"status": 200}' >"$ACCESS_LOG"
echo ready >&2
while :; do sleep 0.01; done
"#;

fn script(dir: &Scratch) -> PathBuf {
    let path = dir.write("gateway.sh", SCRIPT);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn gateway(dir: &Scratch, upstream: &Upstream, yaml: &str) -> Builder {
    Gateway::builder(yaml)
        .executable(script(dir))
        .env("PUBLIC", &upstream.addr().to_string())
}

fn metrics(text: &str) -> Behaviour {
    Behaviour::answer(200, &["Content-Type: text/plain"], text)
}

#[tokio::test]
async fn a_gateway_starts_and_stops() {
    let dir = Scratch::new("script");
    let upstream = Upstream::start(metrics("hits{a=\"1\"} 2\nhits{a=\"2\"} 3\n")).await;
    let gateway = gateway(&dir, &upstream, "version: 1").start().await;
    assert_eq!(gateway.addr("public"), upstream.addr());
    assert_eq!(gateway.url("public"), format!("http://{}", upstream.addr()));
    assert!((gateway.metric("hits", &[]).await - 5.0).abs() < f64::EPSILON);
    assert!((gateway.metric("hits", &[("a", "2")]).await - 3.0).abs() < f64::EPSILON);
    assert!(gateway.metric("misses", &[]).await.abs() < f64::EPSILON);
    assert_eq!(gateway.access_log(), [serde_json::json!({ "status": 200 })]);

    let successor = gateway.successor().executable(script(&dir));
    let successor = successor.env("PUBLIC", "127.0.0.1:1").start().await;
    assert_eq!(successor.addr("public").port(), 1);
    assert_eq!(successor.dir(), gateway.dir());

    assert_eq!(gateway.stop().await.code(), Some(0));
    let pid = successor.pid();
    drop(successor);
    assert!(!std::path::Path::new("/proc").join(pid.to_string()).exists());
}

#[tokio::test]
async fn half_a_log_line_is_not_read() {
    let dir = Scratch::new("script");
    let upstream = Upstream::start(metrics("")).await;
    let gateway = gateway(&dir, &upstream, "version: 1").start().await;
    let log = gateway.dir().join("access.log");
    // Not SIGHUP: a shell that is started where that is ignored, as by nohup, cannot trap it.
    gateway.signal(Kind::SIGUSR1);
    weir_tests::wait::until_true("the half line", || {
        std::fs::read_to_string(&log).unwrap().contains("half")
    })
    .await;
    assert_eq!(gateway.access_log().len(), 1);
}

#[tokio::test]
async fn a_faulty_configuration_fails_the_start_with_its_log() {
    let dir = Scratch::new("script");
    let upstream = Upstream::start(metrics("")).await;
    let failed = gateway(&dir, &upstream, "broken: true")
        .try_start()
        .await
        .unwrap_err();
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(failed.log, ["routes[0]: broken"]);
}

#[tokio::test]
async fn a_reload_is_over_when_a_result_grew() {
    let dir = Scratch::new("script");
    let count = |applied: u8, refused: u8| {
        metrics(&format!(
            "weir_config_reloads_total{{result=\"applied\"}} {applied}\n\
             weir_config_reloads_total{{result=\"refused\"}} {refused}\n"
        ))
    };
    let scrapes = [
        count(1, 0),
        count(1, 0),
        count(1, 1),
        count(1, 1),
        count(2, 1),
    ];
    let upstream = Upstream::sequence(scrapes).await;
    let gateway = gateway(&dir, &upstream, "version: 1").start().await;
    assert_eq!(gateway.reload("version: 2").await, "refused");
    let written = std::fs::read_to_string(gateway.dir().join("config/weir.yaml")).unwrap();
    assert_eq!(written, "version: 2");
    assert_eq!(gateway.reload("version: 3").await, "applied");
}
