//! The rules that ship with the gateway: promtool's own tests of them, and a real Prometheus that
//! scrapes a real gateway with them loaded.

use std::path::PathBuf;
use std::process::Command;

use weir_tests::prometheus::Prometheus;
use weir_tests::{Behaviour, Gateway, Upstream, scratch, wire};

fn rules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards/rules")
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&folder).expect("the rules are there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let output = Command::new("promtool")
        .args(arguments)
        .args(files)
        .output()
        .expect("promtool runs: scripts/deps.sh test installs it");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {told}");
}

#[test]
fn promtool_finds_the_rules_good() {
    promtool(&["check", "rules"], &files(rules()));
}

#[test]
fn every_alert_fires_and_stays_silent_as_its_tests_say() {
    promtool(&["test", "rules"], &files(rules().join("tests")));
}

/// Runs dashboards/generate.py on the environment with Grafana's types.
fn generate(arguments: &[&str]) {
    let python = scratch::target_dir().join("servers/python/bin/python");
    let program = rules().join("../generate.py");
    let output = Command::new(&python).arg(program).args(arguments).output();
    let output = output.expect("`make deps WHAT=test` makes the environment");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
}

#[test]
fn what_is_generated_is_as_it_would_be_made_now() {
    generate(&["dashboards", "--check"]);
    generate(&["rules", "--check"]);
}

#[test]
fn rules_whose_windows_are_shortened_are_good_too() {
    let folder = scratch::Scratch::new("rules");
    let out = folder.path().to_str().expect("a plain name");
    generate(&["rules", "--shorten", "60", "--out", out]);
    let shortened = files(folder.path().to_owned());
    assert_eq!(shortened.len(), files(rules()).len());
    promtool(&["check", "rules"], &shortened);
    let slo = std::fs::read_to_string(folder.path().join("slo.yaml")).expect("it is written");
    assert!(slo.contains("[60s]") && !slo.contains("[1h]"), "{slo}");
}

#[tokio::test]
async fn a_prometheus_that_scrapes_the_gateway_computes_the_recorded_series() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#,
        upstream.addr()
    ))
    .await;
    let rules = files(rules());
    let rules: Vec<_> = rules.iter().map(PathBuf::as_path).collect();
    let prometheus = Prometheus::start(&[gateway.addr("metrics")], &rules).await;
    let count = r#"http_server_request_duration_seconds_count{weir_route="all"}"#;
    for _ in 0..3 {
        assert_eq!(wire::get(gateway.addr("public"), "/").await.status, 200);
    }
    prometheus.wait_for(count, |counted| counted >= 3.0).await;
    prometheus
        .wait_for("route:http_server_requests:rate5m", |rate| rate >= 0.0)
        .await;
}
