//! The stack of `compose/`, as far as it can be held against the repository without a container engine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_tests::cli;

fn compose() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose")
}

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(compose().join(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn services() -> Vec<(String, Value)> {
    let stack = read("docker-compose.yaml");
    let services = stack["services"].as_object().unwrap().clone();
    services.into_iter().collect()
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_image_has_a_version() {
    let mut seen = 0;
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        if image == "weir:local" {
            assert_eq!(service["build"]["dockerfile"], "compose/Dockerfile");
            continue;
        }
        let (_, tag) = image.split_once(':').unwrap_or((image, ""));
        let version = tag.trim_start_matches('v').split(['.', '-']);
        let exact = version.take(3).all(|part| part.parse::<u32>().is_ok());
        assert!(exact && tag.matches('.').count() >= 2, "{name}: {image}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} of them");
    let dockerfile = std::fs::read_to_string(compose().join("Dockerfile")).unwrap();
    assert!(!dockerfile.contains(":latest"));
    assert!(dockerfile.contains("\nUSER weir\n") && dockerfile.contains("\nHEALTHCHECK "));
}

#[test]
fn what_is_mounted_is_there_and_ports_are_on_loopback() {
    for (name, service) in services() {
        for volume in texts(&service["volumes"]) {
            let (from, _) = volume.split_once(':').unwrap();
            if from.starts_with('.') {
                let path = compose().join(from);
                assert!(path.exists(), "{name}: {}", path.display());
                assert!(
                    volume.ends_with(":ro"),
                    "{name}: {volume} can be written to"
                );
            }
        }
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[test]
fn all_dashboards_and_rules_are_provisioned() {
    let services = services();
    let of = |name: &str| {
        let (_, service) = services.iter().find(|(each, _)| each == name).unwrap();
        texts(&service["volumes"])
    };
    for entry in std::fs::read_dir(compose().join("../dashboards")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "json") {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let mounted = of("grafana").iter().any(|one| one.contains(&file));
            assert!(mounted, "{file} is not mounted");
        }
    }
    let prometheus = read("prometheus/prometheus.yaml");
    assert_eq!(prometheus["rule_files"][0], "/etc/prometheus/rules/*.yaml");
    let rules = "../dashboards/rules:/etc/prometheus/rules:ro".to_owned();
    assert!(of("prometheus").contains(&rules));
    let job = &prometheus["scrape_configs"][0];
    assert_eq!(job["job_name"], "weir", "the rules ask for it by this name");
}

#[test]
fn who_is_spoken_to_is_there() {
    let names: Vec<String> = services().into_iter().map(|(name, _)| name).collect();
    let files = [
        "weir/weir.yaml",
        "otel/collector.yaml",
        "prometheus/prometheus.yaml",
        "grafana/provisioning/datasources/datasources.yaml",
        "load/load.js",
    ];
    let mut found = 0;
    for file in files {
        let text = std::fs::read_to_string(compose().join(file)).unwrap();
        for word in text.split(['"', '\'', ' ', ',', '[', ']', '\n']) {
            let address = word.trim_start_matches("http://");
            let Some((host, port)) = address.split_once(':') else {
                continue;
            };
            let port = port.split('/').next().unwrap_or_default();
            let is_outside = host.contains('.') || host == "localhost" || host.is_empty();
            if port.parse::<u16>().is_err() || is_outside {
                continue;
            }
            assert!(names.iter().any(|name| name == host), "{file}: {address}");
            found += 1;
        }
    }
    assert!(found >= 10, "only {found} addresses");
}

#[test]
fn the_gateways_configuration_is_good() {
    let path = compose().join("weir/weir.yaml");
    let given = [("WEIR_ADMIN_TOKEN", "token"), ("OPENAI_API_KEY", "key")];
    let checked = cli::run_with(&["check", "--config", path.to_str().unwrap()], &given);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}

/// A signal without a pipeline is refused to the gateway, which counts it as dropped.
fn takes_what_the_gateway_sends(file: &str, config: &Value) {
    if config["receivers"]["otlp"].is_null() {
        return;
    }
    for signal in ["traces", "logs", "metrics"] {
        let receivers = texts(&config["service"]["pipelines"][signal]["receivers"]);
        assert_eq!(receivers, ["otlp"], "{file}: {signal}");
    }
}

#[test]
fn worked_examples_send_what_they_say() {
    for (file, exporter) in [
        ("loki", "otlphttp/loki"),
        ("elasticsearch", "elasticsearch"),
        ("splunk", "splunk_hec/logs"),
        ("datadog", "datadog"),
        ("from-file", "debug"),
    ] {
        let config = read(&format!("export/{file}.yaml"));
        let pipelines = config["service"]["pipelines"].as_object().unwrap();
        let mut exporters = Vec::new();
        for (name, pipeline) in pipelines {
            exporters.extend(texts(&pipeline["exporters"]));
            for part in ["receivers", "processors", "exporters"] {
                for one in texts(&pipeline[part]) {
                    assert!(!config[part][&one].is_null(), "{file}: {name} has no {one}");
                }
            }
        }
        assert!(exporters.iter().any(|one| one == exporter), "{file}");
        takes_what_the_gateway_sends(file, &config);
    }
    takes_what_the_gateway_sends("collector", &read("otel/collector.yaml"));
    let alerts = read("export/alertmanager.yaml");
    let receivers = alerts["receivers"].as_array().unwrap();
    let names: Vec<_> = receivers.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["pagerduty", "slack"]);
}
