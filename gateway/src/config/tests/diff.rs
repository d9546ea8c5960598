//! What a reload would change, and what it cannot.

use super::good;
use crate::config::diff;

const OLD: &str = "
metrics: { address: 127.0.0.1:9902 }
secrets: [{ name: k, value: one-secret }]
upstreams: [{ name: a, endpoints: [{ address: a:1 }, { address: b:1 }] }, { name: b, endpoints: [{ address: a:1 }] }]
routes: [{ name: x, respond: {} }, { name: y, hosts: [y.example.com], respond: {} }]
";

fn changes(new: &str) -> Vec<String> {
    diff(&good(OLD), &good(new))
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn nothing_changes_nothing() {
    assert_eq!(changes(OLD), Vec::<String>::new());
    let spread = OLD.replace("{ name: x, respond: {} }", "{ respond: {}, name: x }");
    assert_eq!(good(OLD).revision, good(&spread).revision);
    assert_ne!(
        good(OLD).revision,
        good(&OLD.replace("b:1", "b:2")).revision
    );
}

#[test]
fn changes_are_told_by_section_name_and_path() {
    let new = OLD
        .replace("b:1 }] }, { name: b", "b:2, weight: 3 }] }, { name: c")
        .replace("one-secret", "two-secret");
    assert_eq!(
        changes(&new),
        [
            "secrets \"k\" changed: value",
            "upstreams \"a\" changed: endpoints[1].address, endpoints[1].weight",
            "upstreams \"b\" removed",
            "upstreams \"c\" added",
        ]
    );
}

#[test]
fn the_order_of_routes_counts() {
    let new = OLD
        .replace("routes: [{ name: x, respond: {} }, ", "routes: [")
        .replace(
            "com], respond: {} }]",
            "com], respond: {} }, { name: x, respond: {} }]",
        );
    assert_eq!(changes(&new), ["routes changed: order"]);
}

#[test]
fn what_a_reload_cannot_apply_is_named() {
    let old = good(&format!(
        "{OLD}telemetry: {{ otlp: {{ endpoint: 'http://a:1' }} }}\nserver: {{ worker_threads: 1 }}"
    ));
    let new = good(&OLD.replace("9902", "9903").replace("metrics:", "telemetry: { slow_after: 2s, otlp: { endpoint: 'http://a:2', sample_ratio: 0.5, logs: true, metrics: {} } }\nserver: { worker_threads: 2 }\nadmin: { address: 127.0.0.1:0 }\nmetrics:"));
    let refused: Vec<String> = diff(&old, &new)
        .into_iter()
        .flat_map(|change| change.refused())
        .collect();
    assert_eq!(
        refused,
        [
            "admin",
            "metrics: address",
            "server: worker_threads",
            "telemetry: otlp.endpoint",
            "telemetry: otlp.logs",
            "telemetry: otlp.metrics"
        ]
    );
}

#[test]
fn a_telemetry_section_that_comes_brings_no_exporter() {
    let old = good(OLD);
    let with = |telemetry: &str| good(&format!("{OLD}telemetry: {telemetry}\n"));
    let refused = |new| -> Vec<String> {
        let changes = diff(&old, &new).into_iter();
        changes.flat_map(|change| change.refused()).collect()
    };
    assert_eq!(refused(with("{ slow_after: 2s }")), [""; 0]);
    assert_eq!(
        refused(with(
            "{ otlp: { endpoint: 'http://a:1' }, access_log: { output: none } }"
        )),
        ["telemetry: access_log", "telemetry: otlp"]
    );
}
