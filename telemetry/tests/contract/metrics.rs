//! Every row of the catalogue is written under its name with its labels.

use crate::sample::{self, ms};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use weir_telemetry::catalogue::{self, Kind};
use weir_telemetry::metrics::answers::Lookup;
use weir_telemetry::metrics::idempotency::Met;
use weir_telemetry::metrics::model::Call;
use weir_telemetry::metrics::quota::Decision;
use weir_telemetry::metrics::reply::Outcome;
use weir_telemetry::metrics::standing::Figures;
use weir_telemetry::metrics::{table, worker};
use weir_telemetry::{Code, Handles, Metrics, Protocol, Telemetry, metrics};

fn telemetry(metrics: &Metrics) -> Telemetry {
    Telemetry::of(metrics.clone(), ms(1_000))
}

fn call<'a>(provider_name: &'a str, provider: &'a str, target: &'a str) -> Call<'a> {
    Call {
        operation: "chat",
        provider_name,
        target,
        provider,
        model: "smart",
        route: "chat",
        team: "shop",
    }
}

/// Does everything once that writes a metric; what is returned keeps its series.
fn exercise(metrics: &Metrics) -> impl Sized {
    let listener = metrics.listener("public");
    let route = metrics.route("chat", "shop", &["quota"]);
    let models = [
        metrics.model(&call("anthropic", "claude", "claude-opus-4-6")),
        metrics.model(&call("openai", "openai-eu", "gpt-4o")),
    ];
    models[1].pace().chunk();
    let topic = metrics.topic("events", "usage");
    metrics.received("events", "usage").add(1);
    let subscription = metrics.subscription("feed", "events", "usage");
    drop(subscription.begin());
    subscription.told(1, Some(Duration::ZERO), 0);
    let replies = metrics.replies("jobs", "events", "replies");
    drop(replies.wait());
    for outcome in Outcome::ALL {
        replies.came(outcome);
    }
    replies.took(Duration::ZERO);
    drop(metrics.kafka_principal("events"));
    metrics.spool("events").rejected(Code::KafkaTopicUnknown);
    metrics.usage().lost(metrics::usage::Lost::QueueFull);
    let topics: [Arc<str>; 1] = ["orders".into()];
    let working = [worker::Kind::Webhook, worker::Kind::LlmWorker].map(|kind| {
        let worker = metrics.worker(kind, "partner", &topics);
        worker.processed("orders", worker::Outcome::Delivered, Duration::ZERO);
        let mut standing = metrics.worker_standing(kind, "partner");
        standing.is(&worker::Figures {
            lag: vec![("orders".into(), 1)],
            ..worker::Figures::default()
        });
        standing
    });
    metrics.idempotency("ingest").met(Met::First);
    let websocket = metrics.websocket("chat");
    let telemetry = telemetry(metrics);
    let handles = Handles {
        listener: &listener,
        route: Some(&route),
        models: &models,
        topic: Some(&topic),
        websocket: Some(&websocket),
    };
    drop(websocket.begin());
    websocket.received(5);
    websocket.sent(7);
    let record = sample::full();
    let upstream = metrics.upstream("openai");
    for attempt in &record.attempts {
        let _active = upstream.begin();
        upstream.attempt(attempt);
    }
    drop((route.begin(), listener.opened()));
    listener.negotiated(Protocol::Http2);
    telemetry.finish(record, handles);
    let calls = metrics.route("calls", "shop", &[]);
    let of_calls = Handles {
        route: Some(&calls),
        ..Handles::of(&listener)
    };
    telemetry.finish(sample::called(), of_calls);
    telemetry.finish(
        Arc::unwrap_or_clone(sample::failed(Code::BreakerOpen)),
        handles,
    );
    telemetry.finish(
        Arc::unwrap_or_clone(sample::failed(Code::RouteNotFound)),
        Handles::of(&listener),
    );
    upstream.endpoint_healthy("10.0.0.1:443", false);
    upstream.ejected();
    upstream.idle_ended(metrics::EndedBy::Race, 1);
    upstream.idle_timeout("10.0.0.1:443", Some(Duration::from_secs(5)));
    upstream.breaker_open(true);
    let quota = metrics.quota("team-tokens");
    quota.decided(Decision::Allowed);
    let units = quota.units("shop");
    units.reserved(100);
    units.settled(100, 42);
    let store = metrics.store("ledger");
    store.decided(true);
    store.entered(Duration::ZERO, true);
    store.keeps(true);
    store.unfit(&[]);
    metrics.changed_by_hand("quota_grant", true);
    metrics.findings("chat", "pii", "email", "request").add(1);
    metrics.answers("chat").looked_up(Lookup::Hit);
    let graphql = metrics.graphql("api", &[]);
    graphql.operation("query", None, 1);
    metrics.config_loaded(true);
    metrics.draining(true);
    let standing = metrics.standing("team-tokens");
    standing.is(&Figures::default());
    let certificate = metrics.certificate("public", "/etc/weir/shop.pem");
    certificate.expires(1_900_000_000);
    let target = metrics.target("openai", "gpt-4o");
    target.set_aside(false);
    metrics
        .table("events", "users")
        .came(table::Outcome::Written);
    let view = metrics.table_standing("events", "users");
    let backlog = metrics.backlog("events");
    (standing, target, view, backlog, working, certificate)
}

/// The label names of every sample of one metric.
fn labels_of(text: &str, sample: &str) -> BTreeSet<String> {
    let of_metric = |line: &&str| {
        line.strip_prefix(sample)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    };
    let line = text.lines().find(of_metric);
    let line = line.unwrap_or_else(|| panic!("{sample} is missing in\n{text}"));
    let inside = line
        .split_once('{')
        .and_then(|(_, rest)| rest.rsplit_once('}'));
    let pairs = inside.map_or("", |(labels, _)| labels).split("\",");
    pairs
        .filter_map(|pair| pair.split_once('=').map(|(name, _)| name.to_owned()))
        .filter(|name| name != "le")
        .collect()
}

#[test]
fn every_metric_of_the_catalogue_appears_with_its_labels() {
    let metrics = Metrics::with_series_budget(200);
    let _standing = exercise(&metrics);
    for n in 0..201 {
        metrics.upstream(&format!("many-{n}"));
    }
    let text = metrics.encode();
    for metric in catalogue::ALL {
        let sample = match metric.kind {
            Kind::Histogram => format!("{}_count", metric.name),
            Kind::Counter | Kind::Gauge => metric.name.to_owned(),
        };
        let expected: BTreeSet<_> = metric.labels.iter().map(|l| (*l).to_owned()).collect();
        assert_eq!(labels_of(&text, &sample), expected, "{}", metric.name);
        assert!(text.contains(&format!("# HELP {} {}", metric.name, metric.help)));
    }
}

#[test]
fn nothing_is_written_that_the_catalogue_does_not_name() {
    let metrics = Metrics::new();
    let _standing = exercise(&metrics);
    let known: BTreeSet<_> = catalogue::ALL
        .iter()
        .map(|metric| metric.name)
        .chain(catalogue::PROCESS.iter().copied())
        .collect();
    let text = metrics.encode();
    let written = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in written.filter_map(|rest| rest.split(' ').next()) {
        assert!(known.contains(name), "{name} is not in the catalogue");
    }
}

#[test]
fn the_catalogue_keeps_its_own_rules() {
    let mut names = BTreeSet::new();
    for metric in catalogue::ALL {
        assert!(names.insert(metric.name), "{} twice", metric.name);
        let is_counter = metric.kind == Kind::Counter;
        assert_eq!(
            metric.name.ends_with("_total"),
            is_counter,
            "{}",
            metric.name
        );
        let is_histogram = metric.kind == Kind::Histogram;
        assert_eq!(!metric.buckets.is_empty(), is_histogram, "{}", metric.name);
        assert!(metric.buckets.is_sorted(), "{}", metric.name);
        let unit = match metric.unit {
            "s" => "_seconds",
            // A unit in braces is no part of a name in Prometheus.
            _ => "",
        };
        assert!(metric.name.ends_with(unit), "{}", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_processs_own_figures_are_there() {
    let text = Metrics::new().encode();
    for name in catalogue::PROCESS {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
    }
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    let value = line.unwrap_or_else(|| panic!("{series} is missing in\n{text}"));
    value.trim().parse().expect("a number")
}

#[test]
fn figures_are_those_of_the_record() {
    let metrics = Metrics::new();
    let _standing = exercise(&metrics);
    let text = metrics.encode();
    for (series, expected) in [
        (
            "http_server_request_duration_seconds_sum{http_response_status_code=\"200\",weir_route=\"chat\",weir_team=\"shop\"}",
            0.03,
        ),
        (
            "http_server_request_duration_seconds_count{http_response_status_code=\"503\",weir_route=\"chat\",weir_team=\"shop\"}",
            1.0,
        ),
        (
            "weir_errors_total{error_type=\"breaker_open\",fault=\"upstream\",weir_route=\"chat\",weir_team=\"shop\"}",
            1.0,
        ),
        ("weir_request_body_bytes_total{weir_route=\"chat\"}", 240.0),
        ("weir_requests_active{weir_route=\"chat\"}", 0.0),
        (
            "http_client_request_duration_seconds_count{outcome=\"2xx\",weir_upstream=\"openai\"}",
            1.0,
        ),
        (
            "http_client_request_duration_seconds_count{outcome=\"connection_refused\",weir_upstream=\"openai\"}",
            1.0,
        ),
        (
            "weir_upstream_retries_total{reason=\"connection_refused\",weir_upstream=\"openai\"}",
            1.0,
        ),
        (
            "weir_upstream_connections_total{reused=\"false\",weir_upstream=\"openai\"}",
            1.0,
        ),
        (
            "weir_requests_refused_total{error_type=\"route_not_found\",listener=\"public\"}",
            1.0,
        ),
        (
            "weir_llm_tokens_total{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",gen_ai_token_type=\"output\",provenance=\"provider\",weir_model=\"smart\",weir_provider=\"openai-eu\",weir_route=\"chat\",weir_team=\"shop\"}",
            12.0,
        ),
        (
            "gen_ai_client_token_usage_sum{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",gen_ai_token_type=\"input\",weir_model=\"smart\",weir_provider=\"openai-eu\",weir_route=\"chat\",weir_team=\"shop\"}",
            30.0,
        ),
        (
            "gen_ai_client_operation_duration_seconds_sum{error_type=\"connection_refused\",gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"anthropic\",gen_ai_request_model=\"claude-opus-4-6\",weir_model=\"smart\",weir_provider=\"claude\",weir_route=\"chat\",weir_team=\"shop\"}",
            0.002,
        ),
        (
            "gen_ai_client_operation_duration_seconds_sum{error_type=\"\",gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",weir_model=\"smart\",weir_provider=\"openai-eu\",weir_route=\"chat\",weir_team=\"shop\"}",
            0.02,
        ),
        (
            "gen_ai_client_operation_time_to_first_chunk_seconds_sum{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",weir_model=\"smart\",weir_provider=\"openai-eu\",weir_route=\"chat\",weir_team=\"shop\"}",
            0.005,
        ),
        (
            "weir_llm_token_parts_total{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",part=\"reasoning\",weir_model=\"smart\",weir_provider=\"openai-eu\",weir_route=\"chat\",weir_team=\"shop\"}",
            4.0,
        ),
        (
            "weir_llm_cost_dollars_total{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",provenance=\"provider\",weir_model=\"smart\",weir_provider=\"openai-eu\",weir_route=\"chat\",weir_team=\"shop\"}",
            0.000_157_5,
        ),
        (
            "weir_llm_consumer_cost_dollars_total{provenance=\"provider\",weir_consumer=\"checkout\",weir_model=\"smart\",weir_team=\"shop\"}",
            0.000_157_5,
        ),
        (
            "messaging_client_sent_messages_total{error_type=\"\",messaging_destination_name=\"usage\",weir_kafka_cluster=\"events\"}",
            1.0,
        ),
        (
            "weir_quota_units_total{quota=\"team-tokens\",state=\"refunded\",weir_team=\"shop\"}",
            58.0,
        ),
        ("weir_config_last_reload_successful", 1.0),
        ("weir_draining", 1.0),
    ] {
        let got = value(&text, series);
        assert!((got - expected).abs() < 1e-9, "{series}: {got}");
    }
}

#[test]
fn counters_outlive_a_reload() {
    let metrics = Metrics::new();
    for _ in 0..2 {
        let route = metrics.route("chat", "shop", &[]);
        route.finished(&sample::plain());
    }
    let series = "weir_gateway_duration_seconds_count{weir_route=\"chat\",weir_team=\"shop\"}";
    assert!((value(&metrics.encode(), series) - 2.0).abs() < 1e-9);
}

#[test]
fn an_upstreams_own_failure_counts_as_its_fault() {
    let metrics = Metrics::new();
    let mut record = sample::plain();
    record.status = 503;
    metrics.route("chat", "shop", &[]).finished(&record);
    let series = "weir_errors_total{error_type=\"503\",fault=\"upstream\",weir_route=\"chat\",weir_team=\"shop\"}";
    assert!((value(&metrics.encode(), series) - 1.0).abs() < 1e-9);
}

/// The series of a metric that begin so, added up.
fn sum(text: &str, begin: &str) -> f64 {
    let values = text
        .lines()
        .filter(|line| line.starts_with(begin))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}

#[test]
fn what_is_only_bounded_is_told_apart_and_no_usage_of_the_conventions() {
    let metrics = Metrics::new();
    let listener = metrics.listener("public");
    let mut record = sample::full();
    record.llm.as_mut().expect("set").provenance = "estimated";
    let models = [
        metrics.model(&call("anthropic", "claude", "claude-opus-4-6")),
        metrics.model(&call("openai", "openai-eu", "gpt-4o")),
    ];
    let handles = Handles {
        models: &models,
        ..Handles::of(&listener)
    };
    telemetry(&metrics).finish(record, handles);
    let text = metrics.encode();
    assert!((sum(&text, "weir_llm_tokens_total{") - 42.0).abs() < 1e-9);
    assert!(text.contains("provenance=\"estimated\""));
    assert!(!text.contains("provenance=\"provider\""));
    assert!(!text.contains("gen_ai_client_token_usage_count{"));
}

#[test]
fn consumers_beyond_the_budget_are_counted_together() {
    let metrics = Metrics::with_series_budget(3);
    let listener = metrics.listener("public");
    for n in 0..20 {
        let mut record = sample::full();
        record.consumer = Some(format!("c{n}").into());
        telemetry(&metrics).finish(record, Handles::of(&listener));
    }
    let text = metrics.encode();
    let cost = "weir_llm_consumer_cost_dollars_total{";
    let series = text.lines().filter(|line| line.starts_with(cost));
    assert_eq!(series.count(), 4, "three, and the rest in one");
    assert!((sum(&text, cost) - 20.0 * 0.000_157_5).abs() < 1e-9);
    let together = format!("{cost}provenance=\"overflow\"");
    assert!((sum(&text, &together) - 17.0 * 0.000_157_5).abs() < 1e-9);
}

#[test]
fn hostile_label_values_are_escaped() {
    let metrics = Metrics::new();
    let name = "a\"}\n# TYPE evil counter\nevil 1\\";
    let _: Arc<metrics::Upstream> = metrics.upstream(name);
    let text = metrics.encode();
    assert!(!text.lines().any(|line| line.starts_with("evil")));
}
