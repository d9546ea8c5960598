//! What the registry holds, as OTLP metrics.
//!
//! Metrics of OpenTelemetry's conventions get their names there; ours keep those they are scraped by, but
//! for `_total`, so that they are found by one name everywhere. Either way a Prometheus that is fed by OTLP
//! makes the catalogue's names of them again, and the dashboards and rules hold. Sums and histograms are
//! cumulative since the process began.

use super::log_record::nanos;
use crate::catalogue::{self, Metric};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1 as proto;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use prometheus::proto::{MetricFamily, MetricType};
use std::time::SystemTime;

/// Points of one metric that are kept together.
const MOST_POINTS: usize = 500;

/// The time that a reading spans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// When the process began to count.
    pub(super) since: SystemTime,
    /// When it was read.
    pub(super) until: SystemTime,
}

/// A family; more than one metric, all of one name, where it has very many points.
pub(super) fn metrics(family: &MetricFamily, span: Span) -> Vec<proto::Metric> {
    let known = catalogue::ALL.iter().find(|one| one.name == family.name());
    let (name, unit) = identity(family.name(), known);
    let parts = family.get_metric().chunks(MOST_POINTS);
    parts
        .map(|part| proto::Metric {
            name: name.clone(),
            unit: unit.to_owned(),
            description: family.help().to_owned(),
            data: data(family.get_field_type(), part, span),
            ..proto::Metric::default()
        })
        .collect()
}

/// How many points a metric has.
pub(super) fn count(metric: &proto::Metric) -> usize {
    match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        _ => 0,
    }
}

fn identity(scraped: &str, known: Option<&Metric>) -> (String, &'static str) {
    let name = scraped.strip_suffix("_total").unwrap_or(scraped);
    let Some(metric) = known else {
        // The process collector's: seconds and bytes are what their names end in.
        let unit = [("_seconds", "s"), ("_bytes", "By")];
        let unit = unit.iter().find(|(end, _)| name.ends_with(end));
        return (name.to_owned(), unit.map_or("", |(_, unit)| *unit));
    };
    if let Some((_, convention)) = CONVENTIONS.iter().find(|(ours, _)| *ours == scraped) {
        return ((*convention).to_owned(), metric.unit);
    }
    // Of a gauge of unit 1 Prometheus makes a `_ratio`, which not all of them are.
    let is_plain = metric.unit == "1" && !name.ends_with("_ratio");
    (name.to_owned(), if is_plain { "" } else { metric.unit })
}

/// Metrics that OpenTelemetry names, beside the name they are scraped by.
const CONVENTIONS: [(&str, &str); 11] = [
    (
        catalogue::HTTP_SERVER_REQUEST_DURATION.name,
        "http.server.request.duration",
    ),
    (
        catalogue::HTTP_CLIENT_REQUEST_DURATION.name,
        "http.client.request.duration",
    ),
    (
        catalogue::RPC_SERVER_CALL_DURATION.name,
        "rpc.server.call.duration",
    ),
    (
        "gen_ai_client_operation_duration_seconds",
        "gen_ai.client.operation.duration",
    ),
    ("gen_ai_client_token_usage", "gen_ai.client.token.usage"),
    (
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "gen_ai.client.operation.time_to_first_chunk",
    ),
    (
        "gen_ai_client_operation_time_per_output_chunk_seconds",
        "gen_ai.client.operation.time_per_output_chunk",
    ),
    (
        "messaging_client_operation_duration_seconds",
        "messaging.client.operation.duration",
    ),
    (
        "messaging_client_sent_messages_total",
        "messaging.client.sent.messages",
    ),
    (
        "messaging_client_consumed_messages_total",
        "messaging.client.consumed.messages",
    ),
    (
        "messaging_process_duration_seconds",
        "messaging.process.duration",
    ),
];

/// The attribute that a label is: as spans and log records call it.
fn attribute(label: &str) -> String {
    const OF_CONVENTIONS: [(&str, &str); 13] = [
        ("error_type", "error.type"),
        ("gen_ai_operation_name", "gen_ai.operation.name"),
        ("gen_ai_provider_name", "gen_ai.provider.name"),
        ("gen_ai_request_model", "gen_ai.request.model"),
        ("gen_ai_token_type", "gen_ai.token.type"),
        ("graphql_operation_name", "graphql.operation.name"),
        ("graphql_operation_type", "graphql.operation.type"),
        ("http_response_status_code", "http.response.status_code"),
        ("messaging_destination_name", "messaging.destination.name"),
        ("rpc_response_status_code", "rpc.response.status_code"),
        ("weir_kafka_cluster", "weir.kafka.cluster"),
        ("weir_llm_worker", "weir.llm_worker"),
        ("fault", "weir.fault"),
    ];
    let known = OF_CONVENTIONS.iter().find(|(ours, _)| *ours == label);
    match (known, label.strip_prefix("weir_")) {
        (Some((_, attribute)), _) => (*attribute).to_owned(),
        (None, Some(rest)) => format!("weir.{rest}"),
        (None, None) => label.to_owned(),
    }
}

fn data(kind: MetricType, points: &[prometheus::proto::Metric], span: Span) -> Option<Data> {
    let cumulative = proto::AggregationTemporality::Cumulative.into();
    let numbers = |value: fn(&prometheus::proto::Metric) -> f64| {
        let number = |point| number(point, value(point), span);
        points.iter().map(number).collect()
    };
    Some(match kind {
        MetricType::COUNTER => Data::Sum(proto::Sum {
            data_points: numbers(|point| point.get_counter().get_value()),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        MetricType::GAUGE => Data::Gauge(proto::Gauge {
            data_points: numbers(|point| point.get_gauge().get_value()),
        }),
        MetricType::HISTOGRAM => Data::Histogram(proto::Histogram {
            data_points: points.iter().map(|point| histogram(point, span)).collect(),
            aggregation_temporality: cumulative,
        }),
        // The catalogue has no other kind.
        _ => return None,
    })
}

fn number(point: &prometheus::proto::Metric, value: f64, span: Span) -> proto::NumberDataPoint {
    proto::NumberDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: nanos(span.since),
        time_unix_nano: nanos(span.until),
        value: Some(Number::AsDouble(value)),
        ..proto::NumberDataPoint::default()
    }
}

fn histogram(point: &prometheus::proto::Metric, span: Span) -> proto::HistogramDataPoint {
    let histogram = point.get_histogram();
    let count = histogram.get_sample_count();
    let mut below = 0;
    let mut bounds = Vec::new();
    let mut counts = Vec::new();
    for bucket in histogram.get_bucket() {
        if bucket.upper_bound().is_infinite() {
            continue;
        }
        bounds.push(bucket.upper_bound());
        counts.push(bucket.cumulative_count().saturating_sub(below));
        below = bucket.cumulative_count();
    }
    counts.push(count.saturating_sub(below));
    proto::HistogramDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: nanos(span.since),
        time_unix_nano: nanos(span.until),
        count,
        sum: Some(histogram.get_sample_sum()),
        explicit_bounds: bounds,
        bucket_counts: counts,
        ..proto::HistogramDataPoint::default()
    }
}

fn attributes(point: &prometheus::proto::Metric) -> Vec<KeyValue> {
    let labels = point.get_label().iter();
    labels
        .map(|label| KeyValue {
            key: attribute(label.name()),
            value: Some(AnyValue {
                value: Some(Any::StringValue(label.value().to_owned())),
            }),
            ..KeyValue::default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Kind;

    /// What Prometheus makes of a metric that comes by OTLP: dots become underscores, and its unit and
    /// `_total` follow where they are not there.
    fn scraped(name: &str, unit: &str, kind: Kind) -> String {
        let mut name = name.replace('.', "_");
        let suffix = match (unit, kind) {
            ("s", _) => "_seconds",
            ("By", _) => "_bytes",
            ("1", Kind::Gauge) => "_ratio",
            _ => "",
        };
        if !name.ends_with(suffix) {
            name.push_str(suffix);
        }
        if kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }

    #[test]
    fn prometheus_makes_the_names_of_the_catalogue_of_them_again() {
        for metric in catalogue::ALL {
            let (name, unit) = identity(metric.name, Some(metric));
            assert_eq!(scraped(&name, unit, metric.kind), metric.name);
            for label in metric.labels {
                let told = attribute(label).replace('.', "_");
                assert!(told == *label || told == format!("weir_{label}"), "{label}");
            }
        }
    }

    #[test]
    fn each_name_of_the_conventions_is_one_of_the_catalogue() {
        for (ours, _) in CONVENTIONS {
            assert!(
                catalogue::ALL.iter().any(|metric| metric.name == ours),
                "{ours}"
            );
        }
        let theirs = catalogue::ALL
            .iter()
            .filter(|metric| !metric.name.starts_with("weir_"));
        assert_eq!(theirs.count(), CONVENTIONS.len());
    }
}
